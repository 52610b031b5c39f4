"""The register: good rows kept, every flaw named, hostile files refused."""

import io
import zipfile
from collections.abc import Callable
from dataclasses import replace

import openpyxl
import pytest

from crypto.refusal import Refused
from experts import pool, pool_files, specialties

TABLE = specialties.load()
USCC = "91110000600037341L"
HEADING = "专家编号,姓名,工作单位统一社会信用代码,工作单位,评标专业,职称,从业年限,状态,行政区划代码,手机"


def row(at: int = 1, **changes: str) -> str:
    cells = {
        "id": f"Z{at:04}",
        "name": "张三",
        "uscc": USCC,
        "employer": "某设计院",
        "specialties": "A080301;A060102",
        "title": "高级",
        "years": "15",
        "status": "在库",
        "region": "410900",
        "phone": f"1380000{at:04}",
    } | changes
    return ",".join(cells.values())


def register(*rows: str) -> bytes:
    return "\r\n".join([HEADING, *rows, ""]).encode()


def flaws(imported: pool.Imported) -> list[tuple[int, str]]:
    return [(flaw.line, flaw.code) for flaw in imported.flaws]


def test_good_rows_survive_bad_ones_and_every_flaw_of_a_row_is_named() -> None:
    bad = row(2, uscc="91110000600037341X", years="8.5", title="院士", region="41", phone="12", status="?")
    imported = pool_files.read(register(row(1), bad, row(3)), "名册.csv", TABLE)
    assert [expert.id for expert in imported.experts] == ["Z0001", "Z0003"]
    assert imported.rows == 3
    assert flaws(imported) == [
        (3, "row_uscc_wrong"),
        (3, "row_region_malformed"),
        (3, "row_phone_malformed"),
        (3, "row_years_wrong"),
        (3, "row_title_unknown"),
        (3, "row_status_unknown"),
    ]


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"name": ""}, "row_cell_empty"),
        ({"name": "=HYPERLINK(1)"}, "row_cell_formula"),
        ({"name": '"张\n三"'}, "row_cell_unprintable"),
        ({"name": "张\u202e三"}, "row_cell_unprintable"),
        ({"employer": "长" * 101}, "row_cell_too_long"),
        ({"id": "Z 1"}, "row_id_malformed"),
        ({"specialties": "A999999"}, "row_specialty_unknown"),
        ({"specialties": "A080301;A080301"}, "row_specialties_wrong"),
        ({"years": "71"}, "row_years_wrong"),
        ({"phone": "13800001111,多"}, "row_has_extra_cells"),
    ],
)
def test_each_flaw_has_its_own_code(changes: dict[str, str], code: str) -> None:
    imported = pool_files.read(register(row(1, **changes), row(2)), "a.csv", TABLE)
    assert (2, code) in flaws(imported)
    assert len(imported.experts) == 1


def test_a_repeated_number_is_reported_at_the_later_line() -> None:
    imported = pool_files.read(register(row(1), row(2), row(1)), "a.csv", TABLE)
    assert len(imported.experts) == 2
    assert flaws(imported) == [(4, "row_id_repeated")]


def test_line_numbers_stay_right_after_a_cell_with_a_line_break_and_empty_lines() -> None:
    imported = pool_files.read(register(row(1, name='"张\n三"'), "", ",,,", row(2, years="x")), "a.csv", TABLE)
    assert flaws(imported) == [(2, "row_cell_unprintable"), (6, "row_years_wrong")]
    assert imported.rows == 2


def test_the_report_speaks_both_languages_and_keeps_phone_numbers_out() -> None:
    imported = pool_files.read(register(row(1, phone="99913800001111", years="x")), "a.csv", TABLE)
    told = pool_files.report(imported)
    assert told[0]["zh"] == "第 2 行手机号码有误;须为以 1 开头的 11 位数字。"
    assert str(told[1]["en"]).startswith("Line 2: years in the field")
    assert "13800001111" not in repr(told)


@pytest.mark.parametrize(
    ("encoding", "told"), [("utf-8", "utf-8"), ("utf-8-sig", "utf-8-sig"), ("gbk", "gb18030"), ("gb18030", "gb18030")]
)
def test_chinese_encodings_are_read_and_named(encoding: str, told: str) -> None:
    imported = pool_files.read(register(row(1)).decode().encode(encoding), "a.csv", TABLE)
    assert (imported.encoding, imported.experts[0].name) == (told, "张三")


@pytest.mark.parametrize(
    ("data", "name", "code"),
    [
        (b"", "a.csv", "register_empty"),
        (register(row()).decode().encode("utf-16"), "a.csv", "register_encoding_utf16"),
        (b"\xff\xff\xff,1", "a.csv", "register_encoding_unknown"),
        (register(row()) + b"\x00", "a.csv", "register_encoding_unknown"),
        (register(row()).decode().encode("big5", "replace"), "a.csv", "register_heading_unknown"),
        (register(row()), "a.xlsx", "register_kind_unknown"),
        (register(row()), "a.xlsm", "register_has_macros"),
        (b"\xd0\xcf\x11\xe0" + bytes(600), "a.xlsx", "register_old_or_encrypted_excel"),
        (register(row(name='"张三')), "a.csv", "register_csv_broken"),
        (register(row(name="," * 60)), "a.csv", "register_too_many_columns"),
        (register().replace(b",", b";"), "a.csv", "register_heading_unknown"),
        (register().replace("手机".encode(), "姓名".encode()), "a.csv", "register_heading_twice"),
        (register().replace(",手机".encode(), b""), "a.csv", "register_heading_missing"),
    ],
)
def test_files_that_cannot_be_read_are_refused_whole(data: bytes, name: str, code: str) -> None:
    with pytest.raises(Refused) as err:
        pool_files.read(data, name, TABLE)
    assert err.value.code == code


def test_what_is_written_is_read_back() -> None:
    experts = pool_files.read(register(row(1), row(2, title="同等专业水平", status="请假")), "a.csv", TABLE).experts
    assert pool_files.read(pool_files.write_csv(experts), "a.csv", TABLE).experts == experts
    assert pool_files.read(pool_files.write_excel(experts), "a.xlsx", TABLE).experts == experts


def test_excel_keeps_numbers_typed_as_numbers() -> None:
    book = openpyxl.Workbook()
    sheet = book.active
    assert sheet is not None
    sheet.append(HEADING.split(","))
    sheet.append(["Z1", "张三", USCC, "院", "A080301", "高级", 15.0, "在库", 410900, 13800001111])
    data = io.BytesIO()
    book.save(data)
    (expert,) = pool_files.read(data.getvalue(), "a.xlsx", TABLE).experts
    assert (expert.years, expert.region, expert.phone) == (15, "410900", "13800001111")


def workbook(change: Callable[[zipfile.ZipFile], None]) -> bytes:
    """A good workbook to which `change` adds something."""
    experts = pool_files.read(register(row(1)), "a.csv", TABLE).experts
    data = io.BytesIO(pool_files.write_excel(experts))
    with zipfile.ZipFile(data, "a", zipfile.ZIP_DEFLATED) as package:
        change(package)
    return data.getvalue()


@pytest.mark.parametrize(
    ("change", "code"),
    [
        (lambda zf: zf.writestr("xl/vbaProject.bin", b"macro"), "register_has_macros"),
        (lambda zf: zf.writestr("xl/macrosheets/sheet1.xml", b"<a/>"), "register_has_macros"),
        (lambda zf: zf.writestr("xl/big.xml", b"<a>" + bytes(130 * 1024 * 1024)), "register_excel_bomb"),
        (lambda zf: [zf.writestr(f"x{at}.txt", b"") for at in range(201)], "register_excel_bomb"),
        (lambda zf: zf.writestr("xl/x.xml", b"<a/>" + b" " * 2**20 + b"<!DOCTYPE a>"), "register_excel_bomb"),
        (lambda zf: zf.writestr("xl/x.xml", "<a/>".encode("utf-16")), "register_excel_broken"),
    ],
)
def test_bombs_and_macros_in_workbooks_are_refused(change: Callable[[zipfile.ZipFile], None], code: str) -> None:
    with pytest.raises(Refused) as err:
        pool_files.read(workbook(change), "a.xlsx", TABLE)
    assert err.value.code == code


@pytest.mark.parametrize("cut", [10, 200, 3000])
def test_truncated_workbooks_are_refused(cut: int) -> None:
    with pytest.raises(Refused) as err:
        pool_files.read(workbook(lambda _: None)[:cut], "a.xlsx", TABLE)
    assert err.value.code == "register_excel_broken"


def test_a_workbook_that_lacks_its_parts_is_refused() -> None:
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w") as package:
        package.writestr("xl/workbook.xml", b"<workbook/>")
    with pytest.raises(Refused) as err:
        pool_files.read(data.getvalue(), "a.xlsx", TABLE)
    assert err.value.code == "register_excel_broken"


def test_only_active_qualified_experts_of_the_profession_and_region_stand_in_a_draw() -> None:
    (base,) = pool_files.read(register(row(1)), "a.csv", TABLE).experts
    others = [
        replace(base, id="Z2", status=pool.Status.ON_LEAVE),
        replace(base, id="Z3", years=7),
        replace(base, id="Z4", title=pool.Title.INTERMEDIATE),
        replace(base, id="Z5", specialties=("A08",)),
        replace(base, id="Z6", region="320100"),
        replace(base, id="A7", specialties=("A080302",)),
    ]
    assert [expert.id for expert in pool.eligible([base, *others], "A0803", regions=["41"])] == ["A7", "Z0001"]


def test_the_phone_number_is_masked_wherever_a_record_is_shown() -> None:
    (expert,) = pool_files.read(register(row(1)), "a.csv", TABLE).experts
    assert expert.phone_masked == "138****0001"
    assert expert.phone not in repr(expert)


def test_specialties_have_parents_levels_and_cover_only_downwards() -> None:
    assert [TABLE.of(code).level for code in ("A", "A08", "A0803", "A080301")] == [1, 2, 3, 4]
    assert specialties.covers(["A080301"], "A0803")
    assert not specialties.covers(["A08"], "A0803")
    with pytest.raises(Refused) as err:
        specialties.table({"A0803": ("公路工程", "highways")})
    assert err.value.code == "specialty_without_parent"


@pytest.mark.rule("E-63", "refuse")
def test_a_seat_cannot_be_asked_for_under_a_made_up_profession() -> None:
    with pytest.raises(Refused) as err:
        TABLE.of("Z99")
    assert (err.value.code, err.value.rule) == ("specialty_unknown", "E-63")
