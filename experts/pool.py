"""The pool: one record per evaluation expert, how a row of a register becomes one, and who may be drawn.

Rules upheld: eight years in the field and a senior title or equal (招标投标法 §37, E-62); experts are taken by
profession from the register (条例 §46, E-63). A row that is wrong is reported flaw by flaw, in both languages at the
door; rows that are right are kept, and no row disappears: rows read = experts + rows with a flaw. Reading and writing
of files: experts/pool_files.py. Phone numbers never leave this room unmasked except to the caller of invitations.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from stdnum.cn import uscc
from stdnum.exceptions import ValidationError

from experts import specialties
from trading import registers
from trading.registers import Flaw

YEARS_MIN = 8
YEARS_MAX = 70
SPECIALTIES_MAX = 10


class Status(StrEnum):
    """Whether an expert can be drawn; the Chinese word stands in STATUS_WORDS."""

    ACTIVE = "active"
    ON_LEAVE = "on_leave"
    SUSPENDED = "suspended"
    REMOVED = "removed"


class Title(StrEnum):
    """Professional title (职称); `equal` is the law's 同等专业水平."""

    SENIOR = "senior"
    ASSOCIATE_SENIOR = "associate_senior"
    EQUAL = "equal"
    INTERMEDIATE = "intermediate"


STATUS_WORDS = {"在库": Status.ACTIVE, "请假": Status.ON_LEAVE, "暂停": Status.SUSPENDED, "清退": Status.REMOVED}
TITLE_WORDS = {
    "正高级": Title.SENIOR,
    "高级": Title.SENIOR,
    "副高级": Title.ASSOCIATE_SENIOR,
    "同等专业水平": Title.EQUAL,
    "中级": Title.INTERMEDIATE,
}
SENIOR_TITLES = frozenset({Title.SENIOR, Title.ASSOCIATE_SENIOR, Title.EQUAL})

# Column → the headings accepted for it; the first is the one written.
COLUMNS: Mapping[str, tuple[str, ...]] = {
    "id": ("专家编号", "编号", "id"),
    "name": ("姓名", "name"),
    "employer_uscc": ("工作单位统一社会信用代码", "统一社会信用代码", "employer_uscc"),
    "employer_name": ("工作单位", "employer_name"),
    "specialties": ("评标专业", "专业", "specialties"),
    "title": ("职称", "title"),
    "years": ("从业年限", "years"),
    "status": ("状态", "status"),
    "region": ("行政区划代码", "地区", "region"),
    "phone": ("手机", "手机号码", "phone"),
}

_ID = re.compile(r"[0-9A-Za-z][0-9A-Za-z_-]{0,31}")
_REGION = re.compile(r"[0-9]{6}")
_PHONE = re.compile(r"1[0-9]{10}")
_YEARS = re.compile(r"[0-9]{1,2}")
_LIST = re.compile(r"[;；,，、\s]+")


@dataclass(frozen=True, slots=True)
class Expert:
    """One expert: employer as uscc and name, specialty codes, years in the field, region of six digits, phone."""

    id: str
    name: str
    employer_uscc: str
    employer_name: str
    specialties: tuple[str, ...]
    title: Title
    years: int
    status: Status
    region: str
    phone: str = field(repr=False)

    @property
    def phone_masked(self) -> str:
        """The only form of the phone number that a page or a report shows: 138****5678."""
        return f"{self.phone[:3]}****{self.phone[-4:]}"


@dataclass(frozen=True, slots=True)
class Imported:
    """What a register file gave: `rows` = number of experts + number of distinct flawed lines, always."""

    experts: tuple[Expert, ...]
    flaws: tuple[Flaw, ...]
    rows: int
    encoding: str

    def __post_init__(self) -> None:
        lost = self.rows - len(self.experts) - len({flaw.line for flaw in self.flaws})
        assert lost == 0, f"{lost} rows of the register vanished"


def columns_of(heading: Sequence[str]) -> dict[str, int]:
    """Column → position in the file. Raises Refused `register_heading_*` when one is missing, unknown or double."""
    return registers.columns_of(heading, COLUMNS)


def read_rows(
    rows: Iterable[tuple[int, Sequence[str]]], columns: Mapping[str, int], table: specialties.Table, encoding: str
) -> Imported:
    """Judge each (line, cells): one expert, or all of its flaws. A repeated id is a flaw of the later line."""
    experts: list[Expert] = []
    flaws: list[Flaw] = []
    first_line: dict[str, int] = {}
    count = 0
    for line, cells in rows:
        if not any(cell.strip() for cell in cells):
            continue
        count += 1
        row = {name: cells[at].strip() if at < len(cells) else "" for name, at in columns.items()}
        found = _flaws_of(line, row, table)
        if len(cells) > 1 + max(columns.values()) and any(cell.strip() for cell in cells[1 + max(columns.values()) :]):
            found.append(Flaw(line, "", "row_has_extra_cells"))
        earlier = first_line.setdefault(row["id"], line) if row["id"] else line
        if earlier != line:
            found.append(Flaw(line, COLUMNS["id"][0], "row_id_repeated", {"id": row["id"][:40], "first": earlier}))
        if found:
            flaws.extend(found)
        else:
            experts.append(_expert(row))
    return Imported(tuple(experts), tuple(flaws), count, encoding)


def eligible(pool: Iterable[Expert], needed: str, *, regions: Iterable[str] = ()) -> tuple[Expert, ...]:
    """Who may stand in a draw for the specialty `needed`: active, qualified (E-62), of that profession, of the regions.

    `regions` are prefixes of region codes ("41" = Henan); none means everywhere. Ascending by id.
    """
    wanted = tuple(regions)
    return tuple(
        sorted(
            (
                expert
                for expert in pool
                if expert.status is Status.ACTIVE
                and qualified(expert)
                and specialties.covers(expert.specialties, needed)
                and (not wanted or expert.region.startswith(wanted))
            ),
            key=lambda expert: expert.id,
        )
    )


def qualified(expert: Expert) -> bool:
    """Eight years in the field and a senior title or equal (招标投标法 §37)."""
    return expert.years >= YEARS_MIN and expert.title in SENIOR_TITLES


def codes_of(text: str) -> tuple[str, ...]:
    """Specialty codes from one cell; separated by ; , 、 or space, in either width."""
    return tuple(code for code in _LIST.split(text.upper()) if code)


def _flaws_of(line: int, row: Mapping[str, str], table: specialties.Table) -> list[Flaw]:
    flaws: list[Flaw] = []

    def wrong(column: str, code: str, **facts: object) -> None:
        flaws.append(Flaw(line, COLUMNS[column][0], code, {"found": row[column][:40], **facts}))

    for column, text in row.items():
        bad = registers.cell_flaw(line, COLUMNS[column][0], text)
        if bad is not None:
            flaws.append(bad)
    if flaws:
        return flaws
    if not _ID.fullmatch(row["id"]):
        wrong("id", "row_id_malformed")
    if not _is_uscc(row["employer_uscc"]):
        wrong("employer_uscc", "row_uscc_wrong")
    if not _REGION.fullmatch(row["region"]):
        wrong("region", "row_region_malformed")
    if not _PHONE.fullmatch(row["phone"]):
        # The number itself stays out of the report, which may be mailed around.
        flaws.append(Flaw(line, COLUMNS["phone"][0], "row_phone_malformed"))
    if not _YEARS.fullmatch(row["years"]) or int(row["years"]) > YEARS_MAX:
        wrong("years", "row_years_wrong", most=YEARS_MAX)
    if _title(row["title"]) is None:
        wrong("title", "row_title_unknown", known="、".join(TITLE_WORDS))
    if _status(row["status"]) is None:
        wrong("status", "row_status_unknown", known="、".join(STATUS_WORDS))
    codes = codes_of(row["specialties"])
    for code in codes:
        if code not in table.by_code:
            wrong("specialties", "row_specialty_unknown", specialty=code[:40])
    if len(codes) > SPECIALTIES_MAX or len(set(codes)) < len(codes) or not codes:
        wrong("specialties", "row_specialties_wrong", most=SPECIALTIES_MAX)
    return flaws


def _expert(row: Mapping[str, str]) -> Expert:
    title, status = _title(row["title"]), _status(row["status"])
    assert title is not None, "checked with the other flaws of the row"
    assert status is not None, "checked with the other flaws of the row"
    return Expert(
        id=row["id"],
        name=row["name"],
        employer_uscc=row["employer_uscc"],
        employer_name=row["employer_name"],
        specialties=codes_of(row["specialties"]),
        title=title,
        years=int(row["years"]),
        status=status,
        region=row["region"],
        phone=row["phone"],
    )


def _is_uscc(text: str) -> bool:
    try:
        return bool(uscc.validate(text) == text)
    except ValidationError:
        return False


def _title(text: str) -> Title | None:
    return TITLE_WORDS.get(text) or next((title for title in Title if title.value == text), None)


def _status(text: str) -> Status | None:
    return STATUS_WORDS.get(text) or next((status for status in Status if status.value == text), None)
