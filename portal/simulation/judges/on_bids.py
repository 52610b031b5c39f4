"""Invariants of bids, I1 to I5: receipts, secrecy, no share too early, nothing late, the right freeze."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import timedelta
from itertools import chain
from typing import Any

from portal.simulation.judges.look import Look, at
from storage.world import stamp

SHARES_OF_LOCK = 2


def i1_receipts_are_honoured(look: Look) -> Iterator[str]:
    """A receipt given is honoured: opened, withdrawn, replaced or refused with a logged reason; nobody else's bid is
    there."""
    book = look.book
    logged = {each.leaf for each in look.of("submit")}
    known = {each.leaf for each in book.sent}
    yield from (f"the submission {leaf[:16]} got a receipt and is gone" for leaf in sorted(known - logged))
    yield from (f"the submission {leaf[:16]} is nobody's" for leaf in sorted(logged - known))
    if not look.new("freeze", "refused", "verdict"):
        return
    listed = {row["submission"]: row["bid"] for row in look.listed()}
    refused = {each.body["submission"] for each in look.of("refused")}
    for each in book.sent:
        uscc, version = each.sealed.company.uscc, each.sealed.version
        replaced = any(
            other.sealed.company.uscc == uscc and other.sealed.version > version and other.leaf not in refused
            for other in book.sent
        )
        withdrawn = any(other.uscc == uscc and other.version >= version for other in book.withdrawn)
        if not (each.leaf in listed or each.leaf in refused or replaced or withdrawn):
            yield f"the bid {each.sealed.bid[:16]} got a receipt and is neither frozen nor refused by name"
    yield from _judged(look, listed)


def i2_nothing_is_learned_early(look: Look) -> Iterator[str]:
    """No coalition below the thresholds learns a byte of a bid before its opening: one key serves one tender, and what
    is stored is ciphertext; documents stay so for ever."""
    if look.new("tender"):
        used: dict[str, str] = {}
        for each in look.disk.events:
            if each.kind == "tender":
                for key in _one_time_keys(each.body):
                    if used.setdefault(key, each.tender_id) != each.tender_id:
                        yield f"the one-time key {key[:16]} serves two tenders"
    if look.new("close", "freeze", "ready", "failed", "terminate"):
        opened = bool(look.of("release"))
        markers = [each.sealed.markers for each in look.book.sent]
        secret = [one[-1:] for one in markers] if opened else markers
        found = _found(look, {marker for one in secret for marker in one})
        yield from (f"{marker!r} of a sealed bid is readable in {where}" for marker, where in found)
    if look.new("opened", "contract"):
        documents = {each.sealed.markers[-1] for each in look.book.sent}
        yield from (
            f"{marker!r} of a bid's documents is readable in {where}" for marker, where in _found(look, documents)
        )


def i3_no_share_too_early(look: Look) -> Iterator[str]:
    """No share before the deadline in force, under a hold, suspension or termination, or with fewer than three bids."""
    book = look.book
    for each in look.new("close", "ready", "release"):
        when = at(each)
        if each.kind == "ready" and each.body["refusal"] is not None:
            continue
        if book.held_at(when):
            yield f"{each.kind} while an objection or a suspension holds"
        if any(other.kind in ("terminate", "failed") and other.number < each.number for other in look.events):
            yield f"{each.kind} of a tender that has ended"
        until = book.deadline_at(when) if each.kind == "close" else book.shut_until
        if when < until + timedelta(seconds=book.settle_s):
            yield f"{each.kind} at {each.at}, before {stamp(until)} and the settle time after it"
    for each in look.new("release"):
        yield from _release(look, each.number)


def i4_nothing_late_is_opened(look: Look) -> Iterator[str]:
    """Nothing received at or after the deadline is opened; the box does not even take it."""
    book = look.book
    if look.new("submit"):
        for each in book.sent:
            deadline = book.deadline_at(each.at)
            if each.at >= deadline:
                yield f"a bid received at {stamp(each.at)} was taken, the deadline was {stamp(deadline)}"
    if look.new("opened"):
        sent = {each.sealed.bid: each for each in book.sent}
        for bid in look.record():
            if bid not in sent or sent[bid].at >= book.deadline_at(sent[bid].at):
                yield f"the bid {bid[:16]} was opened and was not received in time"


def i5_freeze_is_what_was_submitted(look: Look) -> Iterator[str]:
    """Freeze = submitted − withdrawn, the highest version of each organisation, computed again from the events."""
    for freeze in look.new("freeze"):
        close = next(each for each in look.of("close") if each.leaf == freeze.body["close"])
        before = look.disk.place[close.id]
        highest: dict[str, tuple[int, str, str]] = {}
        void: dict[str, int] = {}
        in_time = [
            each
            for each in (*look.of("submit"), *look.of("withdraw"))
            if look.disk.place.get(each.id, before) < before and at(each) < look.book.deadline_at(at(each))
        ]
        for each in sorted(in_time, key=lambda event: look.disk.place[event.id]):
            uscc, version = each.hidden["organisation"], each.body["version"]
            if each.kind == "withdraw":
                void[uscc] = max(version, void.get(uscc, 0))
            elif version > highest.get(uscc, (0, "", ""))[0]:
                highest[uscc] = (version, each.body["bid"], each.leaf)
        right = sorted((bid, leaf) for uscc, (version, bid, leaf) in highest.items() if version > void.get(uscc, 0))
        frozen = [(row["bid"], row["submission"]) for row in look.object(freeze.body["list_hash"])]
        for bid, _ in sorted(set(right) - set(frozen)):
            yield f"the bid {bid[:16]} was dropped from the freeze"
        for bid, _ in sorted(set(frozen) - set(right)):
            yield f"the bid {bid[:16]} stands in the freeze and should not"
        if set(right) == set(frozen) and (right != frozen or freeze.body["n"] != len(right)):
            yield "the freeze list is out of order or miscounted"


def _judged(look: Look, listed: dict[str, str]) -> Iterator[str]:
    """Every frozen bid has a verdict, and no sound bid is called invalid."""
    verdict = look.last("verdict")
    if verdict is None:
        return
    judged = {row["bid"]: row for row in look.object(verdict.body["verdicts_hash"])}
    for each in look.book.sent:
        if each.leaf not in listed:
            continue
        row = judged.get(each.sealed.bid)
        if row is None:
            yield f"the frozen bid {each.sealed.bid[:16]} has no verdict"
        elif each.sound and row["verdict"] == "invalid":
            yield f"the sound bid {each.sealed.bid[:16]} is called invalid: {row['code']}"
        elif not each.sound and row["verdict"] == "valid":
            yield f"the garbage {each.sealed.bid[:16]} is called valid"


def _release(look: Look, number: int) -> Iterator[str]:
    """What must stand in the chain before a release."""
    before = [each for each in look.events if each.number < number]
    freeze = next((each for each in reversed(before) if each.kind == "freeze"), None)
    release = next(each for each in look.events if each.number == number)
    if freeze is None or freeze.body["n"] < 3:
        yield "a release without a freeze of three bids"
        return
    if at(release) < at(freeze) + timedelta(seconds=look.book.challenge_s):
        yield "a release within the challenge window"
    for lock in (0, 1):
        ready = {
            each.body["index"]
            for each in before
            if each.kind == "ready"
            and (each.body["lock"], each.body["refusal"], each.body["freeze"]) == (lock, None, freeze.leaf)
        }
        if len(ready) < SHARES_OF_LOCK:
            yield f"a release while lock {lock} has {len(ready)} READY"


def _one_time_keys(tender: Mapping[str, Any]) -> list[str]:
    """Roster keys (after t, n of each lock) and opening keys of a TENDER act."""
    roster = bytes.fromhex(tender["roster"])
    keys, place = [], 0
    while place < len(roster):
        count = roster[place + 2]
        place += 3
        keys += [roster[place + 32 * at_ : place + 32 * at_ + 32].hex() for at_ in range(count)]
        place += 32 * count
    return keys + list(tender["opening_keys"].values())


def _found(look: Look, markers: set[bytes]) -> Iterator[tuple[bytes, str]]:
    """Where a marker stands on the disk: in a table's rows or in a stored segment."""
    if not markers:
        return
    tables = (
        "event",
        "object",
        "submission",
        "upload",
        "inbox",
        "job",
        "setting",
        "panel",
        "sheet",
        "tender",
        "ledger",
    )
    for table in tables:
        held = b"\0".join(
            value if isinstance(value, bytes) else str(value).encode()
            for value in chain.from_iterable(row.values() for row in look.disk.rows(table))
        )
        yield from ((marker, f"the table {table}") for marker in markers if marker in held)
