"""Check 4: who signed, in which role, under which power; and who may not stand on two sides (bundle.md §6).

acts.md §2 and §3 name the signers of every kind; 没有编码的行政权力一律不得实施: an act of the supervisor or the centre
needs a code of the pinned power list, held by that role and in force. 管办分离: one person acts in one family of roles,
no organisation sits in two locks, and none of owner, agent or centre in the supervision lock. 条例 §13, §34, 20号令 §23.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from hashlib import sha256
from typing import Any, Final

from crypto import jcs
from crypto.verifier.anchors import Case, Signed, signatures
from crypto.verifier.findings import CLOCKWORK, OWNER, PLATFORM, SUPERVISOR, Remarks, fail, need
from crypto.verifier.limits import legal_day
from crypto.verifier.reading import Act, Bundle, Event

CONTEXT_LABEL: Final = b"sealbid/v1 context\0"
OWNER_KINDS: Final = frozenset({"tender", "amendment", "deadline", "terminate", "publicity", "award", "contract"})
OFFICIAL_ROLES: Final = frozenset({"centre", "supervisor"})
FAMILY: Final[Mapping[str, str]] = {
    "owner": "trade",
    "agent": "trade",
    "bidder": "bidding",
    "expert": "panel",
    "centre": "operation",
    "supervisor": "supervision",
    "inspector": "supervision",
    "auditor": "supervision",
}
_ROLES: Mapping[str, frozenset[str]] = {
    "trustee": frozenset({"root"}),
    "pre_keys": frozenset({"trustee"}),
    "key": frozenset({"root"}),
    "rotate": frozenset({"root", "clockwork", "opening", "verifier"}),
    "ready": frozenset({"trustee"}),
    "release": frozenset({"trustee"}),
    "rescue": frozenset({"bidder"}),
    "verdict": frozenset({"opening", "verifier"}),
    "opened": frozenset({"opening", "verifier"}),
    "directive": frozenset({"supervisor"}),
}
_DUTY_ROLES = frozenset({"clockwork", "centre"})
_VERB = {"directive": "supervision.issue_directive"}


def check(case: Case, remarks: Remarks) -> None:
    """Check 4. Raises Failed."""
    bundle = case.bundle
    for act in bundle.hall:
        _check_role(act, _ROLES.get(act.kind, _DUTY_ROLES))
    for act in bundle.acts:
        _check_signers(case, act)
        _check_power(bundle, act.kind, str(act["role"]), act["power"], legal_day(act.at), act.leaf)
    _check_locks(case)
    _check_parties(case)
    if bundle.full:
        _check_contexts(bundle)
        for event in bundle.events:
            public = event.public
            _check_power(bundle, event.kind, str(public["role"]), public["power"], legal_day(event.at), event.leaf)
        _check_families(bundle)
    else:
        remarks.add("自然人须看完整包", "natural persons: needs the full bundle")


def _check_role(act: Act, allowed: frozenset[str]) -> None:
    need(act["role"] in allowed, f"{act.kind} 的角色不应为 {act['role']}", f"a {act.kind} act by the role {act['role']}",
         event=act.leaf, culprit=PLATFORM)  # fmt: skip


def _check_signers(case: Case, act: Act) -> None:
    signed = signatures(act)
    by = [each.by for each in signed]
    if act.kind in OWNER_KINDS:
        right = by in (["owner"], ["agent"])
        _check_role(act, frozenset(by))
    elif act.kind in ("verdict", "opened"):
        right = by == ["room", "verifier"]
        _check_role(act, _ROLES[act.kind])
    elif act.kind in ("ready", "release"):
        right = by == ["trustee"]
        _check_role(act, _ROLES[act.kind])
    elif act.kind == "rescue":
        right = by == ["bidder"]
        _check_role(act, _ROLES[act.kind])
    elif act.kind == "directive":
        right = by == ["supervisor"]
        _check_role(act, _ROLES[act.kind])
    else:
        right = by == ["duty"]
        _check_role(act, _DUTY_ROLES)
    need(right, f"{act.kind} 的签名人不对:{by}", f"a {act.kind} act signed by {by}", event=act.leaf, culprit=PLATFORM)
    for each in signed:
        _check_key(case, act, each)


def _check_key(case: Case, act: Act, signed: Signed) -> None:
    tender = case.bundle.tender
    zh, en = f"{act.kind} 不是由应签名者的密钥签名", f"the {act.kind} act is not signed with the key of its {signed.by}"
    match signed.by:
        case "owner" | "agent":
            named = tender[signed.by]
            subject = signed.subject
            same = subject is not None and named == {"name": subject.name, "uscc": subject.uscc}
            need(same, zh, en, event=act.leaf, culprit=PLATFORM)
        case "duty" | "room" | "verifier":
            pinned = tender["duty_key"] if signed.by == "duty" else tender["verdict_keys"][signed.by]
            current = _successor(case, signed.by, pinned, act.index)
            need(signed.key.hex() == current, zh, en, event=act.leaf, culprit=PLATFORM)
        case "trustee":
            seated = _seated(tender, act["lock"], act["index"]) == act["trustee"]
            appointed = case.standing.trustees.get(act["trustee"])
            same = seated and appointed is not None and signed.key.hex() == appointed["key"]
            need(same, zh, en, event=act.leaf, culprit=f"trustee {act['trustee']}")
        case "supervisor":
            right = tender["contributors"]["2"]
            same = signed.subject is not None and signed.subject.spki.hex() == right
            need(same, zh, en, event=act.leaf, culprit=SUPERVISOR)
        case "bidder":
            owners = [
                each.subject.spki
                for each in case.bundle.bids.values()
                if any(sha256(raw).hexdigest() == act["header"] for raw in each.raw)
            ]
            same = signed.subject is not None and signed.subject.spki in owners
            need(same, zh, en, event=act.leaf, culprit=PLATFORM)
        case _:
            fail(zh, en, event=act.leaf, culprit=PLATFORM)


def _successor(case: Case, purpose: str, key: str, index: int) -> str:
    """The key that took the place of `key` by rotations logged before `index`."""
    for act in case.bundle.hall:
        if act.kind == "rotate" and act["purpose"] == purpose and act["old"] == key and act.index < index:
            key = act["new"]
    return key


def _seated(tender: Act, lock: int, index: int) -> str | None:
    seats = tender["seats"]
    return seats[lock][index - 1] if lock < len(seats) and index <= len(seats[lock]) else None


def _check_power(bundle: Bundle, kind: str, role: str, power: Any, day: date, leaf: str) -> None:
    if power is None:
        bare = role in OFFICIAL_ROLES
        need(
            not bare,
            f"{role} 的 {kind} 没有权力编码",
            f"a {kind} act of the {role} without a power code",
            event=leaf,
            culprit=_who(role),
        )
        return
    row = next((each for each in bundle.rulebook["powers"] if each["code"] == power), None)
    if row is None:
        fail(f"权力清单中没有 {power}", f"no such power in the pinned list: {power}", event=leaf, culprit=_who(role))
    held = role in row["holders"] or (role == "root" and OFFICIAL_ROLES & set(row["holders"]))
    need(
        held,
        f"权力 {power} 不属于 {role}",
        f"the power {power} is not held by the {role}",
        event=leaf,
        culprit=_who(role),
    )
    verb = _VERB.get(kind)
    need(verb is None or verb in row["permissions"], f"权力 {power} 不能用于 {kind}", f"the power {power} is not for a {kind}",
         event=leaf, culprit=_who(role))  # fmt: skip
    ends = row["in_force_to"]
    in_force = date.fromisoformat(row["in_force_from"]) <= day and (ends is None or day <= date.fromisoformat(ends))
    need(
        in_force,
        f"权力 {power} 当日未生效",
        f"the power {power} was not in force that day",
        event=leaf,
        culprit=_who(role),
    )


def _who(role: str) -> str:
    return {"supervisor": SUPERVISOR, "owner": OWNER, "agent": "agent", "clockwork": CLOCKWORK}.get(role, PLATFORM)


def _check_locks(case: Case) -> None:
    tender, market = case.bundle.tender, case.bundle.rulebook["market"]
    parties = {tender["owner"]["uscc"]} | ({tender["agent"]["uscc"]} if tender["agent"] else set())
    named = {row["sector"]: set(row["organisations"]) for row in case.bundle.rulebook["lock_1"]}
    terms = case.bundle.document(tender["terms_hash"])
    project = terms.get("project") if isinstance(terms, dict) else None
    lock_1 = named.get(project.get("sector", ""), set()) if isinstance(project, dict) else set()
    seen: set[str] = set()
    for number, seats in enumerate(tender["seats"]):
        for trustee in seats:
            act = case.standing.trustees.get(trustee)
            if act is None:
                fail(
                    f"受托人 {trustee} 未登记", f"trustee {trustee} is not registered", event=tender.leaf, culprit=OWNER
                )
            uscc, seat = act["organisation"]["uscc"], act["seat"]
            need(
                uscc not in seen,
                f"同一单位占两席:{uscc}",
                f"an organisation sits twice in the roster: {uscc}",
                event=tender.leaf,
                culprit=OWNER,
            )
            seen.add(uscc)
            kinds = market["lock_seats"][number] if number < len(market["lock_seats"]) else [seat]
            need(
                seat in kinds,
                f"席位类别 {seat} 不能入第 {number} 把锁",
                f"a {seat} may not sit in lock {number}",
                event=tender.leaf,
                culprit=OWNER,
            )
            if number == 1:
                apart = uscc not in parties and seat not in ("owner", "centre")
                need(
                    apart,
                    "监督锁内有招标人、代理或中心",
                    "owner, agent or centre in the supervision lock",
                    event=tender.leaf,
                    culprit=OWNER,
                )
                need(not lock_1 or uscc in lock_1, f"监督锁内有非指定单位 {uscc}", f"not one of the rulebook's lock 1: {uscc}",
                     event=tender.leaf, culprit=OWNER)  # fmt: skip


def _check_parties(case: Case) -> None:
    bundle, tender = case.bundle, case.bundle.tender
    owner, agent = tender["owner"], tender["agent"]
    need(
        agent is None or agent["uscc"] != owner["uscc"],
        "招标人与代理为同一单位",
        "owner and agent are one",
        event=tender.leaf,
        culprit=OWNER,
    )
    barred = {owner["uscc"]: "owner"} | ({agent["uscc"]: "agent"} if agent else {})
    for seats in tender["seats"]:
        for trustee in seats:
            barred[case.standing.trustees[trustee]["organisation"]["uscc"]] = f"trustee {trustee}"
    for row in bundle.frozen:
        subject = bundle.bids[row["bid"]].subject
        need(subject.uscc not in barred, f"{subject.name} 同时是 {barred.get(subject.uscc)}(E-31、E-32)",
             f"{subject.name} bids and is also the {barred.get(subject.uscc)} (E-31, E-32)",
             event=row["submission"], culprit=f"bidder {row['bid']}")  # fmt: skip


def _check_contexts(bundle: Bundle) -> None:
    wanted = {act.index: act for act in bundle.acts if act["context"] is not None}
    indexes = [row["index"] for row in bundle.contexts]
    need(
        indexes == sorted(wanted),
        "行为背景与行为不对应",
        "contexts do not match the acts",
        event="private/contexts.jsonl",
        culprit=PLATFORM,
    )
    for row in bundle.contexts:
        act = wanted[row["index"]]
        hashed = sha256(CONTEXT_LABEL + bytes.fromhex(row["salt"]) + jcs.dumps(row["context"])).hexdigest()
        need(hashed == act["context"], f"{act.kind} 的行为背景被改动", f"the context of the {act.kind} act is not the one logged",
             event=act.leaf, culprit=PLATFORM)  # fmt: skip


def _check_families(bundle: Bundle) -> None:
    wanted = {act.index: act for act in bundle.acts if act["context"] is not None}
    seen: dict[str, tuple[str, str]] = {}
    acted: list[tuple[str, str, str]] = [
        (str(row["context"].get("person")), str(wanted[row["index"]]["role"]), wanted[row["index"]].leaf)
        for row in bundle.contexts
    ]
    acted += [(_person(event), str(event.public["role"]), event.leaf) for event in bundle.events]
    for person, role, leaf in acted:
        family = FAMILY.get(role)
        if family is None:
            continue
        other, _ = seen.setdefault(person, (family, leaf))
        need(other == family, f"{person} 同时以 {other} 与 {family} 身份行事", f"{person} acted as {other} and as {family}",
             event=leaf, culprit=PLATFORM)  # fmt: skip


def _person(event: Event) -> str:
    return str(event.confidential.get("person"))
