"""What a check says: passed, failed or not shown, with one sentence in two languages, the act and the culprit.

docs/spec/bundle.md §6, §8. A check raises Failed at the first thing that is wrong; what it proved on the way, and what
its view could not show, are remarks. Sentences stand in findings.toml. Nothing here prints.
"""

from __future__ import annotations

import tomllib
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache
from importlib import resources
from typing import Any, Literal, NoReturn, TypeVar

from crypto import words
from crypto.refusal import Refused

T = TypeVar("T")
Outcome = Literal["passed", "failed", "not_shown"]

PLATFORM = "platform"
OWNER = "owner"
CLOCKWORK = "clockwork"
ROOM = "room"
VERIFIER = "verifier"
SUPERVISOR = "supervisor"

NAMES: tuple[tuple[str, str], ...] = (
    ("文件与哈希", "files and hashes"),
    ("信任锚", "trust anchors"),
    ("账本", "ledger"),
    ("次序与时限", "order and time limits"),
    ("人员、角色与权力编码", "persons, roles, power codes"),
    ("投标", "bids"),
    ("开标", "opening"),
    ("专家抽取", "draw"),
    ("评分", "scores"),
    ("公示至合同", "publicity to contract"),
)


@dataclass(frozen=True, slots=True)
class Finding:
    """One sentence in Chinese and English; `event` is a leaf hash (hex) or a path, `culprit` as in bundle.md §8."""

    zh: str
    en: str
    event: str | None = None
    culprit: str | None = None


class Failed(Exception):
    """The first thing found wrong by a check."""

    def __init__(self, finding: Finding) -> None:
        super().__init__(finding)
        self.finding = finding

    def __str__(self) -> str:
        return self.finding.en


@dataclass(frozen=True, slots=True)
class Result:
    """The outcome of one numbered check; `detail` is the failure, or the remarks joined."""

    id: int
    outcome: Outcome
    detail: Finding

    def to_json(self) -> dict[str, object]:
        """{"id","name","result","detail":{"zh","en"},"event","culprit"}."""
        return {
            "id": self.id,
            "name": NAMES[self.id][1],
            "result": self.outcome,
            "detail": {"zh": self.detail.zh, "en": self.detail.en},
            "event": self.detail.event,
            "culprit": self.detail.culprit,
        }


@dataclass(slots=True)
class Remarks:
    """What a check wants said although it passes, for instance a trustee whose share was wrong: code and facts."""

    said: dict[tuple[str, tuple[tuple[str, str], ...]], None] = field(default_factory=dict)

    def add(self, code: str, **facts: Any) -> None:
        """One more sentence; the same one is said once."""
        self.said[code, tuple((name, str(value)) for name, value in facts.items())] = None

    def include(self, other: Remarks) -> None:
        """What another part of the same check wants said, after what was said."""
        self.said.update(other.said)

    def joined(self) -> Finding:
        """All of them as one."""
        told: list[tuple[str, dict[str, Any]]] = [(code, dict(facts)) for code, facts in self.said]
        sentences = [finding(code, **facts) for code, facts in told]
        return Finding(";".join(each.zh for each in sentences), "; ".join(each.en for each in sentences))


def finding(
    code: str, *, event: str | None = None, culprit: str | None = None, cause: Refused | None = None, **facts: Any
) -> Finding:
    """The sentences of findings.toml for a code; a refusal that was the `cause` tells its own behind them."""
    sentence = _sentences()[code]
    shown = {name: str(value) for name, value in facts.items()}
    zh, en = sentence["zh"].format_map(shown), sentence["en"].format_map(shown)
    if cause is not None:
        told = tell(cause)
        zh, en = f"{zh}:{told['zh']}", f"{en}: {told['en']}"
    return Finding(zh, en, event, culprit)


def fail(
    code: str, *, event: str | None = None, culprit: str | None = None, cause: Refused | None = None, **facts: Any
) -> NoReturn:
    """Raise Failed with the sentence of this code."""
    raise Failed(finding(code, event=event, culprit=culprit, cause=cause, **facts))


def need(condition: object, code: str, *, event: str | None = None, culprit: str | None = None, **facts: Any) -> None:
    """Raise Failed unless the condition holds."""
    if not condition:
        fail(code, event=event, culprit=culprit, **facts)


def judge(work: Callable[[], T], code: str, *, event: str | None = None, culprit: str | None = None, **facts: Any) -> T:
    """Run `work`; a Refused becomes Failed with its own sentence behind that of the code."""
    try:
        return work()
    except Refused as refused:
        fail(code, event=event, culprit=culprit, cause=refused, **facts)


def tell(refused: Refused) -> dict[str, str]:
    """The words of a refusal of crypto/."""
    return words.tell(refused, _refusals())


@cache
def _refusals() -> dict[str, words.Sentence]:
    return words.load("crypto")


@cache
def _sentences() -> dict[str, dict[str, str]]:
    file = resources.files("crypto.verifier") / "findings.toml"
    return tomllib.loads(file.read_text("utf-8"))
