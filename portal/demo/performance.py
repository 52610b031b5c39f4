"""One whole performance: the script's steps, and between them all that clocks, witnesses and trustees do.

The hall's clock moves to the next step, or to the next thing that is due, whichever is earlier; then everybody looks
until nobody has anything left to say. Nothing is waited for in real time but the log's own rhythm.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from crypto.refusal import Refused
from portal.demo import mischief
from portal.demo.backstage import Backstage, until_witnessed
from portal.demo.script import Step
from portal.demo.stage import Stage
from portal.demo.stage_bids import Bidders
from portal.demo.stage_panel import Panel
from portal.demo.watchers import Watchers
from storage.world import Entropy, instant
from trading.lifecycle import TALLY_AFTER, State
from trading.roles import Role

TICK = timedelta(seconds=30)
OPENING_MAX = timedelta(hours=3)
ROUNDS_MAX = 40
Seen = Callable[[str, Step], None]
BUSY = frozenset({State.CLOSED.value, State.SHORT.value, State.FROZEN.value, State.OPENING.value})
FLUSH_SECONDS_MAX = 120.0
TOLD_TO_ALL = frozenset({"publish_tender", "amend", "publicise"})
"""Periods run from these, so the clock waits until they were witnessed: a witness that looked only after a jump would
stamp them weeks later, and check 3 counts by the stamps."""


class Performance:
    """A script on a stage, with its watchers."""

    def __init__(self, stage: Stage, behind: Backstage, steps: Sequence[Step], *, entropy: Entropy) -> None:
        self._stage = stage
        self._behind = behind
        self._steps = steps
        self._panel = Panel(stage, behind, entropy=entropy)
        self.bidders = Bidders(stage)
        lies = {self._trustee(step): mischief.lying(step.fields["how"]) for step in steps if step.does == "lie"}
        self.watchers = Watchers(stage.cast, stage.address(Role.TRUSTEE), entropy=entropy, machines=lies)
        self._told: set[str] = set()

    @property
    def handed(self) -> list[dict[str, Any]]:
        """One row per version handed in, in order: bidder, version, bid, status (submitted replaced withdrawn late)."""
        return self.bidders.handed

    def play(self, *, seen: Seen = lambda when, step: None) -> None:
        """Every step in its time, and what follows from it. `seen` is called when everybody is quiet: "before" each
        step, once its time has come, and "after" it."""
        try:
            self.begin()
            for step in self._steps:
                self.take(step, seen=seen)
            self.run_until(self._stage.now + TALLY_AFTER)
            until_witnessed(self._behind, seconds_max=FLUSH_SECONDS_MAX)  # A bundle holds what was witnessed.
        finally:
            self.watchers.stop()

    def begin(self) -> None:
        """The witnesses begin to look, and the centre imports its register."""
        self.watchers.start(trustees=False)
        self._panel.import_register()

    def take(self, step: Step, *, seen: Seen = lambda when, step: None) -> None:
        """One step in its time, and what follows from it."""
        self.run_until(step.at)
        seen("before", step)
        if step.does in ("be_absent", "lie"):
            self._mischief(step)
        else:
            self._stage.play(step, self._verbs()[step.does])
        if step.does in TOLD_TO_ALL:
            until_witnessed(self._behind, seconds_max=FLUSH_SECONDS_MAX)
        self.settle()
        seen("after", step)

    def run_until(self, at: datetime) -> None:
        """Let the clock run to an instant, stopping wherever something is due."""
        while self._stage.now < at:
            following = min(at, self._next_due() or at)
            self._stage.move_to(max(following, self._stage.now + timedelta(milliseconds=1)))
            self.settle()

    def settle(self) -> None:
        """Let everybody look until nobody has anything to do at this instant. While bids are taken the trustees wait
        for the deadline, so only the clockwork is asked."""
        if self._taking_bids():
            self._behind.turn()
            self._tell_new_acts()
            return
        for _ in range(ROUNDS_MAX):
            self._flush()  # what waits for its place in the ledger may be what the clockwork waits for
            done = self._behind.turn()
            done += self.watchers.poll()
            done += self._panel.attend()
            self._tell_new_acts()
            if not done:
                return

    def _next_due(self) -> datetime | None:
        """The next instant at which something happens by itself: the deadline plus settling, and every half minute
        while bids are being opened; None while nothing is due."""
        if not self._stage.lot:
            return None
        lot = self._stage.anybody.get(f"/api/v1/lots/{self._stage.lot}")
        if lot["state"] in BUSY:
            if self._stage.now - instant(lot["deadline"]) > OPENING_MAX:
                said = {who: report.code for who, report in self.watchers.reports.items()}
                raise Refused("rehearsal_does_not_open", state=lot["state"], said=said)
            return self._stage.now + TICK
        if lot["state"] == State.BIDDING.value and not lot["held"]:
            closing = instant(lot["deadline"]) + timedelta(seconds=lot["notice"]["settle_s"])
            return closing if closing > self._stage.now else self._stage.now + TICK
        return None

    def _taking_bids(self) -> bool:
        """Whether the deadline is still ahead."""
        if not self._stage.lot:
            return True
        lot = self._stage.anybody.get(f"/api/v1/lots/{self._stage.lot}")
        return bool(lot["state"] == State.BIDDING.value and instant(lot["deadline"]) > self._stage.now)

    def _flush(self) -> None:
        """Wait until everything recorded has its place in the ledger."""
        until = time.monotonic() + FLUSH_SECONDS_MAX

        while self._behind.waiting() and time.monotonic() < until:
            time.sleep(0.05)

    def _verbs(self) -> Mapping[str, Callable[[Step], None]]:
        actors = (self._stage, self.bidders, self._panel)
        names = {step.does for step in self._steps} - {"be_absent", "lie"}
        return {name: next(getattr(actor, name) for actor in actors if hasattr(actor, name)) for name in names}

    def _trustee(self, step: Step) -> str:
        lock, index = (int(part) for part in step.number.split(":"))
        return next(one.id for one in self._stage.cast.trustees if (one.lock, one.index) == (lock, index))

    def _mischief(self, step: Step) -> None:
        who = self._trustee(step)
        if step.does == "be_absent":
            self.watchers.absent.add(who)
            self._stage.narrate(self._stage.now, f"受托人 {who} 缺席", f"the trustee {who} stays away")
        else:
            self._stage.narrate(self._stage.now, f"受托人 {who} 开始撒谎", f"the trustee {who} begins to lie")

    def _tell_new_acts(self) -> None:
        """Tell what the clock, the trustees and the opening room did, as the ledger has it."""
        if not self._stage.lot:
            return
        for one in self._stage.anybody.get(f"/api/v1/lots/{self._stage.lot}/timeline")["acts"]:
            if one["leaf"] in self._told:
                continue
            self._told.add(one["leaf"])
            words = REFUSAL if one["act"].get("refusal") else ACTS.get(one["act"]["kind"])
            if words is not None:
                self._stage.narrate(instant(one["act"]["at"]), *(text.format_map(_Shown(one["act"])) for text in words))


class _Shown(dict[str, Any]):
    """An act's fields for a sentence; a field it lacks shows as nothing."""

    def __missing__(self, name: str) -> str:
        return ""


ACTS = {
    "hold": ("程序暂停({stage})", "the process is on hold ({stage})"),
    "resume": ("程序恢复", "the process resumes"),
    "close": ("投标截止", "bids are closed"),
    "freeze": ("封存投标清单:{n} 份", "the list of bids is frozen: {n}"),
    "refused": ("一份投标被拒:{code}", "a bid is refused: {code}"),
    "failed": ("流标:{reason}", "failed: {reason}"),
    "ready": ("受托人 {trustee} 就绪", "the trustee {trustee} is ready"),
    "release": ("受托人 {trustee} 放出份额", "the trustee {trustee} releases its shares"),
    "verdict": ("逐份核验结论已签署,有效 {valid} 份", "verdicts are signed: {valid} valid"),
    "opened": ("开标完成,公布 {n} 份报价", "opened: {n} prices are public"),
    "draw_result": ("专家抽取结果可复算", "the draw's result can be replayed by anybody"),
    "recusal": ("第 {seat} 席更换({why})", "seat {seat} is replaced ({why})"),
    "scores_committed": ("五份评分先作承诺", "the score sheets are committed"),
    "scores_locked": ("评分公开,不可更改", "the scores are shown and final"),
    "report": ("评标报告提交", "the report is handed in"),
}
"""What the narration says of acts that nobody's step announces."""
REFUSAL = ("受托人 {trustee} 拒绝开标:{refusal}", "the trustee {trustee} refuses to open: {refusal}")
