"""Register files of experts, in and out of CSV and Excel; hostile files are refused by trading/registers.py."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Mapping

from experts import pool, specialties
from trading import registers

FILE_BYTES_MAX = registers.FILE_BYTES_MAX


def read(data: bytes, name: str, table: specialties.Table) -> pool.Imported:
    """Read a register file; its kind is told by its first bytes and must agree with the ending of `name`.

    Raises Refused `register_*` when the file as a whole cannot be read; flaws of rows are in the result.
    """
    heading, rows, encoding = registers.rows(data, name)
    return pool.read_rows(rows, pool.columns_of(heading), table, encoding)


def report(imported: pool.Imported) -> list[dict[str, str | int]]:
    """The flaws for a person: [{"line","column","code","zh","en"}], in the order of the file."""
    return registers.report(imported.flaws, "experts", "trading")


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
