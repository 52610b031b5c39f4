"""Checking a bid before it is sealed: bid.json and its files against the requirements that the tender states as data.

docs/spec/tender.md, manifest.md; contract: Files, bid.json. The rules upheld here, on the bidder's own machine:
- the opening list is whole, the price is positive and not over the max price, the period within the tender's;
- every mandatory file is there, under its exact name, in the envelope that the tender wants: a confidential file in the
  record envelope would be published at the opening;
- file names read the same everywhere (no path, no GBK leftovers, no reserved name).

All findings are told at once. Whether the content convinces is for the panel.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from bidding.client import files
from crypto import amount
from crypto.refusal import Refused
from crypto.sealing import header, manifest
from crypto.sealing.manifest import Bidder, OpeningList

State = Literal["ok", "missing", "wrong_envelope", "optional"]
FIELDS = frozenset({"name", "uscc", "price_fen", "period_days", "quality", "leader", "files"})
OPENING_FIELDS = ("price_fen", "period_days", "quality", "leader")
RECORD, DOCUMENTS = header.RECORD, 1
FOLDER = "files"


@dataclass(frozen=True, slots=True)
class Planned:
    """One file of the bid: its name, where it lies, its size in bytes, the envelope it goes into."""

    name: str
    path: Path
    size: int
    envelope: int


@dataclass(frozen=True, slots=True)
class Item:
    """One requirement of the tender and how the bid meets it."""

    code: str
    name: str
    envelope: int
    file: str
    mandatory: bool
    state: State


@dataclass(frozen=True, slots=True)
class Prepared:
    """A bid folder as it was checked. `problems` forbid sealing; `warnings` are for the bidder to judge. `opening` is
    None while the opening list is not whole."""

    folder: Path
    opening: OpeningList | None
    planned: Sequence[Planned]
    items: Sequence[Item]
    problems: Sequence[Refused]
    warnings: Sequence[Refused]


def template(document: Mapping[str, Any], bidder: Bidder) -> dict[str, Any]:
    """A bid.json to fill in: the bidder's own name, nothing priced, the files that the tender asks for."""
    wanted = {(str(row["file"]), DOCUMENTS): None for row in document["requirements"] if row["envelope"] == DOCUMENTS}
    return {
        "name": bidder.name,
        "uscc": bidder.uscc,
        "price_fen": None,
        "period_days": None,
        "quality": "",
        "leader": {"name": "", "certificate": ""},
        "files": [{"path": path, "envelope": envelope} for path, envelope in wanted],
    }


def check(folder: Path, document: Mapping[str, Any], bidder: Bidder) -> Prepared:
    """Everything that is wrong with a bid folder, at once. Raises Unreadable for a bid.json that is no JSON."""
    bid = files.read_json(folder / "bid.json")
    problems: list[Refused] = []
    warnings: list[Refused] = []
    for name in sorted(set(bid) - FIELDS):
        problems.append(Refused("bid_field_unknown", field=name[:80]))
    for name in sorted(FIELDS - set(bid)):
        problems.append(Refused("bid_field_missing", field=name))
    for name, right in (("name", bidder.name), ("uscc", bidder.uscc)):
        if name in bid and bid[name] != right:
            problems.append(Refused("bid_names_another_bidder", field=name, given=str(bid[name])[:200], expected=right))
    opening = _opening(bid, document, problems, warnings)
    planned = _planned(folder, bid.get("files"), document, problems, warnings)
    items = [_item(row, bid, planned) for row in document["requirements"]]
    for item in items:
        if item.state == "missing" and item.mandatory:
            problems.append(Refused("required_item_missing", item=item.name, number=item.code, file=item.file))
        elif item.state == "wrong_envelope":
            # Wherever it lies wrongly it is refused, mandatory or not: the record envelope becomes public.
            problems.append(
                Refused("required_file_in_wrong_envelope", item=item.name, file=item.file, envelope=item.envelope)
            )
    _check_sizes(planned, document, problems)
    return Prepared(folder, opening, planned, items, problems, warnings)


def in_envelope(prepared: Prepared, envelope: int) -> list[Planned]:
    """The files of one envelope, in the order of bid.json."""
    return [each for each in prepared.planned if each.envelope == envelope]


def _opening(
    bid: Mapping[str, Any], document: Mapping[str, Any], problems: list[Refused], warnings: list[Refused]
) -> OpeningList | None:
    before = len(problems)
    price, period = bid.get("price_fen"), bid.get("period_days")
    if "price_fen" in bid:
        max_price = document["price"]["max_price_fen"]
        if not isinstance(price, int) or isinstance(price, bool) or not 1 <= price <= amount.FEN_MAX:
            problems.append(Refused("bid_price_wrong", given=str(price)[:40]))
        elif max_price is not None and price > max_price:
            problems.append(
                Refused("bid_price_over_max_price", price=amount.words(price), max_price=amount.words(max_price))
            )
    if "period_days" in bid:
        period_max = document["lot"]["period_days_max"]
        if not isinstance(period, int) or isinstance(period, bool) or not 1 <= period <= manifest.PERIOD_DAYS_MAX:
            problems.append(Refused("bid_period_wrong", given=str(period)[:40]))
        elif period > period_max:
            problems.append(Refused("bid_period_too_long", period_days=period, period_days_max=period_max))
    texts = {"quality": bid.get("quality")} if "quality" in bid else {}
    if "leader" in bid:
        leader = bid["leader"]
        if not isinstance(leader, dict) or set(leader) != {"name", "certificate"}:
            problems.append(Refused("bid_leader_wrong"))
        else:
            texts |= {f"leader.{name}": leader[name] for name in ("name", "certificate")}
    for field, text in texts.items():
        if not _is_text(text, 500 if field == "quality" else 200):
            problems.append(Refused("bid_text_wrong", field=field))
    if len(problems) > before or any(name not in bid for name in OPENING_FIELDS):
        return None
    if bid["quality"] != document["lot"]["quality"]:
        warnings.append(Refused("bid_quality_differs", given=bid["quality"], wanted=document["lot"]["quality"]))
    return OpeningList(
        bid["price_fen"], bid["period_days"], bid["quality"], bid["leader"]["name"], bid["leader"]["certificate"]
    )


def _planned(
    folder: Path,
    listed: Any,
    document: Mapping[str, Any],
    problems: list[Refused],
    warnings: list[Refused],
) -> list[Planned]:
    if listed is None:
        return []
    if not isinstance(listed, list) or len(listed) > manifest.FILES_MAX:
        problems.append(Refused("bid_files_wrong", files_max=manifest.FILES_MAX))
        return []
    envelopes = document["sealing"]["envelopes"]
    planned: list[Planned] = []
    for number, row in enumerate(listed):
        try:
            planned.append(_file(folder, row, number, envelopes))
        except Refused as refused:
            problems.append(refused)
    folded = [each.name.casefold() for each in planned]
    for name in sorted({name for name in folded if folded.count(name) > 1}):
        problems.append(Refused("bid_file_twice", file=name))
    named = {str(row.get("path")) for row in listed if isinstance(row, dict)}
    for stray in _strays(folder / FOLDER, named):
        warnings.append(Refused("file_not_in_the_bid", file=stray))
    return planned


def _file(folder: Path, row: Any, number: int, envelopes: Sequence[int]) -> Planned:
    if not isinstance(row, dict) or set(row) != {"path", "envelope"} or not isinstance(row["path"], str):
        raise Refused("bid_file_entry_wrong", number=number + 1)
    if not _is_integer(row["envelope"]) or row["envelope"] not in envelopes:
        raise Refused("bid_file_envelope_wrong", file=row["path"][:200], envelopes=list(envelopes))
    name = manifest.check_file_name(row["path"])
    path = folder / FOLDER / name
    try:
        found = os.stat(path, follow_symlinks=False)
    except (OSError, ValueError) as error:
        raise Refused("bid_file_missing", file=name, folder=folder / FOLDER) from error
    if not stat.S_ISREG(found.st_mode):
        raise Refused("bid_file_not_regular", file=name)
    if found.st_size == 0:
        raise Refused("bid_file_empty", file=name)
    return Planned(name, path, found.st_size, row["envelope"])


def _strays(folder: Path, named: set[str]) -> Iterator[str]:
    if folder.is_dir():
        yield from sorted(each.name for each in folder.iterdir() if each.name not in named and each.name[:1] != ".")


def _item(row: Mapping[str, Any], bid: Mapping[str, Any], planned: Sequence[Planned]) -> Item:
    name, envelope = str(row["file"]), int(row["envelope"])
    where = {each.envelope for each in planned if each.name == name}
    state: State
    if envelope == RECORD:
        state = "ok" if bid.get(name) not in (None, "", {}) else "missing"
    elif envelope in where:
        state = "ok"
    else:
        state = "wrong_envelope" if where else "missing"
    if state == "missing" and not row["mandatory"]:
        state = "optional"
    return Item(str(row["code"]), str(row["name"]), envelope, name, bool(row["mandatory"]), state)


def _check_sizes(planned: Sequence[Planned], document: Mapping[str, Any], problems: list[Refused]) -> None:
    limit = document["sealing"]["plaintext_max"]
    for envelope in document["sealing"]["envelopes"]:
        # The manifest comes on top; sealing judges the exact length.
        size = sum(each.size for each in planned if each.envelope == envelope)
        if size > limit:
            problems.append(Refused("bid_envelope_too_large", envelope=envelope, bytes=size, bytes_max=limit))


def _is_integer(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _is_text(value: Any, length_max: int) -> bool:
    """As the manifest will demand it: visible, nothing blank at its ends."""
    right = isinstance(value, str) and 0 < len(value) <= length_max and value == value.strip()
    return right and value.isprintable()
