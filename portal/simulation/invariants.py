"""The invariants that every step of a simulated tender must keep, by number; each is a function that names what broke.

In portal/simulation/judges: I1 to I5 on_bids.py, I6 I7 I9 I10 I14 on_log.py, I8 I11 I12 I13 on_award.py, I15
on_bundle.py. They read rows and the simulator's book, and count everything again for themselves.
"""

from __future__ import annotations

from collections.abc import Mapping

from portal.simulation.book import Book
from portal.simulation.hall import SimulatedHall
from portal.simulation.judges import on_award, on_bids, on_bundle, on_log
from portal.simulation.judges.look import Check, Look, Memory, Violation
from portal.simulation.keys import Keys
from portal.simulation.stores import Disk
from trading.tender import Tender, from_json

INVARIANTS: Mapping[str, Check] = {
    "I1": on_bids.i1_receipts_are_honoured,
    "I2": on_bids.i2_nothing_is_learned_early,
    "I3": on_bids.i3_no_share_too_early,
    "I4": on_bids.i4_nothing_late_is_opened,
    "I5": on_bids.i5_freeze_is_what_was_submitted,
    "I6": on_log.i6_the_log_only_grows,
    "I7": on_log.i7_state_is_the_replay,
    "I8": on_award.i8_panel_scores_and_ranking_replayed,
    "I9": on_log.i9_no_hand_in_two_roles,
    "I10": on_log.i10_only_listed_transitions,
    "I11": on_award.i11_panel_as_the_law_wants_it,
    "I12": on_award.i12_no_score_before_the_last_lock,
    "I13": on_award.i13_award_to_a_candidate,
    "I14": on_log.i14_every_job_once,
}


class Checker:
    """Checks one hall, tender after tender; it remembers how far it has looked."""

    def __init__(self, keys: Keys) -> None:
        self._keys = keys
        self._memory = Memory()
        self._blamed: list[Violation] = []

    def blame(self, invariant: str, text: str) -> None:
        """What a simulated person saw with its own eyes; told at the next check."""
        self._blamed.append(Violation(invariant, text))

    def check(self, disk: Disk, book: Book) -> list[Violation]:
        """Every invariant but I15, after a step; empty when all hold."""
        look = self._look(disk, book)
        found = [Violation(name, text) for name, holds in INVARIANTS.items() for text in holds(look)]
        blamed, self._blamed = self._blamed, []
        self._memory.seen[book.lot] = len(look.events)
        return blamed + found

    async def finish(self, hall: SimulatedHall, book: Book) -> list[Violation]:
        """When a tender is over: every receipt still verifies (I1), and the bundle is judged (I15)."""
        if not book.lot:
            return []
        hall.disk.refresh()
        found = [Violation("I1", text) for text in await on_bundle.receipts(hall, book)]
        return found + [Violation("I15", text) for text in await on_bundle.i15_bundle_accepted(hall, book)]

    def look_for_marks(self, disk: Disk, book: Book) -> None:
        """Search for marks between two locks."""
        for text in on_award.scores_seen(self._look(disk, book)):
            self.blame("I12", text)

    def tender(self, disk: Disk, book: Book) -> Tender:
        """The row of the tender."""
        row = disk.row("tender", book.lot)
        assert row is not None
        return from_json(row["body"]["tender"])

    def _look(self, disk: Disk, book: Book) -> Look:
        events = disk.of_lot.get(book.lot, [])
        seen = self._memory.seen.get(book.lot, 0)
        return Look(disk, book, self._keys, self._memory, events, events[seen:])


__all__ = ["INVARIANTS", "Checker", "Violation"]
