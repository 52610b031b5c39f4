"""The directory of organisations from a file: judged line by line, all defects told at once, kept whole or not at all.

20号令 §9, §24 (registration is nothing but verification); GB 32100 (the code's check character); 条例 §5, 法 §14,
20号令 §23: each line is judged against the graph as the lines before it left it, so that a file can no more make a
forbidden pair arise than a person at the page. With `only_right` the right lines are kept and the others told; without
it one wrong line keeps the whole file out. An organisation that is registered keeps its roles and gets those of its
line; another name for a known code is a flaw, never an edit.

Whoever imports a file can register organisations under the power they name; they cannot take a role away.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from crypto import words
from crypto.refusal import Refused
from storage.unit import Unit
from trading import codes, registers
from trading.people import graphs, organisations
from trading.people.organisations import Graph, Organisation
from trading.registers import Flaw
from trading.roles import Appointment, Role

# Column → the headings accepted for it; the first is the one written.
COLUMNS: Mapping[str, tuple[str, ...]] = {
    "name": ("单位名称", "名称", "name"),
    "uscc": ("统一社会信用代码", "代码", "uscc"),
    "roles": ("角色", "roles"),
    "government": ("行政机关", "government"),
}
OPTIONAL = frozenset({"government"})
ROLES: Mapping[str, Role] = {
    "招标人": Role.OWNER,
    "招标代理机构": Role.AGENT,
    "招标代理": Role.AGENT,
    "投标人": Role.BIDDER,
    "监督部门": Role.SUPERVISOR,
    "审计机构": Role.AUDITOR,
    "公证机构": Role.NOTARY,
}
YES, NO = frozenset({"是", "yes", "y", "1"}), frozenset({"", "否", "no", "n", "0"})
_LIST = re.compile(r"[;；,，、\s]+")


@dataclass(frozen=True, slots=True)
class Imported:
    """What a file gave: `rows` read, `kept` organisations registered or given more roles, and every flaw."""

    rows: int
    kept: int
    encoding: str
    flaws: Sequence[Flaw]

    def report(self) -> list[dict[str, str | int]]:
        """The flaws for a person (registers.report)."""
        return registers.report(self.flaws, "trading")


async def import_file(
    unit: Unit, data: bytes, name: str, *, only_right: bool, appointments: Sequence[Appointment]
) -> Imported:
    """Register the organisations of a file. Raises Refused `register_*` when the file as a whole cannot be read."""
    graph, imported = judge(await graphs.load(unit), data, name, appointments=appointments)
    if imported.flaws and not only_right:
        return replace(imported, kept=0)
    await graphs.keep(unit, graph)
    return imported


def judge(graph: Graph, data: bytes, name: str, *, appointments: Sequence[Appointment]) -> tuple[Graph, Imported]:
    """The graph with the right lines of a file in it, and what was found in the file."""
    heading, rows, encoding = registers.rows(data, name)
    columns = registers.columns_of(heading, COLUMNS, optional=OPTIONAL)
    table = words.load("trading")
    flaws: list[Flaw] = []
    first_line: dict[str, int] = {}
    count = kept = 0
    for line, cells in rows:
        if not any(cell.strip() for cell in cells):
            continue
        count += 1
        row = {column: cells[at].strip() if at < len(cells) else "" for column, at in columns.items()}
        found = _flaws_of(line, row)
        if any(cell.strip() for cell in cells[1 + max(columns.values()) :]):
            found.append(Flaw(line, "", "row_has_extra_cells"))
        earlier = first_line.setdefault(row["uscc"], line) if row["uscc"] else line
        if earlier != line:
            told: dict[str, Any] = {"uscc": row["uscc"][:40], "first": earlier}
            found.append(Flaw(line, COLUMNS["uscc"][0], "row_organisation_repeated", told))
        another = _another_name(graph, line, row)
        found += [another] if another is not None else []
        if not found:
            try:
                graph = _put(graph, row, appointments)
                kept += 1
            except Refused as refused:
                why = words.tell(refused, table)
                told = {"why_zh": why["zh"], "why_en": why["en"], "rule": refused.rule or ""}
                found.append(Flaw(line, COLUMNS["roles"][0], "row_organisation_refused", told))
        flaws.extend(found)
    return graph, Imported(count, kept, encoding, flaws)


def _put(graph: Graph, row: Mapping[str, str], appointments: Sequence[Appointment]) -> Graph:
    """The graph with one line's organisation. Raises what organisations.check refuses."""
    known = next((one for one in graph.organisations if one.uscc == row["uscc"]), None)
    roles = frozenset(role for role in map(_role, _LIST.split(row["roles"])) if role is not None)
    government = row.get("government", "").casefold() in YES
    one = known or Organisation(row["uscc"], row["name"])
    one = replace(one, roles=one.roles | roles, government=one.government or government)
    return organisations.changed(graph, organisations=[one], appointments=appointments)


def _another_name(graph: Graph, line: int, row: Mapping[str, str]) -> Flaw | None:
    known = next((one for one in graph.organisations if one.uscc == row["uscc"]), None)
    if known is None or known.name == row["name"] or not row["name"]:
        return None
    return Flaw(line, COLUMNS["name"][0], "row_organisation_name_differs", {"uscc": known.uscc, "known": known.name})


def _flaws_of(line: int, row: Mapping[str, str]) -> list[Flaw]:
    flaws = [
        flaw
        for column, text in row.items()
        if (flaw := registers.cell_flaw(line, COLUMNS[column][0], text, may_be_empty=column in OPTIONAL)) is not None
    ]
    if flaws:
        return flaws
    try:
        codes.check_uscc(row["uscc"])
    except Refused:
        flaws.append(Flaw(line, COLUMNS["uscc"][0], "row_uscc_wrong", {"found": row["uscc"][:40]}))
    for text in _LIST.split(row["roles"]):
        if _role(text) is None:
            told = {"found": text[:40], "known": "、".join(ROLES)}
            flaws.append(Flaw(line, COLUMNS["roles"][0], "row_role_unknown", told))
    government = row.get("government", "").casefold()
    if government not in YES | NO:
        flaws.append(Flaw(line, COLUMNS["government"][0], "row_yes_or_no", {"found": government[:40]}))
    return flaws


def _role(text: str) -> Role | None:
    return ROLES.get(text) or next((role for role in ROLES.values() if role.value == text), None)
