"""The organisation graph as rows: every organisation carries its roles and the edges that lead down from it."""

from __future__ import annotations

from typing import Any

from storage.unit import Unit
from trading.people.organisations import Edge, Graph, Organisation
from trading.roles import Role


async def load(unit: Unit) -> Graph:
    """The whole graph. A hall has thousands of organisations, not millions; commands of bidders never read it."""
    rows = await unit.organisation.find()
    organisations = tuple(_organisation(row["body"]) for row in rows)
    edges = frozenset(
        Edge(row["uscc"], edge["child"], edge["kind"]) for row in rows for edge in row["body"].get("edges", [])
    )
    return Graph(organisations, edges)


async def keep(unit: Unit, graph: Graph) -> None:
    """Write what changed: rows whose organisation or edges differ, and new ones."""
    known = {row["uscc"]: row for row in await unit.organisation.find()}
    for one in graph.organisations:
        edges = sorted((edge.child, edge.kind) for edge in graph.edges if edge.parent == one.uscc)
        told = {
            "uscc": one.uscc,
            "name": one.name,
            "responsible": one.responsible,
            "government": one.government,
            "roles": sorted(role.value for role in one.roles),
            "edges": [{"child": child, "kind": kind} for child, kind in edges],
        }
        row = known.get(one.uscc)
        if row is None:
            await unit.organisation.insert({"id": one.uscc, "uscc": one.uscc, "body": told})
        elif {**row["body"], **told} != row["body"]:
            await unit.organisation.update({**row, "body": {**row["body"], **told}}, expected_version=row["version"])


def _organisation(body: dict[str, Any]) -> Organisation:
    return Organisation(
        uscc=body["uscc"],
        name=body["name"],
        responsible=body.get("responsible"),
        government=bool(body.get("government")),
        roles=frozenset(Role(role) for role in body.get("roles", [])),
    )
