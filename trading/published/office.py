"""The words of a Word or Excel file, line by line, so that a clarification of one can be shown marked like any text.

ECMA-376: a package of XML parts in a zip. Only words and values are read, in reading order; a row of a table or sheet
is one line. What an upload could do to a reader is bounded before anything is parsed: sizes as they unpack, number of
parts, no document type (so no entities). A file that is not what its name says has no text; that is no error.
"""

from __future__ import annotations

import io
import re
import zipfile
from collections.abc import Iterator
from pathlib import PurePath
from xml.etree import ElementTree

SUFFIXES = frozenset({".docx", ".xlsx"})
FILE_BYTES_MAX = 4 << 20
PART_BYTES_MAX = 16 << 20
PARTS_MAX = 2000
SHEETS_MAX = 50
BETWEEN = " | "

_WORD = "{http://schemas.openxmlformats.org/wordprocessingml/2006/main}"
_SHEET = "{http://schemas.openxmlformats.org/spreadsheetml/2006/main}"
_NUMBERED = re.compile(r"xl/worksheets/sheet([0-9]{1,4})\.xml")


def text_of(name: str, data: bytes) -> str | None:
    """The lines of a .docx or .xlsx; None where it has none that can be read."""
    if len(data) > FILE_BYTES_MAX:
        return None
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as package:
            if len(package.infolist()) > PARTS_MAX:
                return None
            lines = _document(package) if PurePath(name).suffix.lower() == ".docx" else _workbook(package)
            return "\n".join(lines)
    except (zipfile.BadZipFile, KeyError, ValueError, EOFError, NotImplementedError, RuntimeError, OSError):
        return None
    except ElementTree.ParseError:
        return None


def _part(package: zipfile.ZipFile, name: str) -> ElementTree.Element:
    """The root of one part. Raises ValueError for one that is too large or declares a document type."""
    with package.open(name) as stream:
        data = stream.read(PART_BYTES_MAX + 1)
    if len(data) > PART_BYTES_MAX or b"<!DOCTYPE" in data or b"<!ENTITY" in data or b"\x00" in data:
        raise ValueError(name)
    return ElementTree.fromstring(data)


def _document(package: zipfile.ZipFile) -> Iterator[str]:
    body = _part(package, "word/document.xml").find(f"{_WORD}body")
    for block in body if body is not None else ():
        if block.tag == f"{_WORD}tbl":
            for row in block.iter(f"{_WORD}tr"):
                yield BETWEEN.join(
                    " ".join(filter(None, map(_paragraph, cell.iter(f"{_WORD}p")))) for cell in row.iter(f"{_WORD}tc")
                )
        else:
            for paragraph in block.iter(f"{_WORD}p"):
                yield _paragraph(paragraph)


def _paragraph(paragraph: ElementTree.Element) -> str:
    said = []
    for node in paragraph.iter():
        if node.tag == f"{_WORD}t":
            said.append(node.text or "")
        elif node.tag in (f"{_WORD}tab", f"{_WORD}br"):
            said.append(" ")
    return "".join(said)


def _workbook(package: zipfile.ZipFile) -> Iterator[str]:
    names = package.namelist()
    shared = []
    if "xl/sharedStrings.xml" in names:
        for item in _part(package, "xl/sharedStrings.xml").iter(f"{_SHEET}si"):
            shared.append("".join(node.text or "" for node in item.iter(f"{_SHEET}t")))
    sheets = sorted((int(found[1]), name) for name in names if (found := _NUMBERED.fullmatch(name)))
    for _, name in sheets[:SHEETS_MAX]:
        for row in _part(package, name).iter(f"{_SHEET}row"):
            cells = [_cell(cell, shared) for cell in row.iter(f"{_SHEET}c")]
            if any(cells):
                yield BETWEEN.join(cells)


def _cell(cell: ElementTree.Element, shared: list[str]) -> str:
    """What a cell shows; a formula's text is never shown, only the value it last had."""
    value = cell.findtext(f"{_SHEET}v") or ""
    if cell.get("t") == "s" and value.isdecimal() and int(value) < len(shared):
        return shared[int(value)]
    if cell.get("t") == "inlineStr":
        return "".join(node.text or "" for node in cell.iter(f"{_SHEET}t"))
    return value
