"""Word and Excel files give their words; bombs, entities and files that only pretend give none and do no harm."""

from __future__ import annotations

import io
import zipfile

import openpyxl
import pytest

from trading.published import changes, office

WORD = "http://schemas.openxmlformats.org/wordprocessingml/2006/main"
PARAGRAPHS = (
    "<w:p><w:r><w:t>第一条 工期</w:t></w:r><w:r><w:t>60天</w:t></w:r></w:p>"
    "<w:tbl><w:tr><w:tc><w:p><w:r><w:t>沥青</w:t></w:r></w:p></w:tc>"
    "<w:tc><w:p><w:r><w:t>&lt;b&gt;70</w:t><w:tab/><w:t>吨</w:t></w:r></w:p></w:tc></w:tr></w:tbl>"
)


def docx(body: str, *, start: str = "") -> bytes:
    return package({"word/document.xml": f'{start}<w:document xmlns:w="{WORD}"><w:body>{body}</w:body></w:document>'})


def package(parts: dict[str, str | bytes]) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as made:
        for name, data in parts.items():
            made.writestr(name, data)
    return out.getvalue()


def xlsx(rows: list[list[object]]) -> bytes:
    book, out = openpyxl.Workbook(), io.BytesIO()
    for row in rows:
        book.active.append(row)
    book.save(out)
    return out.getvalue()


def test_a_word_file_is_read_in_order_with_its_tables_as_rows() -> None:
    assert office.text_of("招标文件.docx", docx(PARAGRAPHS)) == "第一条 工期60天\n沥青 | <b>70 吨"


def test_an_excel_file_is_read_row_by_row_and_never_by_formula() -> None:
    told = office.text_of(
        "清单.XLSX", xlsx([["编号", "数量"], ["A1", 12.5], [None, None], ["x", '=HYPERLINK("http://e","x")']])
    )
    assert told is not None and told.split("\n")[:2] == ["编号 | 数量", "A1 | 12.5"]
    assert "HYPERLINK" not in told


def test_a_changed_row_of_a_bill_is_marked_inside() -> None:
    old, new = (office.text_of("清单.xlsx", xlsx([["沥青混凝土", "吨", amount]])) for amount in (1200, 1350))
    assert old and new
    lines = changes.marked_lines(old, new)
    kinds = {kind: "".join(text for one, text in lines[0] if one == kind) for kind in ("same", "del", "ins")}
    assert kinds["same"].startswith("沥青混凝土 | 吨 | 1") and kinds["del"] and "35" in kinds["ins"]


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"PK\x03\x04 no package",
        package({"other.xml": "<a/>"}),
        docx(PARAGRAPHS, start='<!DOCTYPE w [<!ENTITY a "aaaa">]>'),
        docx("<w:p>"),
        package({"word/document.xml": b"0" * (office.PART_BYTES_MAX + 1)}),
        package({f"{number}": "" for number in range(office.PARTS_MAX + 1)}),
        "<!DOCTYPE a>".encode("utf-16"),
    ],
    ids=["empty", "damaged", "no document", "entities", "no XML", "bomb", "many parts", "UTF-16"],
)
def test_attack_files_have_no_words_and_do_no_harm(data: bytes) -> None:
    assert office.text_of("x.docx", data) is None


def test_a_document_type_cannot_hide_in_another_encoding() -> None:
    text = f'<?xml version="1.0" encoding="UTF-16"?><!DOCTYPE a []><w:document xmlns:w="{WORD}"/>'
    assert office.text_of("x.docx", package({"word/document.xml": text.encode("utf-16")})) is None


def test_only_files_with_words_are_compared() -> None:
    assert changes.comparable({"name": "a.DOCX", "size": 10}) and changes.comparable({"name": "a.txt", "size": 10})
    assert not changes.comparable({"name": "a.pdf", "size": 10})
    assert not changes.comparable({"name": "a.docx", "size": office.FILE_BYTES_MAX + 1})
