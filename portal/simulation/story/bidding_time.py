"""From the notice to the deadline: who downloads, submits, replaces, withdraws, objects, and what the box refuses.

Everything is an event at an instant; events are sorted and played one by one. Those at and after the deadline are
planned once the deadline in force is known.
"""

from __future__ import annotations

import hashlib
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING, Any

from bidding import commands, uploads
from crypto.refusal import Refused
from crypto.roster import Lock, Roster
from portal.simulation import bidders, keys
from portal.simulation.bidders import Sealed
from portal.simulation.book import Extension, Sent, Withdrawn
from portal.simulation.keys import Company
from portal.simulation.story import disturbances
from storage.world import stamp
from trading.commands import entry, notice
from trading.lifecycle import State

if TYPE_CHECKING:
    from portal.simulation.story.play import Play

Event = tuple[datetime, int, str, Callable[[], Awaitable[None]]]
POWER = "C-001"
DAYS_TO_BID = 24
LATE = ("bid_received_after_deadline",)


async def publish(play: Play) -> None:
    """Entry, registration, notice; a notice that is too short is refused first."""
    owner, centre = play.keys.owner, play.keys.centre
    dice = play.plan.dice("publish")
    if play.plan.has("notice_too_short"):
        lot = await _registered(play, _document(play, days=10))
        cmd = notice.PublishTender(lot)
        await play.expect_refused("notice_too_short", notice.publish_tender, cmd, owner.actor, "deadline_too_early")
    entered = await play.hall.do(entry.enter_tender, entry.EnterTender(_document(play), []), owner.actor)
    if play.plan.has("entry_without_power"):
        cmd_without = entry.AcceptEntry(entered.result["entry"])
        await play.expect_refused(
            "entry_without_power", entry.accept_entry, cmd_without, centre.actor, "power_code_missing"
        )
    accepted = await play.hall.do(entry.accept_entry, entry.AcceptEntry(entered.result["entry"], POWER), centre.actor)
    lot = accepted.result["lot"]
    play.hall.wait(minutes=dice.randrange(1, 300))
    await play.hall.sign(notice.publish_tender, notice.PublishTender(lot), owner.actor, owner.signer, "owner")
    play.book.lot = lot
    play.hall.disk.refresh()
    tender = await play.tender()
    play.book.tender_id, play.book.published = tender.tender_id, tender.published_at
    act = next(each.body for each in play.hall.disk.of_lot[lot] if each.kind == "tender")
    play.book.settle_s, play.book.challenge_s = act["settle_s"], act["challenge_s"]
    play.book.deadlines = [Extension(tender.deadline, tender.published_at, play.hall.now)]
    await play.step("publish")


async def bid(play: Play) -> None:
    """Everything until the deadline in force has passed, and what comes just after it."""
    queue = sorted(_planned(play), key=lambda event: event[:2])
    while queue:
        at, _, name, work = queue.pop(0)
        tender = await play.tender()
        if tender.state is not State.BIDDING:
            return
        play.hall.until(at)
        try:
            await work()
        except Refused as refused:
            if not play.too_late(refused.code):
                raise
        await play.step(name)
    tender = await play.tender()
    if tender.state is State.BIDDING and tender.held_by is None:
        await _at_the_deadline(play)


async def hand_in(play: Play, company: Company, *, version: int = 1, garbage: str = "") -> Sent:
    """Seal, upload, submit; keep the receipt's name in the book."""
    sealed = bidders.seal(
        play.hall,
        await play.tender(),
        company,
        price_fen=_price(play, company, version),
        version=version,
        garbage=garbage,
    )
    await bidders.upload(play.hall, play.book.lot, sealed)
    return await submit(play, sealed, sound=not garbage)


async def submit(play: Play, sealed: Sealed, *, sound: bool = True) -> Sent:
    """Submit what is uploaded."""
    at = play.hall.now
    outcome = await bidders.submit(play.hall, sealed)
    logged = outcome.events[0]
    sent = Sent(sealed, at, logged.leaf, logged.recorded.event, sound)
    if sent.leaf not in {each.leaf for each in play.book.sent}:
        play.book.sent.append(sent)
    return sent


async def _registered(play: Play, document: dict[str, Any]) -> str:
    entered = await play.hall.do(entry.enter_tender, entry.EnterTender(document, []), play.keys.owner.actor)
    cmd = entry.AcceptEntry(entered.result["entry"], POWER)
    accepted = await play.hall.do(entry.accept_entry, cmd, play.keys.centre.actor)
    return str(accepted.result["lot"])


def _document(play: Play, *, days: int = DAYS_TO_BID) -> dict[str, Any]:
    plan, dice = play.plan, play.plan.dice("document")
    deadline = stamp((play.hall.now + timedelta(days=days)).replace(hour=1, minute=30, second=0, microsecond=0))
    schedule = {
        "documents_until": deadline,
        "deadline": deadline,
        "opening_at": deadline,
        "validity_days": 90,
        "publicity_days": dice.choice((3, 3, 4)),
    }
    sent = plan.representatives
    seats = {5: (2, 2, 1), 7: (3, 2, 2)}[plan.members]
    drawn = [{"specialty": code, "seats": n} for code, n in zip(keys.SPECIALTIES, seats, strict=True)]
    if sent:
        drawn[0]["seats"] = seats[0] - sent
    changes: dict[str, Any] = {
        "schedule": schedule,
        "panel": {"members": plan.members, "owner_representatives": sent, "strata": drawn},
        "opening": {
            "place": "http://localhost:8000",
            "fewer_than_three_after_opening": "stop" if plan.stop else "continue",
        },
        "method": keys.benchmark(
            float=dice.choice(("0", "-0.02", "-0.03", "-0.025")),
            drop=dice.choice(([[1, 0, 0], [5, 1, 0]], [[1, 0, 0], [5, 1, 1]], [[1, 0, 0], [4, 1, 0]])),
            round=keys.ROUNDING | {"base": dice.choice((2, 2, 0, None))},
            ties=dice.choice((["price", "points", "draw"], ["points", "draw"], ["draw"])),
        ),
    }
    if plan.method == "lowest_evaluated":
        changes["method"] = {"name": "lowest_evaluated", "adjustments": [], "ties": ["draw"]}
        changes["items"] = []
    return keys.document(**changes)


def _price(play: Play, company: Company, version: int) -> int:
    dice = play.plan.dice(f"price {company.uscc} {version}")
    return dice.randrange(800_000_000, 1_150_000_000)


def _planned(play: Play) -> list[Event]:
    """What happens before the first deadline, in no order."""
    begin, end = play.hall.now, play.book.deadlines[0].deadline
    dice = play.plan.dice("bidding")
    span = (end - begin).total_seconds()

    def at(low: float, high: float) -> datetime:
        whole = begin + timedelta(seconds=span * dice.uniform(low, high))
        return whole.replace(microsecond=dice.randrange(1000) * 1000)

    events: list[Event] = []

    def add(when: datetime, name: str, work: Callable[[], Awaitable[None]]) -> None:
        events.append((when, len(events), name, work))

    here = dice.sample(play.keys.bidders, play.plan.bidders)
    garbage = [name for name in ("manifest", "body") if play.plan.has(f"garbage_{name}")]
    for number, company in enumerate(here):
        add(at(0.01, 0.4), "download", partial(_download, play, company))
        add(at(0.45, 0.90), "submit", partial(_submit, play, company, "".join(garbage[number : number + 1])))
    if len(here) > 1:
        _vary(play, here, add, at)
    for fault, work in _refusals(play).items():
        if play.plan.has(fault):
            add(at(0.5, 0.99), fault, work)
    for fault, (low, high), work in disturbances.before_the_deadline(play):
        if play.plan.has(fault):
            add(at(low, high), fault, work)
    return events


def _vary(play: Play, here: list[Company], add: Callable[..., None], at: Callable[[float, float], datetime]) -> None:
    """Replacements, withdrawals and repetitions of bids that are there."""
    plan = play.plan
    if plan.has("replaced"):
        add(at(0.91, 0.97), "replace", lambda: _replace(play, here[-1]))
    if plan.has("older_version"):
        add(at(0.971, 0.98), "older version", lambda: _older(play, here[-1]))
    if plan.has("withdrawn"):
        add(at(0.91, 0.97), "withdraw", lambda: _withdraw(play, here[1], "withdrawn"))
    elif plan.has("withdrawn_and_back"):
        add(at(0.91, 0.93), "withdraw", lambda: _withdraw(play, here[1], "withdrawn_and_back"))
        add(at(0.94, 0.97), "back again", lambda: _back(play, here[1]))
    if plan.has("withdrawn_then_same_version"):
        add(at(0.98, 0.99), "same version", lambda: _same_version(play))
    if plan.has("double_click"):
        add(at(0.91, 0.99), "double click", lambda: _double_click(play))


async def _download(play: Play, company: Company) -> None:
    await play.hall.do(notice.download, notice.Download(play.book.lot), company.actor)


async def _submit(play: Play, company: Company, garbage: str) -> None:
    await hand_in(play, company, garbage=garbage)
    if garbage:
        play.did(f"garbage_{garbage}")


def _last(play: Play, company: Company) -> Sent | None:
    return next((each for each in reversed(play.book.sent) if each.sealed.company is company), None)


async def _replace(play: Play, company: Company) -> None:
    before = _last(play, company)
    if before is not None:
        await hand_in(play, company, version=before.sealed.version + play.plan.dice("gap").choice((1, 1, 5)))
        play.did("replaced")


async def _older(play: Play, company: Company) -> None:
    before = _last(play, company)
    if before is not None:
        version = before.sealed.version
        await play.attempt(
            "older_version",
            hand_in(play, company, version=version),
            "bid_version_not_higher",
            "bid_version_withdrawn",
        )


async def _withdraw(play: Play, company: Company, fault: str) -> None:
    before = _last(play, company)
    if before is None:
        return
    at = play.hall.now
    outcome = await bidders.withdraw(play.hall, play.book.lot, before.sealed)
    logged = outcome.events[0]
    play.book.withdrawn.append(Withdrawn(company.uscc, before.sealed.version, at, logged.leaf, logged.recorded.event))
    play.did(fault)


async def _back(play: Play, company: Company) -> None:
    before = _last(play, company)
    if before is not None:
        await hand_in(play, company, version=before.sealed.version + 1)


async def _same_version(play: Play) -> None:
    for each in play.book.withdrawn:
        company = next(one for one in play.keys.bidders if one.uscc == each.uscc)
        await play.attempt(
            "withdrawn_then_same_version",
            hand_in(play, company, version=each.version),
            "bid_version_withdrawn",
            "bid_version_not_higher",
        )


async def _double_click(play: Play) -> None:
    if play.book.sent:
        twice = play.plan.dice("twice").choice(play.book.sent)
        play.did("double_click")
        await submit(play, twice.sealed)


def _refusals(play: Play) -> dict[str, Callable[[], Awaitable[None]]]:
    """What the box refuses, each tried by somebody who does not bid otherwise."""
    stranger = play.keys.stranger

    async def sealed(company: Company = stranger, **how: Any) -> Sealed:
        made = bidders.seal(play.hall, await play.tender(), company, price_fen=987_654_321, **how)
        await bidders.upload(play.hall, play.book.lot, made)
        return made

    async def offer(fault: str, bid: Sealed, *codes: str, **changes: Any) -> None:
        await play.expect_refused(fault, commands.submit, bid.command(**changes), bid.company.actor, *codes)

    async def unsealed() -> None:
        bid = await sealed()
        await offer("unsealed_header", bid, "bid_not_sealed", headers=["UEsDBBQ=", bid.command().headers[1]])

    async def wrong_roster() -> None:
        tender = await play.tender()
        mine = Roster.decode(bytes.fromhex(tender.roster))
        puppets = tuple(Lock(lock.t, tuple(reversed(lock.keys))) for lock in mine.locks)
        await offer("wrong_roster", await sealed(roster=Roster(puppets)), "bid_sealed_to_another_roster")

    async def wrong_lot() -> None:
        other = hashlib.sha256(b"another tender").digest()
        await offer("wrong_lot", await sealed(tender_id=other), "bid_for_another_lot")

    async def wrong_certificate() -> None:
        bid = await sealed()
        other = play.keys.bidders[0].certificate
        await offer("wrong_certificate", bid, "bid_certificate_of_another_organisation", certificate=other)

    async def expired() -> None:
        await offer("expired_certificate", await sealed(play.keys.expired))

    async def revoked() -> None:
        await offer("revoked_certificate", await sealed(play.keys.revoked), "certificate_revoked")

    async def wrong_signature() -> None:
        await offer("wrong_signature", await sealed(), "submit_signature", signature="11" * 64)

    async def incomplete() -> None:
        made = bidders.seal(play.hall, await play.tender(), stranger, price_fen=987_654_322)
        await bidders.upload(play.hall, play.book.lot, made, envelopes=1)
        await offer("upload_incomplete", made, "bid_upload_incomplete")

    async def damaged() -> None:
        made = bidders.seal(play.hall, await play.tender(), stranger, price_fen=987_654_323)
        segment = made.bodies[0][0]
        cmd = uploads.BeginUpload(play.book.lot, len(segment), [hashlib.sha256(segment).hexdigest()])
        begun = await play.hall.do(uploads.begin, cmd, stranger.actor)
        flipped = bytes([segment[0] ^ 1]) + segment[1:]
        await play.attempt(
            "upload_damaged",
            bidders.put(play.hall, stranger, begun.result["id"], 0, flipped),
            "segment_hash_differs",
        )

    async def too_large() -> None:
        cmd = uploads.BeginUpload(play.book.lot, 1 << 30, ["0" * 64])
        await play.expect_refused("upload_too_large", uploads.begin, cmd, stranger.actor, "upload_too_large")

    return {
        "unsealed_header": unsealed,
        "wrong_roster": wrong_roster,
        "wrong_lot": wrong_lot,
        "wrong_certificate": wrong_certificate,
        "expired_certificate": expired,
        "revoked_certificate": revoked,
        "wrong_signature": wrong_signature,
        "upload_incomplete": incomplete,
        "upload_damaged": damaged,
        "upload_too_large": too_large,
    }


async def _at_the_deadline(play: Play) -> None:
    """Whoever comes at the instant of the deadline, or a millisecond after it, is late; the box still stands open."""
    tender = await play.tender()
    deadline = play.book.deadline_at(tender.deadline)
    ready: list[tuple[str, Sealed, int]] = []
    for fault, after in (("late_at_deadline", 0), ("late_by_a_millisecond", 1)):
        if play.plan.has(fault):
            company = play.keys.bidders[after] if after else play.keys.stranger
            before = _last(play, company)
            version = before.sealed.version + 7 if before else 1
            made = bidders.seal(
                play.hall, tender, company, price_fen=_price(play, company, 90 + after), version=version
            )
            if play.hall.now < deadline:
                await bidders.upload(play.hall, play.book.lot, made)
                ready.append((fault, made, after))
    for fault, made, after in ready:
        play.hall.until(deadline + timedelta(milliseconds=after))
        await play.attempt(fault, submit(play, made), *LATE)
    play.hall.until(deadline)
    if play.plan.has("withdrawal_too_late") and play.book.sent:
        first = play.book.sent[0]
        await play.attempt(
            "withdrawal_too_late",
            bidders.withdraw(play.hall, play.book.lot, first.sealed),
            "withdrawal_after_deadline",
        )
    await play.step("deadline")
