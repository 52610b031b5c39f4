"""The scene: how an opening stands, as plain data, from public acts alone (20号令 §29 to §32; E-50, E-58, E-59).

Everybody in the hall sees the same, and nothing that the ledger does not show to everybody: before the freeze there is
no number of bids and no name in it, by construction, because no private act and no bid is ever read here. A scene is a
pure function of the acts and the clock; a restart or a reload loses nothing, and any process draws the same one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Literal

from bidding import ceremony, lots
from bidding.ceremony import Phase
from crypto.ledger import acts as public_acts
from crypto.opening import ceremony as ceremonies
from storage import ledger
from storage.ports import AtLeast
from storage.unit import Unit
from storage.world import stamp
from trading import lifecycle, tenders
from trading.hall import Hall
from trading.lifecycle import State
from trading.tender import Tender

OPENED, FAILED = "opened", "failed"
TOLD = frozenset(
    {
        *(
            "amendment",
            "deadline",
            "hold",
            "resume",
            "incident",
            "directive",
            "terminate",
            "close",
            "freeze",
            "refused",
        ),
        *("ready", "rescue", "release", "verdict", "opened", "failed"),
    }
)
"""Acts that the hall announces when they come."""

Mark = Literal["done", "now", "coming", "skipped"]


@dataclass(frozen=True, slots=True)
class Seat:
    """One trustee's seat at one lock, and what came from it: instants in text form, '' where nothing came."""

    lock: int
    index: int
    trustee: str
    kind: str
    organisation: str
    ready_at: str
    released_at: str
    refusal: str


@dataclass(frozen=True, slots=True)
class Happening:
    """One thing that happened, by its act: `id` is "<seq>", the place in the lot's chain."""

    id: str
    at: str
    kind: str
    act: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Scene:
    """Everything a page of the opening hall shows. `until` is when time alone goes on, None where others must act;
    `n` bids are frozen (None before); `record` has the valid bids in the order of the record, `failed` the verdicts of
    the others; `leaves` gives leaf hash and place in the log of close, freeze, verdict and opened."""

    lot: str
    name: str
    owner: str
    rehearsal: bool
    phase: str
    until: str | None
    deadline: str
    settle_s: int
    challenge_s: int
    max_price_fen: int | None
    steps: tuple[tuple[str, Mark, str], ...]
    n: int | None
    thresholds: tuple[int, ...]
    seats: tuple[Seat, ...]
    happenings: tuple[Happening, ...]
    record: tuple[Mapping[str, Any], ...]
    failed: tuple[Mapping[str, Any], ...]
    record_hash: str
    verdicts_hash: str
    signers: tuple[tuple[str, str], ...]
    leaves: Mapping[str, tuple[str, int | None]] = field(default_factory=dict)

    @property
    def settled(self) -> bool:
        """Whether every act has its place in the log, so that only time or a new act changes the scene."""
        return all(place is not None for _, place in self.leaves.values())


async def draw(unit: Unit, lot: str, *, now: datetime, hall: Hall) -> Scene:
    """The scene of a lot at an instant. Raises Refused("lot_unknown")."""
    tender = (await tenders.load(unit, lot)).tender
    rows = await unit.event.find({"tender_id": tender.tender_id, "seq": AtLeast(0)}, order=("seq",))
    places = await ledger.places(unit, [row["id"] for row in rows])
    view = await lots.view(unit, tender, hall=hall) if places.get(rows[0]["id"]) is not None else None
    acts = [row["body"] for row in rows]
    last = {row["kind"]: row for row in rows}
    record: Sequence[Mapping[str, Any]] = ()
    verdicts: Sequence[Mapping[str, Any]] = ()
    if OPENED in last:
        record = await tenders.object_json(unit, lot, last[OPENED]["body"]["record_hash"])
        verdicts = await tenders.object_json(unit, lot, last["verdict"]["body"]["verdicts_hash"])
    phase, until = _phase(tender, view, now=now)
    return Scene(
        lot=lot,
        name=tender.name,
        owner=acts[0]["owner"]["name"],
        rehearsal=tender.rehearsal,
        phase=phase,
        until=until,
        deadline=stamp(tender.deadline),
        settle_s=tender.settle_s,
        challenge_s=tender.challenge_s,
        max_price_fen=tender.max_price_fen,
        steps=_steps(tender, last, phase, now=now),
        n=last["freeze"]["body"]["n"] if "freeze" in last else None,
        thresholds=tender.thresholds,
        seats=tuple(await _seats(unit, acts, last)),
        happenings=tuple(
            Happening(str(act["seq"]), act["at"], act["kind"], act) for act in acts if act["kind"] in TOLD
        ),
        record=tuple(record),
        failed=tuple(row for row in verdicts if row["consequence"] != "opened"),
        record_hash=last[OPENED]["body"]["record_hash"] if OPENED in last else "",
        verdicts_hash=last["verdict"]["body"]["verdicts_hash"] if OPENED in last else "",
        signers=tuple(
            (one["by"], one["key"]) for one in (last[OPENED]["body"]["signatures"] if OPENED in last else ())
        ),
        leaves={
            kind: (last[kind]["leaf_hash"], places.get(last[kind]["id"]))
            for kind in ("close", "freeze", "verdict", OPENED)
            if kind in last
        },
    )


async def count(unit: Unit, tender_id: str) -> int:
    """How many public acts a tender has: what a watcher asks again and again."""
    return await unit.event.count({"tender_id": tender_id, "seq": AtLeast(0)})


def _phase(tender: Tender, view: ceremonies.Ceremony | None, *, now: datetime) -> tuple[str, str | None]:
    if tender.opened_at is not None:
        return OPENED, None
    if tender.state in lifecycle.TERMINAL:
        return FAILED, None
    if view is None:
        return Phase.BIDDING.value, stamp(tender.deadline)
    coming = ceremony.what_next(view, now=now)
    return coming.phase.value, stamp(coming.at) if coming.at else None


def _steps(tender: Tender, last: Mapping[str, Any], phase: str, *, now: datetime) -> tuple[tuple[str, Mark, str], ...]:
    """The six steps of an opening: (step, where it stands, instant in text form or '')."""
    frozen = last.get("freeze")
    challenged = ""
    if frozen is not None:
        ends = ceremonies.instant(frozen["body"]["at"]) + timedelta(seconds=tender.challenge_s)
        challenged = stamp(ends)
    told = [
        ("deadline", stamp(tender.deadline), now >= tender.deadline),
        ("close", last["close"]["at"] if "close" in last else "", "close" in last),
        ("freeze", frozen["at"] if frozen else "", frozen is not None),
        ("challenge", challenged, bool(challenged) and ("release" in last or now >= ceremonies.instant(challenged))),
        ("release", last["release"]["at"] if "release" in last else "", OPENED in last or "verdict" in last),
        ("opened", last[OPENED]["at"] if OPENED in last else "", OPENED in last),
    ]
    over = tender.state in (State.FAILED, State.TERMINATED)
    marks: list[tuple[str, Mark, str]] = []
    running = False
    for name, at, done in told:
        mark: Mark = "done" if done else "skipped" if over else "coming" if running else "now"
        running = running or not done
        marks.append((name, mark, at))
    return tuple(marks)


async def _seats(unit: Unit, acts: Sequence[Mapping[str, Any]], last: Mapping[str, Any]) -> list[Seat]:
    """Every seat at every lock, from the TENDER act; names from the hall's TRUSTEE acts."""
    rows = await unit.event.find({"tender_id": public_acts.HALL_TENDER_ID, "kind": "trustee", "lot": ""})
    known = {row["body"]["trustee"]: row["body"] for row in rows}
    freeze = last["freeze"]["leaf_hash"] if "freeze" in last else ""
    said: dict[tuple[int, int], dict[str, Any]] = {}
    for act in acts:
        if act["kind"] in ("ready", "release") and act["freeze"] == freeze:
            said.setdefault((act["lock"], act["index"]), {})[act["kind"]] = act
    seats = []
    for number, trustees in enumerate(acts[0]["seats"]):
        for index, trustee in enumerate(trustees, start=1):
            who, here = known.get(trustee, {}), said.get((number, index), {})
            ready, released = here.get("ready"), here.get("release")
            refusal = ready["refusal"] or "" if ready else ""
            seats.append(
                Seat(
                    number,
                    index,
                    trustee,
                    who.get("seat", ""),
                    who.get("organisation", {}).get("name", ""),
                    ready["at"] if ready and not refusal else "",
                    released["at"] if released else "",
                    refusal,
                )
            )
    return seats
