"""Check 1: everything that is trusted leads back to trust.json, and to nothing in the bundle itself (bundle.md §6).

Log and witnesses sign the checkpoints, the two roots sign trustees and keys, trustees sign their pre-keys, licensed
authorities sign the certificates of organisations. `Standing` is the hall's history of keys as these signatures prove
it; the later checks ask it who may sign what. Whoever made a bundle chose everything in it but the anchors.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial

from crypto import certificates, signing
from crypto.ledger import note
from crypto.refusal import Refused
from crypto.roster import Roster
from crypto.trust import Trust
from crypto.verifier.crew import Crew
from crypto.verifier.findings import OWNER, PLATFORM, Remarks, fail, judge, need
from crypto.verifier.shown import Act, Bundle

GROUP_OF_LOCK: Mapping[int, str] = {0: "operation", 1: "supervision"}
ROOT_OF_PURPOSE: Mapping[str, str] = {"duty": "centre", "room": "centre", "verifier": "supervision"}


@dataclass(frozen=True, slots=True)
class Signed:
    """One verified signature: the function it claims, its key (hex of Ed25519, or certificate DER), and the subject."""

    by: str
    key: bytes
    subject: certificates.Subject | None


@dataclass(slots=True)
class Standing:
    """The hall's acts read in order: who is a trustee, whose pre-key a key is, which key served a purpose when."""

    trustees: dict[str, Act] = field(default_factory=dict)
    pre_keys: dict[str, tuple[str, int]] = field(default_factory=dict)
    keys: dict[str, list[tuple[int, str]]] = field(default_factory=dict)

    def key(self, purpose: str, index: int) -> str | None:
        """The key (hex) that served `purpose` when the leaf `index` was logged."""
        return next((key for since, key in reversed(self.keys.get(purpose, [])) if since < index), None)


@dataclass(slots=True)
class Case:
    """A bundle, the anchors it is judged by (`trust` None when the caller brought none), and who helps to judge."""

    bundle: Bundle
    trust: Trust | None
    crew: Crew = field(default_factory=Crew)
    standing: Standing = field(default_factory=Standing)
    quorums: dict[int, note.Quorum] = field(default_factory=dict)

    def quorum(self, size: int) -> note.Quorum | None:
        """The proved quorum over the checkpoint of this size; None without anchors. Raises Failed."""
        if self.trust is None:
            return None
        if size not in self.quorums:
            self.quorums[size] = _quorum(self.bundle.notes[size], self.trust, _path(self.bundle, size))
        return self.quorums[size]

    def covering(self, index: int) -> int | None:
        """The size of the smallest checkpoint shown that covers the leaf `index`."""
        return min((size for size in self.bundle.notes if size > index), default=None)

    def stamp(self, index: int) -> datetime | None:
        """When a quorum had seen the leaf `index`; None without anchors."""
        size = self.covering(index)
        if size is None:
            fail("act_that_no_checkpoint_covers", culprit=PLATFORM)
        quorum = self.quorum(size)
        return None if quorum is None else quorum.complete_at


def check(case: Case, remarks: Remarks) -> None:
    """Check 1. Raises Failed."""
    case.standing = read_standing(case.bundle)
    if case.trust is None:
        found = fingerprints(case.bundle)
        fail("not_anchored_no_trust", found="; ".join(found))
    for size in sorted(case.bundle.notes):
        case.quorum(size)
        _check_lines(case.bundle.notes[size], case.trust, _path(case.bundle, size))
    for act in case.bundle.hall:
        _check_hall_act(act, case.trust, case.standing)
    _check_tender(case)
    _check_roster(case)
    _check_certificates(case)
    remarks.add("log_trust_json", origin=case.trust.origin, fingerprint=case.trust.fingerprint[:16])


def signatures(act: Act) -> list[Signed]:
    """Every signature of an act, verified, in order. Raises Failed."""
    proved = judge(
        lambda: signing.verify_act(act.body), "acts_signature", kind=act.kind, event=act.leaf, culprit=PLATFORM
    )
    read = []
    for each in proved:
        certificate = each.certificate
        subject = None if certificate is None else certificates.read_subject(certificate)
        read.append(Signed(each.by, each.key, subject))
    return read


def read_standing(bundle: Bundle) -> Standing:
    """The history of keys as the hall's acts tell it; their signatures are judged by `check`. Raises Failed."""
    standing = Standing()
    for act in bundle.hall:
        match act.kind:
            case "trustee":
                known = act["trustee"] in standing.trustees
                need(not known, "trustee_is_registered_twice", trustee=act["trustee"], event=act.leaf, culprit=PLATFORM)
                standing.trustees[act["trustee"]] = act
            case "pre_keys":
                for key in act["keys"]:
                    need(
                        key not in standing.pre_keys,
                        "pre_key_stands_twice",
                        key=key,
                        event=act.leaf,
                        culprit=f"trustee {act['trustee']}",
                    )
                    standing.pre_keys[key] = (act["trustee"], act.index)
            case "key":
                standing.keys.setdefault(act["purpose"], []).append((act.index, act["key"]))
            case "rotate":
                need(
                    standing.key(act["purpose"], act.index) == act["old"],
                    "rotation_of_key_that_is_not_in_use",
                    event=act.leaf,
                    culprit=PLATFORM,
                )
                standing.keys[act["purpose"]].append((act.index, act["new"]))
            case _:
                pass
    return standing


def fingerprints(bundle: Bundle) -> list[str]:
    """What a bundle says of its own anchors, for a person to compare with what is published."""
    top = bundle.notes[bundle.size]
    found = [f"log {top.text.splitlines()[0]}"]
    found += [f"note key {line.name} {line.key_id.hex()}" for line in top.signatures]
    roots: dict[str, None] = {}
    for act in bundle.hall:
        for entry in act["signatures"]:
            if entry["by"].startswith("root_"):
                roots[f"{entry['by']} {entry['key'][:16]}"] = None
    return found + list(roots)


def _quorum(shown: note.Note, trust: Trust, path: str) -> note.Quorum:
    try:
        return note.verify_quorum(shown, trust)
    except Refused as refused:
        culprit = f"witness {refused.facts['witness']}" if "witness" in refused.facts else PLATFORM
        fail("checkpoint_does_not_hold", event=path, culprit=culprit, cause=refused)


def _check_lines(shown: note.Note, trust: Trust, path: str) -> None:
    """A bundle carries no line that nobody can verify."""
    keys = [trust.log, *(witness.key for witness in trust.witnesses)]
    stranger = next((line for line in shown.signatures if not any(line.is_of(key) for key in keys)), None)
    need(
        stranger is None, "signature_line_of_unknown_key", name=stranger and stranger.name, event=path, culprit=PLATFORM
    )


def _check_hall_act(act: Act, trust: Trust, standing: Standing) -> None:
    signed = signatures(act)
    roots = trust.trustee_roots
    match act.kind:
        case "trustee":
            right = [("root_centre", roots["centre"]), ("root_supervision", roots["supervision"])]
            found = sorted((each.by, each.key) for each in signed)
        case "pre_keys":
            trustee = standing.trustees.get(act["trustee"])
            known = trustee is not None and trustee.index < act.index
            right = [("trustee", bytes.fromhex(trustee["key"]))] if trustee is not None and known else []
            found = [(each.by, each.key) for each in signed]
        case "key":
            side = ROOT_OF_PURPOSE[act["purpose"]]
            right = [(f"root_{side}", roots[side])]
            found = [(each.by, each.key) for each in signed]
        case "rotate":
            side = ROOT_OF_PURPOSE[act["purpose"]]
            right = [(act["purpose"], bytes.fromhex(act["old"])), (f"root_{side}", roots[side])]
            found = [(each.by, each.key) for each in signed]
        case _:
            duty = standing.key("duty", act.index)
            right = [("duty", bytes.fromhex(duty))] if duty else []
            found = [(each.by, each.key) for each in signed]
    need(
        right and found == right,
        "halls_act_is_not_signed_by_roots_of_trust_json_or_right_key",
        kind=act.kind,
        event=act.leaf,
        culprit=PLATFORM,
    )


def _check_tender(case: Case) -> None:
    act, standing = case.bundle.tender, case.standing
    assert case.trust is not None
    for purpose, key in (
        ("duty", act["duty_key"]),
        ("room", act["verdict_keys"]["room"]),
        ("verifier", act["verdict_keys"]["verifier"]),
    ):
        need(
            standing.key(purpose, act.index) == key,
            "notices_key_is_not_one_that_its_root_signed",
            purpose=purpose,
            event=act.leaf,
            culprit=PLATFORM,
        )
    for number, side in (("1", "centre"), ("2", "supervision")):
        right = act["contributors"][number] == case.trust.contributors[side].hex()
        need(right, "contributor_is_not_trust_jsons", number=number, side=side, event=act.leaf, culprit=OWNER)
    judge(
        lambda: signing.p256_public(bytes.fromhex(act["contributors"]["3"])),
        "owners_contributor_key",
        event=act.leaf,
        culprit=OWNER,
    )


def _check_roster(case: Case) -> None:
    act, standing = case.bundle.tender, case.standing
    roster = judge(lambda: Roster.decode(bytes.fromhex(act["roster"])), "roster", event=act.leaf, culprit=OWNER)
    sizes = [lock.n for lock in roster.locks]
    need([len(seats) for seats in act["seats"]] == sizes, "seats_do_not_match_roster", event=act.leaf)
    named = [trustee for seats in act["seats"] for trustee in seats]
    need(len(set(named)) == len(named), "trustee_holds_two_seats", event=act.leaf, culprit=OWNER)
    for number, (lock, seats) in enumerate(zip(roster.locks, act["seats"], strict=True)):
        for key, trustee in zip(lock.keys, seats, strict=True):
            appointed = standing.trustees.get(trustee)
            known = appointed is not None and appointed.index < act.index
            need(known, "trustee_was_not_appointed_before_notice", trustee=trustee, event=act.leaf, culprit=OWNER)
            owner, since = standing.pre_keys.get(key.hex(), ("", act.index))
            need(
                owner == trustee and since < act.index,
                "key_of_seat_is_not_one_of_its_pre_keys",
                trustee=trustee,
                event=act.leaf,
                culprit=OWNER,
            )
            group = appointed["group"] if appointed is not None else ""
            need(
                group == GROUP_OF_LOCK.get(number, group),
                "trustee_is_not_of_lock_s_side",
                trustee=trustee,
                number=number,
                event=act.leaf,
                culprit=OWNER,
            )


def _check_certificates(case: Case) -> None:
    assert case.trust is not None
    roots = case.trust.ca_roots
    for act in case.bundle.acts:
        for signed in signatures(act):
            if signed.subject is not None:
                judge(
                    lambda key=signed.key, at=act.at: certificates.verify_chain(key, roots, at=at),  # type: ignore[misc]
                    "certificate_of_does_not_lead_to_authority_of_trust_json",
                    name=signed.subject.name,
                    event=act.leaf,
                    culprit=signed.by,
                )
    shown = [(bid, submission.certificate, submission.at) for bid, submission in case.bundle.bids.items()]
    for _ in case.crew.each(partial(_check_bidder, roots), shown):
        pass


def _check_bidder(roots: tuple[bytes, ...], shown: tuple[str, bytes, datetime]) -> None:
    bid, certificate, at = shown
    judge(
        lambda: certificates.verify_chain(certificate, roots, at=at),
        "certificate_of_bid_does_not_lead_to_authority_of_trust_json",
        bid=bid[:16],
        event=f"bids/{bid}/submission.json",
        culprit=f"bidder {bid}",
    )


def _path(bundle: Bundle, size: int) -> str:
    return "log/checkpoint" if size == bundle.size else f"log/checkpoints/{size}"
