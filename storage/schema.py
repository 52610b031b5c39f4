"""The tables of a hall, as data: what each row is found by, what is indexed, what may change.

One list feeds everything: the checks on every row, the in-memory twin, the statements, the Piccolo Table classes, and
the test that compares the migrations with it. Two shapes exist. A **document** is the present state of something: it
carries `version`, and a change must name the version it was based on (optimistic concurrency, so no bid waits for a
row that other bids change). A **fact** is something that happened: it is inserted once and neither changed nor deleted
(20号令 §49: the whole course is recorded and kept); triggers and grants say the same in the database.
"""

from __future__ import annotations

import functools
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from piccolo.columns import BigInt, Bytea, Column, Text
from piccolo.engine.base import Engine
from piccolo.table import Table, create_table_class

CellType = Literal["text", "integer", "bytes"]
EVENT_PERSONAL = ("body", "confidential", "salt_p", "salt_c")
"""What the eraser may empty in an event when its retention ends; the leaf hash and with it the ledger stay."""


@dataclass(frozen=True)
class Spec:
    """One table. `columns` excludes `body` and `version`, which follow from the shape.

    `uniques` hold in every row; `chains` are (columns, column, least value): unique only among rows where that column
    is at least that value. `erasable` rows may be deleted whole: they are conveniences, not records.
    """

    name: str
    key: tuple[str, ...]
    columns: Mapping[str, CellType]
    mutable: bool
    body: bool = True
    uniques: tuple[tuple[str, ...], ...] = ()
    chains: tuple[tuple[tuple[str, ...], str, int], ...] = ()
    indexes: tuple[tuple[str, ...], ...] = ()
    erasable: bool = False

    @functools.cached_property
    def cells(self) -> dict[str, CellType]:
        """Every column in the order in which the database has it."""
        cells = dict(self.columns)
        if self.body:
            cells["body"] = "text"
        if self.mutable:
            cells["version"] = "integer"
        return cells


def _document(
    name: str,
    key: str,
    columns: str = "",
    *,
    uniques: tuple[str, ...] = (),
    indexes: tuple[str, ...] = (),
    erasable: bool = False,
) -> Spec:
    return Spec(
        name,
        tuple(_cells(key)),
        _cells(f"{key} {columns}"),
        mutable=True,
        uniques=tuple(tuple(one.split()) for one in uniques),
        indexes=tuple(tuple(one.split()) for one in indexes),
        erasable=erasable,
    )


def _fact(
    name: str,
    key: str,
    columns: str = "",
    *,
    body: bool = True,
    uniques: tuple[str, ...] = (),
    chains: tuple[tuple[tuple[str, ...], str, int], ...] = (),
    indexes: tuple[str, ...] = (),
    erasable: bool = False,
) -> Spec:
    return Spec(
        name,
        tuple(_cells(key)),
        _cells(f"{key} {columns}"),
        mutable=False,
        body=body,
        uniques=tuple(tuple(one.split()) for one in uniques),
        chains=chains,
        indexes=tuple(tuple(one.split()) for one in indexes),
        erasable=erasable,
    )


def _cells(words: str) -> dict[str, CellType]:
    """`lot deadline seq# leaf*` → text unless marked: # integer, * bytes."""
    kinds: dict[str, CellType] = {"#": "integer", "*": "bytes"}
    return {word.rstrip("#*"): kinds.get(word[-1], "text") for word in words.split()}


_LIST = (
    # The life of a tender. `due` is when the clock alone will next act on it, '' when never.
    _document(
        "tender",
        "lot",
        "state deadline due region market tender_id owner",
        indexes=("state deadline", "state lot", "due", "tender_id", "owner"),
    ),
    # `state` is draft, handed_in, entry_pending, registered or lot; `agent` is '' where an owner acts alone.
    _document("project", "code", "owner agent state", indexes=("owner", "agent", "state")),
    # What the public list is found by: when a notice came out, and every two neighbouring characters of its words.
    _fact(
        "notice",
        "lot",
        "published market region",
        body=False,
        indexes=("published", "market published", "region published"),
    ),
    _fact("notice_word", "word lot", body=False),
    _document("panel", "lot", "state"),
    _document("sheet", "lot seat", "person state"),
    _document("objection", "id", "lot organisation state", indexes=("lot",)),
    _document("question", "id", "lot organisation state", indexes=("lot",)),
    # People, and what they may do.
    _document("organisation", "id", "uscc", uniques=("uscc",)),
    _document("person", "id", "login organisation", uniques=("login",), indexes=("organisation",)),
    _document("role_grant", "id", "person organisation role", indexes=("person", "organisation")),
    _document("account", "login", "person", indexes=("person",)),
    _document("token", "hash", "person organisation expires", indexes=("person",), erasable=True),
    _document("trustee", "id", "organisation state", indexes=("organisation",)),
    _document("prekey", "key", "trustee tender_id", indexes=("trustee tender_id", "tender_id")),
    _document("expert", "id", "person specialty region state", indexes=("specialty state", "person")),
    # Conveniences of the doors.
    _document(
        "upload",
        "id",
        "organisation lot created state bytes#",
        indexes=("organisation state", "state created", "lot"),
        erasable=True,
    ),
    _fact("segment", "upload number#", "hash organisation bytes#", indexes=("hash",), body=False, erasable=True),
    _document(
        "inbox", "id", "person organisation lot created state", indexes=("person created", "organisation created")
    ),
    _document("setting", "name"),
    _document("idempotency", "key", "actor created", indexes=("created",), erasable=True),
    # Acts that wait for a person's signature, by the hash that is signed.
    _document("draft", "id", "created", indexes=("created",), erasable=True),
    # A verb that a door's role may not carry out and hands to the operation's clockwork, under the session that asked.
    _document("errand", "id", "token state at", indexes=("state at",), erasable=True),
    _document(
        "job",
        "id",
        "kind key state due lease_until attempts#",
        uniques=("key",),
        indexes=("state due", "state lease_until"),
    ),
    # What happened: events, and the ledger they are anchored in. seq is -1 for private acts.
    _fact(
        "event",
        "id",
        "lot tender_id kind public# seq# actor prev at leaf_hash confidential salt_p salt_c",
        chains=((("tender_id", "seq"), "seq", 0),),
        indexes=("lot at", "tender_id seq", "tender_id actor", "lot kind", "leaf_hash"),
    ),
    _fact("pending", "id", "at chain rank# leaf*", body=False, indexes=("at",)),
    _fact("ledger", "idx#", "pending leaf_hash leaf*", body=False, uniques=("pending",), indexes=("leaf_hash",)),
    _fact("tile", "level# n#", "hash", body=False),
    _fact("checkpoint", "size#", "previous# root at note", body=False, uniques=("previous",)),
    _fact("cosignature", "size# witness", "at line", body=False),
    # What acts name by hash: `view` says for which bundle. A file's object lists the segments that hold its bytes.
    _fact("object", "lot hash", "kind view data*", body=False),
    # Bids, and what trustees and the opening room said of them.
    _fact(
        "submission",
        "id",
        "lot organisation bid_version# received_at digest",
        uniques=("lot organisation bid_version",),
        indexes=("lot received_at", "digest"),
    ),
    _fact("withdrawal", "id", "lot organisation bid_version# at", indexes=("lot organisation",)),
    _fact("download", "id", "lot organisation at", indexes=("lot organisation",)),
    _fact("ready", "id", "lot trustee at", uniques=("lot trustee",)),
    _fact("release", "id", "lot trustee at", indexes=("lot trustee",)),
    _fact("verdict", "id", "lot bid signer at", uniques=("lot bid signer",)),
    _fact("reading_grant", "id", "lot reader at", indexes=("lot", "reader")),
    _fact("directive", "id", "lot at", indexes=("lot",)),
    _fact("finding", "id", "lot kind at", indexes=("lot",)),
)

TABLES: Mapping[str, Spec] = {spec.name: spec for spec in _LIST}
"""Every table by name."""


def piccolo_tables(engine: Engine[Any]) -> dict[str, type[Table]]:
    """The same tables as Piccolo classes bound to `engine`, by table name.

    Piccolo knows one primary-key column only; where the key has several, the first stands for it here and the
    migration holds the whole.
    """
    made: dict[str, type[Table]] = {}
    for spec in TABLES.values():
        members: dict[str, Column] = {}
        for name, cell in spec.cells.items():
            first = name == spec.key[0]
            match cell:
                case "text":
                    members[name] = Text(primary_key=first)
                case "integer":
                    members[name] = BigInt(primary_key=first)
                case "bytes":
                    members[name] = Bytea(primary_key=first)
        made[spec.name] = create_table_class(
            class_name="".join(part.capitalize() for part in spec.name.split("_")) + "Table",
            class_kwargs={"tablename": spec.name, "db": engine},
            class_members=dict(members),
        )
    return made


_ENCODER = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), allow_nan=False)


def to_json(body: Mapping[str, Any]) -> str:
    """A JSON object as a cell holds it."""
    return _ENCODER.encode(body)


def to_cells(spec: Spec, row: Mapping[str, Any]) -> dict[str, Any]:
    """A row as an engine takes it: every column of the table and no other, each of its type, the body as JSON text."""
    cells = spec.cells
    assert row.keys() == cells.keys(), (
        f"{spec.name}: missing {sorted(cells.keys() - row.keys())}, unknown {sorted(row.keys() - cells)}"
    )
    checked: dict[str, Any] = {}
    for name, cell in cells.items():
        value = row[name]
        if name == "body":
            assert isinstance(value, Mapping), "a body is a JSON object"
            value = to_json(value)
        checked[name] = value
        match cell:
            case "text":
                assert type(value) is str and "\0" not in value, f"{spec.name}.{name} is text"
            case "integer":
                assert type(value) is int and -(2**63) <= value < 2**63, f"{spec.name}.{name} is an integer"
            case "bytes":
                assert type(value) is bytes, f"{spec.name}.{name} is bytes"
    return checked


def from_cells(spec: Spec, row: dict[str, Any]) -> dict[str, Any]:
    """The same row as the rooms read it: with the body as a JSON object, empty where it was erased."""
    if spec.body:
        row["body"] = json.loads(row["body"]) if row["body"] else {}
    return row
