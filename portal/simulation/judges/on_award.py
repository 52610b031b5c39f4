"""Invariants of the panel and the award, I8 I11 I12 I13: everything counted and drawn again, nothing seen too early."""

from __future__ import annotations

import hmac
import json
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from hashlib import sha256
from typing import Any

from crypto.verifier import recount
from crypto.verifier.findings import Failed
from portal.simulation.judges.look import Look, at
from storage.world import instant, stamp

SENT = -1


def i8_panel_scores_and_ranking_replayed(look: Look) -> Iterator[str]:
    """Replay gives the same panel, scores and ranking; nobody draws a second time without being told to."""
    for each in look.new("draw_pool"):
        ordered = any(row.body["what"] == "redraw" for row in look.of("directive") if row.number < each.number)
        if any(other.number < each.number for other in look.of("draw_pool")) and not ordered:
            yield "a panel is drawn again without a directive"
    for each in look.new("draw_result"):
        yield from _panel(look, each.body)
    for each in look.new("scores_locked"):
        yield from _scores(look, each.body)


def i11_panel_as_the_law_wants_it(look: Look) -> Iterator[str]:
    """Panel odd, at least five, experts two thirds; none avoided or drawn twice; names unseen before sign-in."""
    if look.new("draw_result", "sign_in", "recusal", "scores_committed"):
        seats = _seats(look)
        experts = [seat["expert"] for seat in seats if seat["stratum"] != SENT]
        if len(set(experts)) != len(experts):
            yield "one expert holds two seats"
        tied = {one.id: one.employer for one in look.keys.experts}
        bidders = {each.hidden["organisation"] for each in look.of("submit") if _is_listed(look, each.leaf)}
        for expert in experts:
            if tied[expert] in bidders | {look.keys.owner.uscc}:
                yield f"the expert {expert} works for a party"
        gone = [each.body["out"] for each in look.of("recusal")]
        for seat in seats:
            if seat["masked"] in gone:
                yield "somebody who left has come back"
    if look.new("scores_committed"):
        seats = _seats(look)
        experts = [seat for seat in seats if seat["stratum"] != SENT]
        if len(seats) % 2 == 0 or len(seats) < 5 or 3 * len(experts) < 2 * len(seats):
            yield f"a panel of {len(seats)}, {len(experts)} of them experts"
    named = [name for one in look.keys.experts for name in (one.id, one.name)]
    for each in look.fresh:
        if each.public:
            said = json.dumps(each.body, ensure_ascii=False)
            yield from (f"{each.kind} names the expert {name}" for name in named if name in said)


def i12_no_score_before_the_last_lock(look: Look) -> Iterator[str]:
    """No score seen before all lock, none changed after."""
    locked = {each.body["seat"]: each.number for each in look.of("sheet_locked")}
    for each in look.new("scores_committed"):
        missing = [seat["seat"] for seat in _seats(look) if locked.get(seat["seat"], each.number) >= each.number]
        if missing:
            yield f"scores are committed and the seats {missing} have not locked"
    if not look.of("scores_committed"):
        yield from scores_seen(look)
    for each in look.new("scores_locked"):
        commitments = {row["seat"]: row["commitment"] for row in _last(look, "scores_committed")["commitments"]}
        said = {row.body["seat"]: row.body["commitment"] for row in look.of("sheet_locked")}
        if any(said[seat] != commitment for seat, commitment in commitments.items()):
            yield "a commitment is not the one its member logged"
        shown = {row["seat"]: _marks(row["sheet"]["items"]) for row in look.object(each.body["sheets_hash"])}
        for seat, truth in look.book.truth.items():
            kept = {place: value for place, value in truth.items() if place[0] in _counted(look, each.body)}
            if seat in shown and {k: v for k, v in shown[seat].items() if k in kept} != kept:
                yield f"the marks of seat {seat} are not those that were locked"


def scores_seen(look: Look) -> Iterator[str]:
    """Marks in anything that anybody but their own member reads."""
    bids = set(look.record())
    if not bids:
        return
    for row in look.disk.rows("object"):
        if row["lot"] == look.book.lot and row["kind"] in ("sheets", "table", "scores"):
            yield f"an object with {row['kind']} stands there before every seat has locked"
    for each in look.events:
        if each.kind not in ("sheet_locked", "scores_committed"):
            continue
        said = json.dumps(each.body)
        if any(bid in said for bid in bids) or "points" in said or "marks" in said:
            yield f"{each.kind} tells marks"
    for table in ("inbox", "job", "panel"):
        said = "".join(str(row.get("body", "")) for row in look.disk.rows(table))
        if '"points"' in said or '"marks"' in said:
            yield f"marks stand in the table {table}"


def i13_award_to_a_candidate(look: Look) -> Iterator[str]:
    """Award only to a candidate, after publicity, with no hold; the contract as the bid."""
    for each in look.new("award"):
        publicity = look.last("publicity")
        if publicity is None:
            yield "an award without publicity"
            continue
        candidates = {(row["rank"], row["bid"], row["bidder"]["uscc"]): row for row in publicity.body["candidates"]}
        named = (each.body["rank"], each.body["bid"], each.body["bidder"]["uscc"])
        if named not in candidates:
            yield f"the award goes to rank {named[0]}, which is no candidate"
        elif each.body["rank"] != 1:
            yield f"the award goes to rank {named[0]} and passes over the first"
        end = _end(look, publicity.body)
        if at(each) < end:
            yield f"the award of {each.at} comes before the end of publicity, {stamp(end)}"
        if look.book.held_at(at(each)):
            yield "the award comes while an objection holds"
    for each in look.new("contract"):
        award, record = _last(look, "award"), look.record()
        row = record.get(award["bid"])
        same = row and (each.body["bid"], each.body["price_fen"], each.body["period_days"]) == (
            award["bid"],
            row["price_fen"],
            row["period_days"],
        )
        if not same:
            yield "the contract is not what the awarded bid says"


def _panel(look: Look, result: Mapping[str, Any]) -> Iterator[str]:
    """Seed, shuffle and seats of one draw, by this file's own arithmetic."""
    close = next(each for each in look.of("draw_close") if each.leaf == result["close"])
    pool = next(each for each in look.of("draw_pool") if each.leaf == close.body["pool"])
    strata = look.object(pool.body["pool_hash"])["strata"]
    r = [(row["i"], bytes.fromhex(row["r"])) for row in result["r"]]
    parts = b"".join(bytes([i]) + value for i, value in sorted(r))
    head = b"draw/v1 seed\0" + bytes.fromhex(result["draw_id"]) + bytes.fromhex(pool.leaf)
    seed = sha256(head + bytes([len(r)]) + parts).digest()
    if seed.hex() != result["seed"]:
        yield "the seed of the draw is not what the contributions give"
    if [each["i"] for each in close.body["contributions"]] != [i for i, _ in r]:
        yield "the draw's seed leaves a contribution out"
    masks = _attempt(look, result["draw_id"])["masks"]
    bidders = {each.hidden["organisation"] for each in look.of("submit") if _is_listed(look, each.leaf)}
    employer = {one.id: one.employer for one in look.keys.experts}
    seated: list[tuple[int, str]] = []
    for number, stratum in enumerate(strata):
        order = _shuffled(stratum["masked"], seed, number)
        taken = {masked for _, masked in seated}
        free = [one for one in order if one not in taken and employer[masks[one][0]] not in bidders]
        seated += [(number, one) for one in free[: stratum["k"]]]
    drawn = [(row["stratum"], row["masked"]) for row in result["seats"]]
    if drawn and drawn != seated:
        yield "the panel is not the one that the seed gives"


def _shuffled(masked: Sequence[str], seed: bytes, number: int) -> list[str]:
    order = list(masked)
    stream = _stream(seed, number)
    for place in range(len(order) - 1):
        span = len(order) - place
        value = next(stream)
        while value >= 2**64 - 2**64 % span:
            value = next(stream)
        other = place + value % span
        order[place], order[other] = order[other], order[place]
    return order


def _stream(seed: bytes, number: int) -> Iterator[int]:
    block = 0
    while True:
        said = b"draw/v1 block\0" + number.to_bytes(2, "big") + block.to_bytes(8, "big")
        digest = hmac.digest(seed, said, "sha256")
        for start in range(0, 32, 8):
            yield int.from_bytes(digest[start : start + 8], "big")
        block += 1


def _scores(look: Look, body: Mapping[str, Any]) -> Iterator[str]:
    scores = look.object(body["scores_hash"])
    record = look.record()
    if scores.get("kind") == "lowest_evaluated":
        prices = [record[bid]["price_fen"] for bid in scores["result"]["ranking"]]
        if prices != sorted(prices):
            yield "the lowest evaluated price does not stand first"
        return
    try:
        recount.check(scores)
    except Failed as failed:
        yield f"the scores are not what the marks give: {failed.finding.en}"
    for bid in scores["bids"]:
        fen = record[bid["id"]]["price_fen"]
        if bid["price"] != f"{fen // 100}.{fen % 100:02d}":
            yield "a price in the scores is not the opening record's"
    given = {
        (str(seat), *place): value
        for seat, truth in look.book.truth.items()
        for place, value in truth.items()
        if place[0] in {bid["id"] for bid in scores["bids"]}
    }
    said = {(row["expert"], row["bid"], row["item"]): _hundredths(row["points"]) for row in scores["points"]}
    if said != given:
        yield "the points in the scores are not those that the members gave"


def _marks(items: Sequence[Mapping[str, Any]]) -> dict[tuple[str, str], int]:
    return {(row["bid"], row["item"]): _hundredths(row["points"]) for row in items}


def _hundredths(text: str) -> int:
    whole, _, part = text.partition(".")
    return int(whole) * 100 + int(part.ljust(2, "0") or "0")


def _counted(look: Look, locked: Mapping[str, Any]) -> set[str]:
    return set(look.object(locked["scores_hash"])["result"]["ranking"])


def _seats(look: Look) -> list[dict[str, Any]]:
    row = look.disk.row("panel", look.book.lot)
    found: list[dict[str, Any]] = row["body"]["seats"] if row else []
    return found


def _attempt(look: Look, draw_id: str) -> dict[str, Any]:
    row = look.disk.row("panel", look.book.lot)
    assert row is not None
    found: dict[str, Any] = next(each for each in row["body"]["attempts"] if each["draw_id"] == draw_id)
    return found


def _is_listed(look: Look, leaf: str) -> bool:
    return any(row["submission"] == leaf for row in look.listed())


def _last(look: Look, kind: str) -> Mapping[str, Any]:
    found = look.last(kind)
    assert found is not None
    return found.body


def _end(look: Look, publicity: Mapping[str, Any]) -> datetime:
    """The end of publicity, moved by every resumption since."""
    until = [instant(publicity["until"])]
    until += [instant(each.body["until"]) for each in look.of("resume") if each.body["until"] > publicity["from"]]
    return max(until)
