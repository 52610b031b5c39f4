"""Organisations from a file: every defect at once, nothing half-imported, no forbidden pair by the back door."""

from __future__ import annotations

import asyncio

import pytest

from crypto.refusal import Refused
from storage import memory
from trading.people import directory, graphs, organisations
from trading.people.organisations import Edge, Graph, Organisation
from trading.roles import Role

OWNER, AGENT, BIDDER = "11139900MB1AUDXTJ8", "12139900MB1NTARY1F", "12139900MB1LAWXCH6"
CENTRE = "12139900259796191P"
HEADING = "单位名称,统一社会信用代码,角色,行政机关"
GRAPH = Graph((Organisation(CENTRE, "中心", roles=frozenset({Role.CENTRE})),))


def file(*lines: str) -> bytes:
    return "\r\n".join((HEADING, *lines)).encode()


def judged(*lines: str, graph: Graph = GRAPH) -> tuple[Graph, directory.Imported]:
    return directory.judge(graph, file(*lines), "单位.csv", appointments=[])


def test_right_lines_become_organisations_with_their_roles() -> None:
    graph, told = judged(
        f"青岚市审计局,{OWNER},监督部门;审计机构,是", f"代理,{AGENT},招标代理机构,", "", f"乙,{BIDDER},owner,否"
    )
    assert (told.rows, told.kept, list(told.flaws)) == (3, 3, [])
    assert graph.find(OWNER) == Organisation(
        OWNER, "青岚市审计局", government=True, roles=frozenset({Role.SUPERVISOR, Role.AUDITOR})
    )


def test_every_defect_is_told_with_its_line() -> None:
    _, told = judged(
        f"甲,{OWNER[:-1]}0,招标人,是",
        ",111399007970301774,国王,也许",
        f"乙,{AGENT},国王;投标人,也许",
        f"丙,{BIDDER},投标人,否",
        f"丁,{BIDDER},投标人,否,多余",
        f"=cmd,{OWNER},招标人,否",
        f"中心二,{CENTRE},投标人,否",
    )
    assert [(flaw.line, flaw.code) for flaw in told.flaws] == [
        (2, "row_uscc_wrong"),
        (3, "row_cell_empty"),
        (4, "row_role_unknown"),
        (4, "row_yes_or_no"),
        (6, "row_has_extra_cells"),
        (6, "row_organisation_repeated"),
        (6, "row_organisation_name_differs"),
        (7, "row_cell_formula"),
        (8, "row_organisation_name_differs"),
    ]
    assert (told.rows, told.kept) == (7, 1)
    for line in told.report():
        assert "{" not in str(line["zh"]) and str(line["line"]) in str(line["zh"])


@pytest.mark.rule("E-32", "refuse")
def test_a_bidder_that_the_operator_controls_does_not_come_in_by_a_file() -> None:
    with_child = organisations.changed(
        GRAPH,
        organisations=[Organisation(BIDDER, "子公司")],
        edges=[Edge(CENTRE, BIDDER, "control")],
    )
    with pytest.raises(Refused) as err:
        organisations.changed(
            with_child, organisations=[Organisation(BIDDER, "子公司", roles=frozenset({Role.BIDDER}))]
        )
    assert err.value.rule == "E-32"
    graph, told = judged(f"子公司,{BIDDER},投标人,否", graph=with_child)
    assert [flaw.code for flaw in told.flaws] == ["row_organisation_refused"]
    assert told.flaws[0].facts["rule"] == "E-32" and Role.BIDDER not in graph.find(BIDDER).roles


def test_one_wrong_line_keeps_the_whole_file_out_unless_it_is_said() -> None:
    data = file(f"乙,{BIDDER},投标人,否", f"甲,{OWNER[:-1]}0,招标人,是")

    async def scenario() -> None:
        database = memory.open_memory()

        async def known() -> set[str]:
            graph = await database.read(graphs.load)
            return {one.uscc for one in graph.organisations}

        async def take(only_right: bool) -> directory.Imported:
            return await database.write(
                lambda unit: directory.import_file(unit, data, "a.csv", only_right=only_right, appointments=[])
            )

        told = await take(False)
        assert (told.kept, len(told.flaws), await known()) == (0, 1, set())
        told = await take(True)
        assert (told.kept, len(told.flaws), await known()) == (1, 1, {BIDDER})
        assert (await take(True)).kept == 1, "the same file again changes nothing"
        await database.close()

    asyncio.run(scenario())


@pytest.mark.parametrize(
    ("data", "name", "code"),
    [
        (b"", "a.csv", "register_empty"),
        ("单位名称,角色".encode(), "a.csv", "register_heading_missing"),
        (f"{HEADING},密码".encode(), "a.csv", "register_heading_unknown"),
        (b"PK\x03\x04broken", "a.xlsx", "register_excel_broken"),
        (b"\xd0\xcf\x11\xe0", "a.xls", "register_old_or_encrypted_excel"),
        (HEADING.encode("utf-16"), "a.csv", "register_encoding_utf16"),
    ],
)
def test_a_file_that_cannot_be_read_is_refused_whole(data: bytes, name: str, code: str) -> None:
    with pytest.raises(Refused) as err:
        directory.judge(GRAPH, data, name, appointments=[])
    assert err.value.code == code
