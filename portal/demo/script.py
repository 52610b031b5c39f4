"""A script: who does what and when in a rehearsal (docs/spec/example.md §2), read strictly."""

from __future__ import annotations

import itertools
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from crypto.refusal import Refused
from trading.counter import strict

FIELDS: dict[str, frozenset[str]] = {
    "publish_tender": frozenset(),
    "download": frozenset(),
    "ask": frozenset({"text"}),
    "amend": frozenset({"text", "affects_bids", "deadline", "documents"}),
    "submit": frozenset({"folder", "grow", "garbage"}),
    "withdraw": frozenset(),
    "be_absent": frozenset(),
    "lie": frozenset({"how"}),
    "request_draw": frozenset(),
    "contribute_to_draw": frozenset(),
    "run_draw": frozenset(),
    "answer_invitation": frozenset({"accept", "text"}),
    "sign_in": frozenset(),
    "recuse": frozenset({"text"}),
    "lock_sheet": frozenset(),
    "sign_report": frozenset({"dissent"}),
    "review_report": frozenset(),
    "publicise": frozenset(),
    "object": frozenset({"text"}),
    "answer": frozenset({"text"}),
    "award": frozenset(),
    "report_to_regulator": frozenset(),
    "file_contract": frozenset(),
}
COMMON = frozenset({"at", "who", "does", "refused", "note"})


@dataclass(frozen=True, slots=True)
class Step:
    """One line of the script. `at` is aware UTC, `refused` the rule by which the hall must refuse it, or None."""

    at: datetime
    who: str
    does: str
    refused: str | None
    note: dict[str, str] | None
    fields: dict[str, Any] = field(default_factory=dict)

    @property
    def part(self) -> str:
        """The kind of actor: `bidder` of `bidder:03`."""
        return self.who.partition(":")[0]

    @property
    def number(self) -> str:
        """What stands behind the colon, '' when there is none."""
        return self.who.partition(":")[2]


def load(folder: Path) -> list[Step]:
    """The steps of a folder, ascending. Raises Refused: script_unreadable, script_field (step, field), script_order."""
    try:
        text = (folder / "script.json").read_bytes()
        rows = strict.parse(b'{"steps":' + text + b"}")["steps"]
    except (OSError, Refused) as error:
        raise Refused("script_unreadable", folder=folder.name, why=str(error)) from error
    if not isinstance(rows, list):
        raise Refused("script_unreadable", folder=folder.name, why="a list is expected")
    steps = [_step(number, row) for number, row in enumerate(rows, start=1)]
    for number, (one, other) in enumerate(itertools.pairwise(steps), start=2):
        if other.at < one.at:
            raise Refused("script_order", step=number)
    return steps


def without(step: Step, name: str) -> Step:
    """The step without one of its own fields."""
    return replace(step, fields={own: value for own, value in step.fields.items() if own != name})


def instant(text: str) -> datetime:
    """An instant with its offset, as aware UTC."""
    read = datetime.fromisoformat(text)
    if read.tzinfo is None:
        raise ValueError(text)
    return read.astimezone(UTC)


def _step(number: int, row: Any) -> Step:
    if not isinstance(row, dict) or row.get("does") not in FIELDS:
        raise Refused("script_field", step=number, field="does")
    unknown = set(row) - COMMON - FIELDS[row["does"]]
    missing = {"at", "who", "does"} - set(row)
    if unknown or missing:
        raise Refused("script_field", step=number, field=sorted(unknown | missing)[0])
    try:
        at = instant(row["at"])
    except (ValueError, TypeError) as error:
        raise Refused("script_field", step=number, field="at") from error
    own = {name: value for name, value in row.items() if name not in COMMON}
    return Step(at, str(row["who"]), row["does"], row.get("refused"), row.get("note"), own)
