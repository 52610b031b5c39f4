"""Registers that come as files: rows out of CSV and Excel, with hostile files refused before a parser sees them.

A register comes from outside: size, uncompressed size, rows and columns are limited; workbooks with macros, encryption,
document type declarations or too many parts are refused. CSV may be UTF-8 with or without byte order mark, or
GBK/GB18030 as Chinese Excel writes it; which of them was read is told. Nothing is guessed beyond that: a text whose
heading is not understood is refused whole, so that no name is imported in the wrong letters. What a row means is for
the room that keeps the register (experts/pool.py, trading/people/directory.py).
"""

from __future__ import annotations

import csv
import io
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

from crypto import words
from crypto.refusal import Refused

FILE_BYTES_MAX = 32 * 1024 * 1024
UNCOMPRESSED_BYTES_MAX = 128 * 1024 * 1024
PARTS_MAX = 200
ROWS_MAX = 100_000
CELLS_PER_ROW_MAX = 50
CELL_CHARACTERS_MAX = 100

_OLE = b"\xd0\xcf\x11\xe0"
_ZIP = b"PK\x03\x04"
Rows = Iterator[tuple[int, Sequence[str]]]


@dataclass(frozen=True, slots=True)
class Flaw:
    """One thing wrong: the line of the file (the heading is line 1), the column's heading, a code of refusals.toml."""

    line: int
    column: str
    code: str
    facts: Mapping[str, object] = field(default_factory=dict)

    def refusal(self) -> Refused:
        """The same as a refusal, so that it is told with the same words."""
        refused = Refused(self.code, line=self.line, column=self.column)
        refused.facts |= self.facts
        return refused


def report(flaws: Sequence[Flaw], *rooms: str) -> list[dict[str, str | int]]:
    """The flaws for a person, in the words of `rooms`: [{"line","column","code","zh","en"}], in the file's order."""
    table = words.load(*rooms)
    return [
        {"line": flaw.line, "column": flaw.column, "code": flaw.code, **words.tell(flaw.refusal(), table)}
        for flaw in flaws
    ]


def columns_of(
    heading: Sequence[str], columns: Mapping[str, Sequence[str]], *, optional: frozenset[str] = frozenset()
) -> dict[str, int]:
    """Column → position in the file, by the headings accepted for each. Raises Refused `register_heading_*` when one is
    missing (and not optional), unknown or double."""
    known = {name.casefold(): column for column, names in columns.items() for name in names}
    found: dict[str, int] = {}
    for position, cell in enumerate(heading):
        text = cell.strip()
        if not text:
            continue
        column = known.get(text.casefold())
        if column is None:
            raise Refused("register_heading_unknown", heading=text[:40])
        if column in found:
            raise Refused("register_heading_twice", heading=text[:40])
        found[column] = position
    if missing := [names[0] for column, names in columns.items() if column not in found | dict.fromkeys(optional)]:
        raise Refused("register_heading_missing", headings="、".join(missing))
    return found


def cell_flaw(line: int, heading: str, text: str, *, may_be_empty: bool = False) -> Flaw | None:
    """What is wrong with a cell whatever it means: empty, too long, unprintable, a formula."""
    if not text:
        return None if may_be_empty else Flaw(line, heading, "row_cell_empty", {"found": ""})
    told: dict[str, object] = {"found": text[:40]}
    if len(text) > CELL_CHARACTERS_MAX:
        return Flaw(line, heading, "row_cell_too_long", {**told, "most": CELL_CHARACTERS_MAX})
    if not text.isprintable():
        return Flaw(line, heading, "row_cell_unprintable", told)
    return Flaw(line, heading, "row_cell_formula", told) if text[0] in "=+-@" else None


def rows(data: bytes, name: str) -> tuple[Sequence[str], Rows, str]:
    """(heading, rows below it, encoding) of a register file; its kind is told by its first bytes and must agree with
    the ending of `name`. Raises Refused `register_*` when the file as a whole cannot be read."""
    found, encoding = _rows(data, name)
    heading = next(found, None)
    if heading is None:
        raise Refused("register_empty")
    return heading[1], _limited(found), encoding


def _rows(data: bytes, name: str) -> tuple[Rows, str]:
    if len(data) > FILE_BYTES_MAX:
        raise Refused("register_too_large", most=FILE_BYTES_MAX)
    if not data.strip():
        raise Refused("register_empty")
    ending = name.lower().rpartition(".")[2]
    if ending in ("xlsm", "xltm", "xlam", "xlsb"):
        raise Refused("register_has_macros", name=name[:80])
    if data.startswith(_OLE) or ending == "xls":
        raise Refused("register_old_or_encrypted_excel", name=name[:80])
    if data.startswith(_ZIP):
        if ending != "xlsx":
            raise Refused("register_kind_unknown", name=name[:80])
        return _excel_rows(data), "xlsx"
    if ending != "csv":
        raise Refused("register_kind_unknown", name=name[:80])
    text, encoding = decode(data)
    return _csv_rows(text), encoding


def decode(data: bytes) -> tuple[str, str]:
    """The text of a CSV file and the name of its encoding: utf-8-sig, utf-8 or gb18030 (which contains GBK).

    Raises Refused `register_encoding_utf16`, `register_encoding_unknown`.
    """
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise Refused("register_encoding_utf16")
    if b"\x00" in data:
        raise Refused("register_encoding_unknown")
    for encoding in ("utf-8-sig",) if data.startswith(b"\xef\xbb\xbf") else ("utf-8", "gb18030"):
        try:
            return data.decode(encoding), encoding
        except UnicodeDecodeError:
            continue
    raise Refused("register_encoding_unknown")


def _limited(found: Rows) -> Rows:
    for count, row in enumerate(found, 1):
        if count > ROWS_MAX:
            raise Refused("register_too_many_rows", most=ROWS_MAX)
        yield row


def _csv_rows(text: str) -> Iterator[tuple[int, list[str]]]:
    """(first line of the row, cells). A cell with a line break stays one row; its flaw is reported like any other."""
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    line = 1
    while True:
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error as broken:
            raise Refused("register_csv_broken", line=line, why=str(broken)[:80]) from broken
        if len(cells) > CELLS_PER_ROW_MAX:
            raise Refused("register_too_many_columns", line=line, most=CELLS_PER_ROW_MAX)
        yield line, cells
        line = reader.line_num + 1


def _excel_rows(data: bytes) -> Iterator[tuple[int, list[str]]]:
    """(line, cells) of the first sheet; only the values are read, never a formula's text."""
    _check_package(data)
    import openpyxl

    try:
        book = openpyxl.load_workbook(io.BytesIO(data), read_only=True, data_only=True, keep_links=False)
        sheet = book.worksheets[0]
        # The file's own claim of its dimensions is not believed.
        sheet.reset_dimensions()
        rows = [
            (line, [_text(cell) for cell in _narrow(cells, line)])
            for line, cells in enumerate(islice(sheet.iter_rows(values_only=True), ROWS_MAX + 2), 1)
        ]
    except Refused:
        raise
    except Exception as broken:  # The reader's failures on damaged workbooks have no common class.
        raise Refused("register_excel_broken", why=f"{type(broken).__name__}: {broken}"[:120]) from broken
    return iter(rows)


def _check_package(data: bytes) -> None:
    """Refuse a workbook whose archive is a bomb, carries macros, or hides a document type declaration."""
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as package:
            parts = package.infolist()
            if len(parts) > PARTS_MAX or len({part.filename for part in parts}) < len(parts):
                raise Refused("register_excel_bomb", most=UNCOMPRESSED_BYTES_MAX)
            if sum(part.file_size for part in parts) > UNCOMPRESSED_BYTES_MAX:
                raise Refused("register_excel_bomb", most=UNCOMPRESSED_BYTES_MAX)
            for part in parts:
                _check_part(package, part)
    except (zipfile.BadZipFile, NotImplementedError, RuntimeError, EOFError, ValueError) as broken:
        raise Refused("register_excel_broken", why=type(broken).__name__) from broken


def _check_part(package: zipfile.ZipFile, part: zipfile.ZipInfo) -> None:
    name = part.filename.lower()
    if part.flag_bits & 1:
        raise Refused("register_old_or_encrypted_excel", name=name[:80])
    if name.endswith(".bin") or "vbaproject" in name or "/macrosheets/" in name or "/activex/" in name:
        raise Refused("register_has_macros", name=name[:80])
    if not name.endswith((".xml", ".rels", ".vml")):
        return
    with package.open(part) as opened:
        tail = opened.read(1 << 20)
        # Another first byte would mean an encoding in which the words looked for below are spelled differently.
        if not tail.removeprefix(b"\xef\xbb\xbf").startswith(b"<"):
            raise Refused("register_excel_broken", why="XML")
        while tail:
            if b"<!DOCTYPE" in tail or b"<!ENTITY" in tail:
                raise Refused("register_excel_bomb", most=UNCOMPRESSED_BYTES_MAX)
            if name == "[content_types].xml" and b"macroEnabled" in tail:
                raise Refused("register_has_macros", name=name)
            more = opened.read(1 << 20)
            tail = tail[-16:] + more if more else b""


def _narrow(cells: Sequence[Any], line: int) -> Sequence[Any]:
    if len(cells) > CELLS_PER_ROW_MAX:
        raise Refused("register_too_many_columns", line=line, most=CELLS_PER_ROW_MAX)
    return cells


def _text(cell: Any) -> str:
    """A cell as text; Excel keeps whole numbers as 12.0, which a person means as 12."""
    if cell is None:
        return ""
    if isinstance(cell, float) and cell.is_integer():
        return str(int(cell))
    return str(cell)
