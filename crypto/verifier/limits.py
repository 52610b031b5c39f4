"""Check 3: the order of acts and every time limit, recounted from the rulebook and calendar the notice pinned.

A second, plain implementation (it shares no code with trading/): bundle.md §4, §6, §7. T-07: the rulebook is that of
the notice's day; E-07 E-09 E-13 E-50 E-78 E-79 E-80 E-87. What witnesses stamped counts more than what the hall wrote:
a period starts at most one day before its act was witnessed.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime, timedelta
from typing import Final

from crypto.verifier.anchors import Case
from crypto.verifier.findings import CLOCKWORK, OWNER, PLATFORM, Remarks, need
from crypto.verifier.shown import Act, Bundle
from crypto.verifier.timeline import DAY, SECOND, Calendar, Timeline, legal_day, limit, timeline, walk

SKEW: Final = timedelta(seconds=60)

_DRAW = {"draw_pool": "", "draw_close": ""}
_RESULT = {"draw_result": "", "recusal": ""}
_TRUSTEES = {"refused": "", "ready": "", "rescue": "", "release": ""}
# state → kind → next state ("" = the same); bundle.md §7.
_NEXT: Mapping[str, Mapping[str, str]] = {
    "bidding": {"amendment": "", "deadline": "", "close": "closed", "terminate": "ended", **_DRAW},
    "closed": {"freeze": "frozen", "terminate": "ended", **_DRAW},
    "frozen": {
        **_TRUSTEES,
        "freeze": "",
        "failed": "ended",
        "terminate": "ended",
        "release": "opening",
        **_DRAW,
        **_RESULT,
    },
    "opening": {"freeze": "", "verdict": "", "opened": "opened", **_TRUSTEES, **_DRAW, **_RESULT},
    "opened": {
        **_TRUSTEES,
        "freeze": "opening",
        "scores_committed": "committed",
        "failed": "ended",
        **_DRAW,
        **_RESULT,
    },
    "committed": {"scores_locked": "locked", "failed": "ended", **_DRAW},
    "locked": {"report": "reported", "failed": "ended"},
    "reported": {"publicity": "published", "failed": "ended"},
    "published": {"award": "awarded", "failed": "ended"},
    "awarded": {"award": "", "contract": "contracted", "failed": "ended"},
    "contracted": {"tally": ""},
    "ended": {"tally": ""},
}
_ANYWHERE = frozenset({"hold", "resume", "directive", "incident"})
_WHILE_HELD = _ANYWHERE | {"amendment", "deadline", "terminate", "refused", "ready", "tally"}
_STAMPED = ("tender", "amendment", "deadline", "hold", "publicity")


def check(case: Case, remarks: Remarks) -> None:
    """Check 3. Raises Failed."""
    bundle = case.bundle
    calendar = Calendar.of(bundle.rulebook)
    _check_rulebook(bundle)
    _check_order(case, remarks)
    _check_stamps(case)
    _check_before_opening(case, calendar)
    _check_opening_windows(bundle)
    _check_after_report(case, calendar)
    if bundle.full:
        _check_objections(bundle, calendar)
    else:
        remarks.add("time_limits_of_objections_needs_full_bundle")


def _check_rulebook(bundle: Bundle) -> None:
    act, book = bundle.tender, bundle.rulebook
    day = legal_day(act.at)
    in_force = date.fromisoformat(book["effective_from"]) <= day
    in_force &= book["effective_to"] is None or day <= date.fromisoformat(book["effective_to"])
    need(in_force, "rulebook_was_not_in_force_on_day_of_notice_t_07", event=act.leaf, culprit=OWNER)
    region = book["region"] in ("000000", act["region"], act["region"][:2] + "0000")
    same = book["id"] == act["rulebook"]["id"] and book["market"]["code"] == act["market"] and region
    need(same, "rulebook_is_of_another_market_region_or_id", event=act.leaf, culprit=OWNER)
    for field_name, name in (
        ("bids_min", "bids_min"),
        ("settle_s", "settle_seconds_min"),
        ("challenge_s", "challenge_seconds_min"),
        ("rescue_s", "rescue_seconds_min"),
    ):
        least, _ = limit(bundle, name)
        need(
            act[field_name] >= least,
            "is_below_rulebooks",
            field_name=field_name,
            least=least,
            event=act.leaf,
            culprit=OWNER,
        )


def _check_order(case: Case, remarks: Remarks) -> None:
    state, before = "bidding", case.bundle.tender
    now = Timeline(case.bundle.tender.moment("deadline"))
    for act, now in walk(case):
        if act is before:
            continue
        need(
            act.at >= before.at - SKEW,
            "act_is_earlier_than_act_before_it",
            kind=act.kind,
            event=act.leaf,
            culprit=PLATFORM,
        )
        allowed = act.kind in _ANYWHERE or act.kind in _NEXT[state]
        need(allowed, "no_act_may_follow_in_state", kind=act.kind, state=state, event=act.leaf, culprit=PLATFORM)
        free = not now.holds or act.kind in _WHILE_HELD
        free &= not (now.holds and act.kind == "ready" and act["refusal"] is None)
        need(free, "act_while_process_was_held_e_13_e_80", kind=act.kind, event=act.leaf, culprit=PLATFORM)
        state = _NEXT[state].get(act.kind, "") or state
        before = act
    for act in now.void:
        remarks.add("extension_was_not_witnessed_in_time_void", leaf=act.leaf[:16])
    remarks.add("state_reached", state=state)


def _check_stamps(case: Case) -> None:
    bundle = case.bundle
    asked = {act["checkpoint"]["size"] for act in bundle.of("ready")}
    asked |= {case.covering(act.index) for act in bundle.of(*_STAMPED)}
    extra = min((size for size in bundle.notes if size not in asked and size != bundle.size), default=None)
    need(extra is None, "checkpoint_that_no_rule_asks_for", extra=extra, event=f"log/checkpoints/{extra}")
    if case.trust is None:
        return
    seen: dict[str, datetime] = {}
    for size in sorted(bundle.notes):
        quorum = case.quorum(size)
        for each in quorum.cosigned if quorum is not None else ():
            name = each.witness.name
            need(
                seen.get(name, each.at) <= each.at,
                "stamps_of_witness_go_back",
                name=name,
                event=f"log/checkpoints/{size}",
                culprit=f"witness {name}",
            )
            seen[name] = each.at
    for act in bundle.acts:
        stamp = case.stamp(act.index)
        need(
            stamp is None or act.at <= stamp + SKEW,
            "act_is_dated_after_it_was_witnessed",
            kind=act.kind,
            event=act.leaf,
            culprit=PLATFORM,
        )
    for act, end in ((bundle.tender, "deadline"), *((each, "until") for each in bundle.of("publicity"))):
        stamp = case.stamp(act.index)
        need(
            stamp is None or stamp < act.moment(end),
            "act_was_not_witnessed_before_its_period_ended",
            kind=act.kind,
            event=act.leaf,
            culprit=PLATFORM,
        )


def _starts(case: Case, act: Act) -> date:
    """The legal day from which a period of this act is counted: its own, or the day before it was witnessed."""
    stamp = case.stamp(act.index)
    return legal_day(act.at) if stamp is None else max(legal_day(act.at), legal_day(stamp) - DAY)


def _check_before_opening(case: Case, calendar: Calendar) -> None:
    bundle = case.bundle
    days, unit = limit(bundle, "tender_days_min")
    first = bundle.tender
    earliest = calendar.end(_starts(case, first), days, unit)
    need(
        legal_day(first.moment("deadline")) >= earliest,
        "deadline_may_not_be_before_e_07",
        earliest=earliest,
        event=first.leaf,
        culprit=OWNER,
    )
    days, unit = limit(bundle, "clarification_days_min")
    version = 0
    for act, now in walk(case):
        if act.kind == "amendment":
            version += 1
            need(act["version"] == version, "amendments_are_not_numbered_1_2", event=act.leaf, culprit=OWNER)
            earliest = calendar.end(_starts(case, act), days, unit)
            final = timeline(case).deadline
            need(
                not act["affects_bids"] or legal_day(final) >= earliest,
                "after_clarification_that_affects_bids_deadline_may_not_be_before",
                earliest=earliest,
                event=act.leaf,
                culprit=OWNER,
            )
        if act.kind == "deadline" and act not in now.void:
            was = timeline(case, until=act.index).deadline
            need(
                act.moment("was") == was, "deadline_it_says_it_replaces_was_not_in_force", event=act.leaf, culprit=OWNER
            )
        if act.kind == "close":
            need(
                act.moment("deadline") == now.deadline,
                "closed_at_another_deadline_than_one_in_force",
                event=act.leaf,
                culprit=CLOCKWORK,
            )
            settled = now.deadline + first["settle_s"] * SECOND
            need(
                act.at >= settled,
                "closed_before_deadline_had_passed_and_settled_e_50",
                event=act.leaf,
                culprit=CLOCKWORK,
            )


def _check_opening_windows(bundle: Bundle) -> None:
    tender = bundle.tender
    freezes = {act.leaf: act for act in bundle.of("freeze")}
    close = bundle.last("close")
    supplemented: str | None = None
    for act in bundle.of("freeze"):
        need(
            close is not None and act["close"] == close.leaf,
            "freeze_of_another_close",
            event=act.leaf,
            culprit=CLOCKWORK,
        )
        need(act["supplements"] == supplemented, "freeze_that_corrects_another", event=act.leaf, culprit=CLOCKWORK)
        supplemented = act.leaf
        need(
            act["n"] == len(bundle.document(act["list_hash"])),
            "n_is_not_length_of_list",
            event=act.leaf,
            culprit=CLOCKWORK,
        )
        failed = bundle.last("failed")
        short = act["n"] < tender["bids_min"]
        right = failed is None or failed["reason"] != "fewer_than_bids_min" or (short and failed["n"] == act["n"])
        need(right, "failed_for_too_few_bids_but_list_says_otherwise", event=act.leaf, culprit=CLOCKWORK)
        opened = [each for each in bundle.of("ready", "release", "opened") if each["freeze"] == act.leaf]
        free = not short or all(each.kind == "ready" and each["refusal"] is not None for each in opened)
        need(free, "opened_with_fewer_bids_than_minimum_e_51", event=act.leaf, culprit=PLATFORM)
    for act in bundle.of("release"):
        freeze = freezes.get(act["freeze"])
        early = freeze is None or act.at < freeze.at + tender["challenge_s"] * SECOND - SKEW
        need(not early, "release_before_challenge_window_was_over", event=act.leaf, culprit=f"trustee {act['trustee']}")
    complained = [act for act in bundle.of("ready") if act["complaints"]]
    for act in bundle.of("verdict"):
        waits = [each.at + tender["rescue_s"] * SECOND - SKEW for each in complained if each.index < act.index]
        need(not waits or act.at >= min(waits), "verdict_before_rescue_window_was_over", event=act.leaf, culprit="room")


def _check_after_report(case: Case, calendar: Calendar) -> None:
    bundle = case.bundle
    report, publicity, contract = bundle.last("report"), bundle.last("publicity"), bundle.last("contract")
    if publicity is not None and report is not None:
        last = calendar.last_to_act(legal_day(report.at), *limit(bundle, "candidates_publicity_days_max"))
        day = legal_day(publicity.moment("from"))
        need(day <= last, "publicity_may_not_begin_after_e_78", last=last, event=publicity.leaf, culprit=OWNER)
        need(
            publicity.moment("from") >= publicity.at - SKEW,
            "publicity_begins_before_it_was_published",
            event=publicity.leaf,
            culprit=OWNER,
        )
        days, unit = limit(bundle, "publicity_days_min")
        start = max(day, _starts(case, publicity))
        earliest = calendar.end(start, days, unit)
        need(
            legal_day(publicity.moment("until")) >= earliest,
            "publicity_may_not_end_before_e_79",
            earliest=earliest,
            event=publicity.leaf,
            culprit=OWNER,
        )
    for act, now in walk(case):
        if act.kind == "award":
            over = now.publicity_until is not None and act.at >= now.publicity_until - SKEW
            need(over, "award_before_publicity_was_over_e_79", event=act.leaf, culprit=OWNER)
    awards = bundle.of("award")
    if contract is not None and awards:
        last = calendar.last_to_act(legal_day(awards[-1].at), *limit(bundle, "contract_days_max"))
        need(
            legal_day(contract.at) <= last,
            "contract_may_not_be_made_after_e_87",
            last=last,
            event=contract.leaf,
            culprit=OWNER,
        )


def _check_objections(bundle: Bundle, calendar: Calendar) -> None:
    answers = {event.public.get("objection"): event for event in bundle.events if event.kind == "answer"}
    causes = {event.leaf: event for event in bundle.events if event.kind == "objection"}
    causes_seen = {act["ref"] for act in bundle.of("hold")}
    for leaf, event in causes.items():
        need(leaf in causes_seen, "objection_that_did_not_hold_process", event=leaf, culprit=CLOCKWORK)
        early = event.public.get("stage") == "bidding"
        name = "document_objection_answer_days_max" if early else "result_objection_answer_days_max"
        last = calendar.last_to_act(legal_day(event.at), *limit(bundle, name))
        answer = answers.get(leaf)
        resumed = any(act["ref"] == leaf for act in bundle.of("resume"))
        need(answer is not None or not resumed, "resumed_without_answer", event=leaf, culprit=CLOCKWORK)
        in_time = answer is None or legal_day(answer.at) <= last
        need(in_time, "answer_was_due_by_e_13_e_80", last=last, event=leaf, culprit=OWNER)
    for act in bundle.of("hold"):
        match act["reason"]:
            case "objection":
                known = act["ref"] in causes
            case "outage":
                known = any(each.leaf == act["ref"] and each["what"] == "outage" for each in bundle.of("incident"))
            case _:
                known = any(each.leaf == act["ref"] and each["what"] == "suspend" for each in bundle.of("directive"))
        need(known, "hold_without_its_objection_or_directive", event=act.leaf, culprit=CLOCKWORK)
