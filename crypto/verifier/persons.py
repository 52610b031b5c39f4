"""Check 4: who signed, in which role, under which power; and who may not stand on two sides (bundle.md §6).

acts.md §2 and §3 name the signers of every kind; 没有编码的行政权力一律不得实施: an act of the supervisor or the centre
needs a code of the pinned power list, held by that role and in force. 管办分离: one person acts in one family of roles,
no organisation sits in two locks, none of owner, agent or centre in the supervision lock. 条例 §13, §34, 20号令 §23.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from hashlib import sha256
from typing import Any, Final

from crypto import jcs
from crypto.verifier.anchors import Case, Signed, signatures
from crypto.verifier.findings import CLOCKWORK, OWNER, PLATFORM, SUPERVISOR, Remarks, fail, need
from crypto.verifier.shown import Act, Bundle, Event
from crypto.verifier.timeline import legal_day

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
        remarks.add("natural_persons_needs_full_bundle")


def _check_role(act: Act, allowed: frozenset[str]) -> None:
    need(act["role"] in allowed, "act_by_role", kind=act.kind, role=act["role"], event=act.leaf, culprit=PLATFORM)


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
    need(right, "act_signed_by", kind=act.kind, by=by, event=act.leaf, culprit=PLATFORM)
    for each in signed:
        _check_key(case, act, each)


def _check_key(case: Case, act: Act, signed: Signed) -> None:
    tender = case.bundle.tender
    match signed.by:
        case "owner" | "agent":
            named = tender[signed.by]
            subject = signed.subject
            same = subject is not None and named == {"name": subject.name, "uscc": subject.uscc}
            need(
                same, "act_is_not_signed_with_key_of_its", kind=act.kind, by=signed.by, event=act.leaf, culprit=PLATFORM
            )
        case "duty" | "room" | "verifier":
            pinned = tender["duty_key"] if signed.by == "duty" else tender["verdict_keys"][signed.by]
            current = _successor(case, signed.by, pinned, act.index)
            need(
                signed.key.hex() == current,
                "act_is_not_signed_with_key_of_its",
                kind=act.kind,
                by=signed.by,
                event=act.leaf,
                culprit=PLATFORM,
            )
        case "trustee":
            seated = _seated(tender, act["lock"], act["index"]) == act["trustee"]
            appointed = case.standing.trustees.get(act["trustee"])
            same = seated and appointed is not None and signed.key.hex() == appointed["key"]
            need(
                same,
                "act_is_not_signed_with_key_of_its",
                kind=act.kind,
                by=signed.by,
                event=act.leaf,
                culprit=f"trustee {act['trustee']}",
            )
        case "supervisor":
            right = tender["contributors"]["2"]
            same = signed.subject is not None and signed.subject.spki.hex() == right
            need(
                same,
                "act_is_not_signed_with_key_of_its",
                kind=act.kind,
                by=signed.by,
                event=act.leaf,
                culprit=SUPERVISOR,
            )
        case "bidder":
            owners = [
                each.subject.spki
                for each in case.bundle.bids.values()
                if any(sha256(raw).hexdigest() == act["header"] for raw in each.raw)
            ]
            same = signed.subject is not None and signed.subject.spki in owners
            need(
                same, "act_is_not_signed_with_key_of_its", kind=act.kind, by=signed.by, event=act.leaf, culprit=PLATFORM
            )
        case _:
            fail("act_is_not_signed_with_key_of_its", kind=act.kind, by=signed.by, event=act.leaf, culprit=PLATFORM)


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
        need(not bare, "act_of_without_power_code", kind=kind, role=role, event=leaf, culprit=_who(role))
        return
    row = next((each for each in bundle.rulebook["powers"] if each["code"] == power), None)
    if row is None:
        fail("no_such_power_in_pinned_list", power=power, event=leaf, culprit=_who(role))
    held = role in row["holders"] or (role == "root" and OFFICIAL_ROLES & set(row["holders"]))
    need(held, "power_is_not_held_by", power=power, role=role, event=leaf, culprit=_who(role))
    verb = _VERB.get(kind)
    need(
        verb is None or verb in row["permissions"],
        "power_is_not_for",
        power=power,
        kind=kind,
        event=leaf,
        culprit=_who(role),
    )
    ends = row["in_force_to"]
    in_force = date.fromisoformat(row["in_force_from"]) <= day and (ends is None or day <= date.fromisoformat(ends))
    need(in_force, "power_was_not_in_force_that_day", power=power, event=leaf, culprit=_who(role))


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
                fail("trustee_is_not_registered", trustee=trustee, event=tender.leaf, culprit=OWNER)
            uscc, seat = act["organisation"]["uscc"], act["seat"]
            need(uscc not in seen, "organisation_sits_twice_in_roster", uscc=uscc, event=tender.leaf, culprit=OWNER)
            seen.add(uscc)
            kinds = market["lock_seats"][number] if number < len(market["lock_seats"]) else [seat]
            need(seat in kinds, "may_not_sit_in_lock", seat=seat, number=number, event=tender.leaf, culprit=OWNER)
            if number == 1:
                apart = uscc not in parties and seat not in ("owner", "centre")
                need(apart, "owner_agent_or_centre_in_supervision_lock", event=tender.leaf, culprit=OWNER)
                need(
                    not lock_1 or uscc in lock_1,
                    "not_one_of_rulebooks_lock_1",
                    uscc=uscc,
                    event=tender.leaf,
                    culprit=OWNER,
                )


def _check_parties(case: Case) -> None:
    bundle, tender = case.bundle, case.bundle.tender
    owner, agent = tender["owner"], tender["agent"]
    need(agent is None or agent["uscc"] != owner["uscc"], "owner_and_agent_are_one", event=tender.leaf, culprit=OWNER)
    barred = {owner["uscc"]: "owner"} | ({agent["uscc"]: "agent"} if agent else {})
    for seats in tender["seats"]:
        for trustee in seats:
            barred[case.standing.trustees[trustee]["organisation"]["uscc"]] = f"trustee {trustee}"
    for row in bundle.frozen:
        subject = bundle.bids[row["bid"]].subject
        need(
            subject.uscc not in barred,
            "bids_and_is_also_e_31_e_32",
            name=subject.name,
            barred=barred.get(subject.uscc),
            event=row["submission"],
            culprit=f"bidder {row['bid']}",
        )


def _check_contexts(bundle: Bundle) -> None:
    wanted = {act.index: act for act in bundle.acts if act["context"] is not None}
    indexes = [row["index"] for row in bundle.contexts]
    need(indexes == sorted(wanted), "contexts_do_not_match_acts", event="private/contexts.jsonl", culprit=PLATFORM)
    for row in bundle.contexts:
        act = wanted[row["index"]]
        hashed = sha256(CONTEXT_LABEL + bytes.fromhex(row["salt"]) + jcs.dumps(row["context"])).hexdigest()
        need(
            hashed == act["context"],
            "context_of_act_is_not_one_logged",
            kind=act.kind,
            event=act.leaf,
            culprit=PLATFORM,
        )


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
        need(
            other == family, "acted_as_and_as", person=person, other=other, family=family, event=leaf, culprit=PLATFORM
        )


def _person(event: Event) -> str:
    return str(event.confidential.get("person"))
