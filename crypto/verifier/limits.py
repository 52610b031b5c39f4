"""Check 3: the order of acts and every time limit, recounted from the rulebook and calendar the notice pinned.

A second, plain implementation (it shares no code with trading/): bundle.md §4, §6, §7. T-01 the first day is not counted,
T-02 a limit to act rolls over days off and a minimum period does not, T-07 the rulebook is that of the notice's day; E-07
E-09 E-13 E-50 E-78 E-79 E-80 E-87. Legal days are days in Asia/Shanghai (+08:00). What witnesses stamped counts more
than what the hall wrote: a period starts at most one day before its act was witnessed.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta, timezone
from typing import Any, Final

from crypto.verifier.anchors import Case
from crypto.verifier.findings import CLOCKWORK, OWNER, PLATFORM, Remarks, fail, need
from crypto.verifier.reading import Act, Bundle

CHINA: Final = timezone(timedelta(hours=8))
DAY: Final = timedelta(days=1)
SKEW: Final = timedelta(seconds=60)
SECOND: Final = timedelta(seconds=1)
# A year without a holiday notice knows only the days whose date is fixed (全国年节及纪念日放假办法).
FIXED_DAYS_OFF: Final = frozenset({(1, 1), (5, 1), (5, 2), (10, 1), (10, 2), (10, 3)})

_DRAW = {"draw_pool": "", "draw_close": ""}
_RESULT = {"draw_result": "", "recusal": ""}
_TRUSTEES = {"refused": "", "ready": "", "rescue": "", "release": ""}
# state → kind → next state ("" = the same); bundle.md §7.
_NEXT: Mapping[str, Mapping[str, str]] = {
    "bidding": {"amendment": "", "deadline": "", "close": "closed", "terminate": "ended", **_DRAW},
    "closed": {"freeze": "frozen", "terminate": "ended", **_DRAW},
    "frozen": {
        **{"freeze": "", "failed": "ended", "terminate": "ended"},
        **_TRUSTEES,
        "release": "opening",
        **_DRAW,
        **_RESULT,
    },
    "opening": {"freeze": "", "verdict": "", "opened": "opened", **_TRUSTEES, **_DRAW, **_RESULT},
    "opened": {
        **{"freeze": "opening", "scores_committed": "committed", "failed": "ended"},
        **_TRUSTEES,
        **_DRAW,
        **_RESULT,
    },
    "committed": {"scores_locked": "locked", "failed": "ended", **_DRAW},
    "locked": {"report": "reported", "failed": "ended"},
    "reported": {"publicity": "published", "failed": "ended"},
    "published": {"award": "awarded", "failed": "ended"},
    "awarded": {"award": "", "contract": "contracted", "failed": "ended"},
    "contracted": {},
    "ended": {},
}
_ANYWHERE = frozenset({"hold", "resume", "directive", "incident"})
_WHILE_HELD = _ANYWHERE | {"amendment", "deadline", "terminate", "refused", "ready"}
_STAMPED = ("tender", "amendment", "deadline", "publicity")


@dataclass(frozen=True, slots=True)
class Calendar:
    """The pinned calendar: days off and weekend days worked, by year."""

    off: Mapping[int, frozenset[date]]
    on: frozenset[date]

    @classmethod
    def of(cls, rulebook: Mapping[str, Any]) -> Calendar:
        """Read from the rulebook object; a year without a table is a stand-in with the fixed days."""
        off = {row["year"]: frozenset(map(date.fromisoformat, row["off"])) for row in rulebook["calendar"]}
        return cls(off, frozenset(date.fromisoformat(day) for row in rulebook["calendar"] for day in row["on"]))

    def works(self, day: date) -> bool:
        """Whether the day is a working day."""
        if day in self.on:
            return True
        off = day in self.off[day.year] if day.year in self.off else (day.month, day.day) in FIXED_DAYS_OFF
        return day.weekday() < 5 and not off

    def end(self, start: date, count: int, unit: str) -> date:
        """The count-th day after `start`, which is not counted (T-01)."""
        if unit == "day":
            return start + count * DAY
        day = start
        while count:
            day += DAY
            count -= self.works(day)
        return day

    def last_to_act(self, start: date, count: int, unit: str) -> date:
        """The last day of a time limit: rolled to the next working day (T-02)."""
        day = self.end(start, count, unit)
        while not self.works(day):
            day += DAY
        return day


@dataclass(slots=True)
class Timeline:
    """What the acts make of time: the deadline in force, publicity's end, and what holds, act by act."""

    deadline: datetime
    publicity_until: datetime | None = None
    held: dict[str, Act] = field(default_factory=dict)
    suspended: bool = False
    void: list[Act] = field(default_factory=list)

    @property
    def holds(self) -> bool:
        return bool(self.held) or self.suspended


def legal_day(instant: datetime) -> date:
    """The date in Asia/Shanghai."""
    return instant.astimezone(CHINA).date()


def timeline(case: Case, *, until: int | None = None) -> Timeline:
    """The timeline over the acts with an index below `until` (all when None). Raises Failed."""
    last = Timeline(case.bundle.tender.moment("deadline"))
    for act, state in walk(case):
        if until is not None and act.index >= until:
            break
        last = state
    return last


def walk(case: Case) -> Iterator[tuple[Act, Timeline]]:
    """Every act of the tender with the timeline after it (one object that changes). Raises Failed."""
    now = Timeline(case.bundle.tender.moment("deadline"))
    for act in case.bundle.acts:
        match act.kind:
            case "amendment" | "deadline" if act["deadline"] is not None:
                if _admissible(case, act, now):
                    now.deadline = act.moment("deadline")
                else:
                    now.void.append(act)
            case "hold":
                need(
                    act["ref"] not in now.held,
                    "重复暂停",
                    "a second hold for one cause",
                    event=act.leaf,
                    culprit=CLOCKWORK,
                )
                _check_left(act, now)
                now.held[act["ref"]] = act
            case "resume":
                _resume(act, now)
            case "directive" if act["what"] in ("suspend", "resume"):
                now.suspended = act["what"] == "suspend"
            case "publicity":
                now.publicity_until = act.moment("until")
            case _:
                pass
        yield act, now


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
        remarks.add("异议与答复的期限须看完整包", "time limits of objections: needs the full bundle")


def limit(bundle: Bundle, name: str) -> tuple[int, str]:
    """(value, unit) of a limit of the pinned rulebook. Raises Failed when it has none of that name."""
    row = bundle.rulebook["limits"].get(name)
    if row is None:
        fail(f"规则中没有限值 {name}", f"the rulebook has no limit {name}", event=bundle.tender.leaf, culprit=PLATFORM)
    return int(row["value"]), str(row["unit"])


def _admissible(case: Case, act: Act, now: Timeline) -> bool:
    """Later than the one it replaces, before close, and witnessed before that deadline (or a hold or outage covers it)."""
    close = case.bundle.last("close")
    if act.moment("deadline") <= now.deadline or (close is not None and act.index > close.index):
        return False
    stamp = case.stamp(act.index)
    if stamp is None or stamp < now.deadline or now.holds:
        return True
    outages = (each for each in case.bundle.of("incident") if each.index < act.index)
    return any(each.moment("from") <= now.deadline <= each.moment("to") for each in outages)


def _check_left(act: Act, now: Timeline) -> None:
    end = now.deadline if act["stage"] == "bidding" else now.publicity_until
    need(
        end is not None,
        "公示前的公示期暂停",
        "a hold of a publicity that has not begun",
        event=act.leaf,
        culprit=CLOCKWORK,
    )
    left = max((end - act.at).total_seconds(), 0) if end is not None else 0
    need(abs(left - act["left_s"]) <= 1, f"暂停时剩余时间应为 {int(left)} 秒", f"{int(left)} seconds were left, not {act['left_s']}",
         event=act.leaf, culprit=CLOCKWORK)  # fmt: skip


def _resume(act: Act, now: Timeline) -> None:
    hold = now.held.pop(act["ref"], None)
    if hold is None:
        fail("恢复没有对应的暂停", "a resume without its hold", event=act.leaf, culprit=CLOCKWORK)
    until = act.moment("until")
    long_enough = until - act.at >= hold["left_s"] * SECOND - SECOND
    need(
        long_enough,
        "恢复后剩余时间少于暂停前",
        "less time after the hold than before it",
        event=act.leaf,
        culprit=CLOCKWORK,
    )
    if hold["stage"] == "bidding":
        need(until == now.deadline, "恢复所载截止时间不是现行截止时间", "the resume does not give the deadline in force",
             event=act.leaf, culprit=CLOCKWORK)  # fmt: skip
    elif now.publicity_until is not None:
        now.publicity_until = max(until, now.publicity_until)


def _check_rulebook(bundle: Bundle) -> None:
    act, book = bundle.tender, bundle.rulebook
    day = legal_day(act.at)
    in_force = date.fromisoformat(book["effective_from"]) <= day
    in_force &= book["effective_to"] is None or day <= date.fromisoformat(book["effective_to"])
    need(in_force, "公告当日所引规则未生效(T-07)", "the rulebook was not in force on the day of the notice (T-07)",
         event=act.leaf, culprit=OWNER)  # fmt: skip
    region = book["region"] in ("000000", act["region"], act["region"][:2] + "0000")
    same = book["id"] == act["rulebook"]["id"] and book["market"]["code"] == act["market"] and region
    need(
        same,
        "规则与公告的市场、地区或编号不符",
        "the rulebook is of another market, region or id",
        event=act.leaf,
        culprit=OWNER,
    )
    for field_name, name in (
        ("bids_min", "bids_min"),
        ("settle_s", "settle_seconds_min"),
        ("challenge_s", "challenge_seconds_min"),
        ("rescue_s", "rescue_seconds_min"),
    ):
        least, _ = limit(bundle, name)
        need(act[field_name] >= least, f"{field_name} 低于规则下限 {least}", f"{field_name} is below the rulebook's {least}",
             event=act.leaf, culprit=OWNER)  # fmt: skip


def _check_order(case: Case, remarks: Remarks) -> None:
    state, before = "bidding", case.bundle.tender
    now = Timeline(case.bundle.tender.moment("deadline"))
    for act, now in walk(case):
        if act is before:
            continue
        need(act.at >= before.at - SKEW, f"行为 {act.kind} 的时间早于前一行为", f"the {act.kind} act is earlier than the act before it",
             event=act.leaf, culprit=PLATFORM)  # fmt: skip
        allowed = act.kind in _ANYWHERE or act.kind in _NEXT[state]
        need(allowed, f"{state} 状态下不得有 {act.kind}", f"no {act.kind} act may follow in state {state}",
             event=act.leaf, culprit=PLATFORM)  # fmt: skip
        free = not now.holds or act.kind in _WHILE_HELD
        free &= not (now.holds and act.kind == "ready" and act["refusal"] is None)
        need(free, f"暂停期间不得有 {act.kind}(E-13、E-80)", f"a {act.kind} act while the process was held (E-13, E-80)",
             event=act.leaf, culprit=PLATFORM)  # fmt: skip
        state = _NEXT[state].get(act.kind, "") or state
        before = act
    for act in now.void:
        remarks.add(
            f"延期行为 {act.leaf[:16]} 未在原截止前被见证,无效",
            f"extension {act.leaf[:16]} was not witnessed in time: void",
        )
    remarks.add(f"到达状态:{state}", f"state reached: {state}")


def _check_stamps(case: Case) -> None:
    bundle = case.bundle
    asked = {act["checkpoint"]["size"] for act in bundle.of("ready")}
    asked |= {case.covering(act.index) for act in bundle.of(*_STAMPED)}
    extra = min((size for size in bundle.notes if size not in asked and size != bundle.size), default=None)
    need(
        extra is None,
        f"多余的检查点 {extra}",
        f"a checkpoint that no rule asks for: {extra}",
        event=f"log/checkpoints/{extra}",
    )
    if case.trust is None:
        return
    seen: dict[str, datetime] = {}
    for size in sorted(bundle.notes):
        quorum = case.quorum(size)
        for each in quorum.cosigned if quorum is not None else ():
            name = each.witness.name
            need(seen.get(name, each.at) <= each.at, f"见证人 {name} 的时间倒退", f"the stamps of witness {name} go back",
                 event=f"log/checkpoints/{size}", culprit=f"witness {name}")  # fmt: skip
            seen[name] = each.at
    for act in bundle.acts:
        stamp = case.stamp(act.index)
        need(stamp is None or act.at <= stamp + SKEW, f"行为 {act.kind} 的时间晚于其见证时间",
             f"the {act.kind} act is dated after it was witnessed", event=act.leaf, culprit=PLATFORM)  # fmt: skip
    for act, end in ((bundle.tender, "deadline"), *((each, "until") for each in bundle.of("publicity"))):
        stamp = case.stamp(act.index)
        need(stamp is None or stamp < act.moment(end), f"{act.kind} 在期满前未被见证", f"the {act.kind} act was not witnessed before its period ended",
             event=act.leaf, culprit=PLATFORM)  # fmt: skip


def _starts(case: Case, act: Act) -> date:
    """The legal day from which a period of this act is counted: its own, or the day before it was witnessed."""
    stamp = case.stamp(act.index)
    return legal_day(act.at) if stamp is None else max(legal_day(act.at), legal_day(stamp) - DAY)


def _check_before_opening(case: Case, calendar: Calendar) -> None:
    bundle = case.bundle
    days, unit = limit(bundle, "tender_days_min")
    first = bundle.tender
    earliest = calendar.end(_starts(case, first), days, unit)
    need(legal_day(first.moment("deadline")) >= earliest, f"投标截止不得早于 {earliest}(E-07)", f"the deadline may not be before {earliest} (E-07)",
         event=first.leaf, culprit=OWNER)  # fmt: skip
    days, unit = limit(bundle, "clarification_days_min")
    version = 0
    for act, now in walk(case):
        if act.kind == "amendment":
            version += 1
            need(
                act["version"] == version,
                "澄清编号不连续",
                "amendments are not numbered 1, 2 …",
                event=act.leaf,
                culprit=OWNER,
            )
            earliest = calendar.end(_starts(case, act), days, unit)
            final = timeline(case).deadline
            need(not act["affects_bids"] or legal_day(final) >= earliest, f"影响投标的澄清后截止不得早于 {earliest}(E-09)",
                 f"after a clarification that affects bids the deadline may not be before {earliest} (E-09)",
                 event=act.leaf, culprit=OWNER)  # fmt: skip
        if act.kind == "deadline" and act not in now.void:
            was = timeline(case, until=act.index).deadline
            need(act.moment("was") == was, "延期所载原截止时间不符", "the deadline it says it replaces was not in force",
                 event=act.leaf, culprit=OWNER)  # fmt: skip
        if act.kind == "close":
            need(act.moment("deadline") == now.deadline, "截止所载时间不是现行截止时间", "closed at another deadline than the one in force",
                 event=act.leaf, culprit=CLOCKWORK)  # fmt: skip
            settled = now.deadline + first["settle_s"] * SECOND
            need(act.at >= settled, "截止行为早于截止时间加静置期(E-50)", "closed before the deadline had passed and settled (E-50)",
                 event=act.leaf, culprit=CLOCKWORK)  # fmt: skip


def _check_opening_windows(bundle: Bundle) -> None:
    tender = bundle.tender
    freezes = {act.leaf: act for act in bundle.of("freeze")}
    close = bundle.last("close")
    supplemented: str | None = None
    for act in bundle.of("freeze"):
        need(
            close is not None and act["close"] == close.leaf,
            "冻结所指截止行为不符",
            "a freeze of another close",
            event=act.leaf,
            culprit=CLOCKWORK,
        )
        need(
            act["supplements"] == supplemented,
            "补充冻结所指不符",
            "a freeze that corrects another",
            event=act.leaf,
            culprit=CLOCKWORK,
        )
        supplemented = act.leaf
        need(
            act["n"] == len(bundle.document(act["list_hash"])),
            "冻结份数不符",
            "n is not the length of the list",
            event=act.leaf,
            culprit=CLOCKWORK,
        )
        failed = bundle.last("failed")
        short = act["n"] < tender["bids_min"]
        right = failed is None or failed["reason"] != "fewer_than_bids_min" or (short and failed["n"] == act["n"])
        need(
            right,
            "流标理由与份数不符",
            "failed for too few bids, but the list says otherwise",
            event=act.leaf,
            culprit=CLOCKWORK,
        )
        opened = [each for each in bundle.of("ready", "release", "opened") if each["freeze"] == act.leaf]
        free = not short or all(each.kind == "ready" and each["refusal"] is not None for each in opened)
        need(
            free,
            "投标人不足却开标(E-51)",
            "opened with fewer bids than the minimum (E-51)",
            event=act.leaf,
            culprit=PLATFORM,
        )
    for act in bundle.of("release"):
        freeze = freezes.get(act["freeze"])
        early = freeze is None or act.at < freeze.at + tender["challenge_s"] * SECOND - SKEW
        need(not early, "在异议窗口内释放份额", "a release before the challenge window was over",
             event=act.leaf, culprit=f"trustee {act['trustee']}")  # fmt: skip
    complained = [act for act in bundle.of("ready") if act["complaints"]]
    for act in bundle.of("verdict"):
        waits = [each.at + tender["rescue_s"] * SECOND - SKEW for each in complained if each.index < act.index]
        need(not waits or act.at >= min(waits), "解救窗口未结束即作认定", "a verdict before the rescue window was over",
             event=act.leaf, culprit="room")  # fmt: skip


def _check_after_report(case: Case, calendar: Calendar) -> None:
    bundle = case.bundle
    report, publicity, contract = bundle.last("report"), bundle.last("publicity"), bundle.last("contract")
    if publicity is not None and report is not None:
        last = calendar.last_to_act(legal_day(report.at), *limit(bundle, "candidates_publicity_days_max"))
        day = legal_day(publicity.moment("from"))
        need(
            day <= last,
            f"公示不得晚于 {last}(E-78)",
            f"publicity may not begin after {last} (E-78)",
            event=publicity.leaf,
            culprit=OWNER,
        )
        need(publicity.moment("from") >= publicity.at - SKEW, "公示开始早于公示行为", "publicity begins before it was published",
             event=publicity.leaf, culprit=OWNER)  # fmt: skip
        days, unit = limit(bundle, "publicity_days_min")
        start = max(day, _starts(case, publicity))
        earliest = calendar.end(start, days, unit)
        need(legal_day(publicity.moment("until")) >= earliest, f"公示不得早于 {earliest} 结束(E-79)", f"publicity may not end before {earliest} (E-79)",
             event=publicity.leaf, culprit=OWNER)  # fmt: skip
    for act, now in walk(case):
        if act.kind == "award":
            over = now.publicity_until is not None and act.at >= now.publicity_until - SKEW
            need(
                over,
                "公示期未满即定标(E-79)",
                "an award before publicity was over (E-79)",
                event=act.leaf,
                culprit=OWNER,
            )
    awards = bundle.of("award")
    if contract is not None and awards:
        last = calendar.last_to_act(legal_day(awards[-1].at), *limit(bundle, "contract_days_max"))
        need(legal_day(contract.at) <= last, f"合同不得晚于 {last} 订立(E-87)", f"the contract may not be made after {last} (E-87)",
             event=contract.leaf, culprit=OWNER)  # fmt: skip


def _check_objections(bundle: Bundle, calendar: Calendar) -> None:
    answers = {event.public.get("objection"): event for event in bundle.events if event.kind == "answer"}
    causes = {event.leaf: event for event in bundle.events if event.kind == "objection"}
    causes_seen = {act["ref"] for act in bundle.of("hold")}
    for leaf, event in causes.items():
        need(
            leaf in causes_seen,
            "异议未暂停程序",
            "an objection that did not hold the process",
            event=leaf,
            culprit=CLOCKWORK,
        )
        early = event.public.get("stage") == "bidding"
        name = "document_objection_answer_days_max" if early else "result_objection_answer_days_max"
        last = calendar.last_to_act(legal_day(event.at), *limit(bundle, name))
        answer = answers.get(leaf)
        resumed = any(act["ref"] == leaf for act in bundle.of("resume"))
        need(
            answer is not None or not resumed,
            "异议未答复即恢复",
            "resumed without an answer",
            event=leaf,
            culprit=CLOCKWORK,
        )
        in_time = answer is None or legal_day(answer.at) <= last
        need(
            in_time,
            f"异议答复不得晚于 {last}(E-13、E-80)",
            f"the answer was due by {last} (E-13, E-80)",
            event=leaf,
            culprit=OWNER,
        )
    for act in bundle.of("hold"):
        known = (
            act["ref"] in causes
            if act["reason"] == "objection"
            else any(each.leaf == act["ref"] and each["what"] == "suspend" for each in bundle.of("directive"))
        )
        need(known, "暂停没有原因", "a hold without its objection or directive", event=act.leaf, culprit=CLOCKWORK)
