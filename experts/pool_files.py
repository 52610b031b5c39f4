"""Register files: experts in and out of CSV and Excel, with hostile files refused before a parser sees them.

A register comes from outside: size, uncompressed size, rows and columns are limited; workbooks with macros, encryption,
document type declarations or too many parts are refused. CSV may be UTF-8 with or without byte order mark, or
GBK/GB18030 as Chinese Excel writes it; which of them was read is told. Nothing is guessed beyond that: a text whose
heading is not understood is refused whole, so that no name is imported in the wrong letters.
"""

from __future__ import annotations

import csv
import io
import zipfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice
from typing import Any

from crypto import words
from crypto.refusal import Refused
from experts import pool, specialties

FILE_BYTES_MAX = 32 * 1024 * 1024
UNCOMPRESSED_BYTES_MAX = 128 * 1024 * 1024
PARTS_MAX = 200
ROWS_MAX = 100_000
CELLS_PER_ROW_MAX = 50

_OLE = b"\xd0\xcf\x11\xe0"
_ZIP = b"PK\x03\x04"


def read(data: bytes, name: str, table: specialties.Table) -> pool.Imported:
    """Read a register file; its kind is told by its first bytes and must agree with the ending of `name`.

    Raises Refused `register_*` when the file as a whole cannot be read; flaws of rows are in the result.
    """
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
        return _judge(_excel_rows(data), table, "xlsx")
    if ending != "csv":
        raise Refused("register_kind_unknown", name=name[:80])
    text, encoding = decode(data)
    return _judge(_csv_rows(text), table, encoding)


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


def report(imported: pool.Imported) -> list[dict[str, str | int]]:
    """The flaws for a person: [{"line","column","code","zh","en"}], in the order of the file."""
    table = words.load("experts")
    return [
        {"line": flaw.line, "column": flaw.column, "code": flaw.code, **words.tell(flaw.refusal(), table)}
        for flaw in imported.flaws
    ]


def write_csv(experts: Iterable[pool.Expert]) -> bytes:
    """The register as CSV, UTF-8 with byte order mark so that Excel shows Chinese; `read` gives the same experts."""
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\r\n")
    writer.writerow(names[0] for names in pool.COLUMNS.values())
    writer.writerows(_cells(expert) for expert in experts)
    return b"\xef\xbb\xbf" + text.getvalue().encode()


def write_excel(experts: Iterable[pool.Expert]) -> bytes:
    """The register as a workbook of text cells: no formula is ever written."""
    import xlsxwriter

    data = io.BytesIO()
    options = {"in_memory": True, "strings_to_formulas": False, "strings_to_urls": False, "strings_to_numbers": False}
    book = xlsxwriter.Workbook(data, options)
    sheet = book.add_worksheet("专家名册")
    text = book.add_format({"num_format": "@"})
    rows = [[names[0] for names in pool.COLUMNS.values()], *(_cells(expert) for expert in experts)]
    for at, row in enumerate(rows):
        for column, cell in enumerate(row):
            sheet.write_string(at, column, cell, text)
    book.close()
    return data.getvalue()


def _cells(expert: pool.Expert) -> list[str]:
    titles = {title: word for word, title in reversed(pool.TITLE_WORDS.items())}
    statuses = {status: word for word, status in pool.STATUS_WORDS.items()}
    shown: Mapping[str, str] = {
        "specialties": ";".join(expert.specialties),
        "title": titles[expert.title],
        "years": str(expert.years),
        "status": statuses[expert.status],
    }
    return [shown[column] if column in shown else str(getattr(expert, column)) for column in pool.COLUMNS]


def _judge(rows: Iterator[tuple[int, Sequence[str]]], table: specialties.Table, encoding: str) -> pool.Imported:
    heading = next(rows, None)
    if heading is None:
        raise Refused("register_empty")
    columns = pool.columns_of(heading[1])
    return pool.read_rows(_limited(rows), columns, table, encoding)


def _limited(rows: Iterator[tuple[int, Sequence[str]]]) -> Iterator[tuple[int, Sequence[str]]]:
    for count, row in enumerate(rows, 1):
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
