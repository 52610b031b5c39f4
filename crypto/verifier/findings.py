"""What a check says: passed, failed or not shown, with one sentence in two languages, the act and the culprit.

docs/spec/bundle.md §6, §8. A check raises Failed at the first thing that is wrong; what it proved on the way, and what
its view could not show, are remarks. Nothing here prints.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal, NoReturn, TypeVar

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
        super().__init__(finding.en)
        self.finding = finding


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
    """What a check wants said although it passes, for instance a trustee whose share was wrong."""

    zh: list[str] = field(default_factory=list)
    en: list[str] = field(default_factory=list)

    def add(self, zh: str, en: str) -> None:
        """One more sentence in both languages; the same one is said once."""
        if en not in self.en:
            self.zh.append(zh)
            self.en.append(en)


def fail(zh: str, en: str, *, event: str | None = None, culprit: str | None = None) -> NoReturn:
    """Raise Failed with this sentence."""
    raise Failed(Finding(zh, en, event, culprit))


def need(condition: object, zh: str, en: str, *, event: str | None = None, culprit: str | None = None) -> None:
    """Raise Failed unless the condition holds."""
    if not condition:
        raise Failed(Finding(zh, en, event, culprit))


def judge(work: Callable[[], T], zh: str, en: str, *, event: str | None = None, culprit: str | None = None) -> T:
    """Run `work`; a Refused becomes Failed with its own sentence behind the one given."""
    try:
        return work()
    except Refused as refused:
        told = tell(refused)
        raise Failed(Finding(f"{zh}:{told['zh']}", f"{en}: {told['en']}", event, culprit)) from refused


def tell(refused: Refused) -> dict[str, str]:
    """The words of a refusal of crypto/, with the code when it has none."""
    global _table
    if _table is None:
        _table = words.load("crypto")
    return words.tell(refused, _table)


_table: dict[str, words.Sentence] | None = None
