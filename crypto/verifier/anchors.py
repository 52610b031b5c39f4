"""Check 1: everything that is trusted leads back to trust.json, and to nothing in the bundle itself (bundle.md §6).

Log and witnesses sign the checkpoints, the two roots sign trustees and keys, trustees sign their pre-keys, licensed
authorities sign the certificates of organisations. `Standing` is the hall's history of keys as these signatures prove
it; the later checks ask it who may sign what. Whoever made a bundle chose everything in it but the anchors.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from crypto import certificates, note, signing
from crypto.refusal import Refused
from crypto.roster import Roster
from crypto.trust import Trust
from crypto.verifier.findings import OWNER, PLATFORM, Remarks, fail, judge, need, tell
from crypto.verifier.reading import Act, Bundle

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
    """A bundle and the anchors it is judged by; `trust` None when the caller brought none."""

    bundle: Bundle
    trust: Trust | None
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
            fail("有行为不在任何检查点内", "an act that no checkpoint covers", culprit=PLATFORM)
        quorum = self.quorum(size)
        return None if quorum is None else quorum.complete_at


def check(case: Case, remarks: Remarks) -> None:
    """Check 1. Raises Failed."""
    case.standing = read_standing(case.bundle)
    if case.trust is None:
        found = fingerprints(case.bundle)
        fail("未锚定(未给出 --trust);文件中自称的指纹:" + ";".join(found),
             "not anchored (no --trust); fingerprints found in the file: " + "; ".join(found))  # fmt: skip
    for size in sorted(case.bundle.notes):
        case.quorum(size)
        _check_lines(case.bundle.notes[size], case.trust, _path(case.bundle, size))
    for act in case.bundle.hall:
        _check_hall_act(act, case.trust, case.standing)
    _check_tender(case)
    _check_roster(case)
    _check_certificates(case)
    remarks.add(
        f"账本 {case.trust.origin},信任文件指纹 {case.trust.fingerprint[:16]}",
        f"log {case.trust.origin}, trust.json {case.trust.fingerprint[:16]}",
    )


def signatures(act: Act) -> list[Signed]:
    """Every signature of an act, verified, in order. Raises Failed."""
    proved = judge(lambda: signing.verify_act(act.body), f"行为 {act.kind} 的签名不成立", f"the {act.kind} act's signature",
                   event=act.leaf, culprit=PLATFORM)  # fmt: skip
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
                need(not known, f"受托人 {act['trustee']} 重复登记", f"trustee {act['trustee']} is registered twice",
                     event=act.leaf, culprit=PLATFORM)  # fmt: skip
                standing.trustees[act["trustee"]] = act
            case "pre_keys":
                for key in act["keys"]:
                    need(key not in standing.pre_keys, f"一次性公钥重复:{key}", f"a pre-key stands twice: {key}",
                         event=act.leaf, culprit=f"trustee {act['trustee']}")  # fmt: skip
                    standing.pre_keys[key] = (act["trustee"], act.index)
            case "key":
                standing.keys.setdefault(act["purpose"], []).append((act.index, act["key"]))
            case "rotate":
                need(standing.key(act["purpose"], act.index) == act["old"], "更换的不是现用密钥",
                     "a rotation of a key that is not in use", event=act.leaf, culprit=PLATFORM)  # fmt: skip
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
        told = tell(refused)
        culprit = f"witness {refused.facts['witness']}" if "witness" in refused.facts else PLATFORM
        fail(f"检查点不成立:{told['zh']}", f"the checkpoint does not hold: {told['en']}", event=path, culprit=culprit)


def _check_lines(shown: note.Note, trust: Trust, path: str) -> None:
    """A bundle carries no line that nobody can verify."""
    keys = [trust.log, *(witness.key for witness in trust.witnesses)]
    stranger = next((line for line in shown.signatures if not any(line.is_of(key) for key in keys)), None)
    need(stranger is None, f"检查点上有未知签名:{stranger and stranger.name}",
         f"a signature line of an unknown key: {stranger and stranger.name}", event=path, culprit=PLATFORM)  # fmt: skip


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
    need(right and found == right, f"大厅行为 {act.kind} 未由信任文件中的根或应有的密钥签名",
         f"the hall's {act.kind} act is not signed by the roots of trust.json or the right key",
         event=act.leaf, culprit=PLATFORM)  # fmt: skip


def _check_tender(case: Case) -> None:
    act, standing = case.bundle.tender, case.standing
    assert case.trust is not None
    for purpose, key in (
        ("duty", act["duty_key"]),
        ("room", act["verdict_keys"]["room"]),
        ("verifier", act["verdict_keys"]["verifier"]),
    ):
        need(standing.key(purpose, act.index) == key, f"公告中的 {purpose} 密钥未经根签名",
             f"the notice's {purpose} key is not one that its root signed", event=act.leaf, culprit=PLATFORM)  # fmt: skip
    for number, side in (("1", "centre"), ("2", "supervision")):
        right = act["contributors"][number] == case.trust.contributors[side].hex()
        need(right, f"抽取贡献方 {number} 不是信任文件所载", f"contributor {number} is not trust.json's {side}",
             event=act.leaf, culprit=OWNER)  # fmt: skip
    judge(lambda: signing.p256_public(bytes.fromhex(act["contributors"]["3"])), "招标人的贡献密钥", "the owner's contributor key",
          event=act.leaf, culprit=OWNER)  # fmt: skip


def _check_roster(case: Case) -> None:
    act, standing = case.bundle.tender, case.standing
    roster = judge(
        lambda: Roster.decode(bytes.fromhex(act["roster"])), "名册不成立", "the roster", event=act.leaf, culprit=OWNER
    )
    sizes = [lock.n for lock in roster.locks]
    need(
        [len(seats) for seats in act["seats"]] == sizes,
        "名册与席位不符",
        "seats do not match the roster",
        event=act.leaf,
    )
    named = [trustee for seats in act["seats"] for trustee in seats]
    need(len(set(named)) == len(named), "同一受托人占两席", "a trustee holds two seats", event=act.leaf, culprit=OWNER)
    for number, (lock, seats) in enumerate(zip(roster.locks, act["seats"], strict=True)):
        for key, trustee in zip(lock.keys, seats, strict=True):
            appointed = standing.trustees.get(trustee)
            known = appointed is not None and appointed.index < act.index
            need(known, f"受托人 {trustee} 未经双方根签名", f"trustee {trustee} was not appointed before the notice",
                 event=act.leaf, culprit=OWNER)  # fmt: skip
            owner, since = standing.pre_keys.get(key.hex(), ("", act.index))
            need(owner == trustee and since < act.index, f"席位 {trustee} 的公钥不是其一次性公钥",
                 f"the key of seat {trustee} is not one of its pre-keys", event=act.leaf, culprit=OWNER)  # fmt: skip
            group = appointed["group"] if appointed is not None else ""
            need(group == GROUP_OF_LOCK.get(number, group), f"受托人 {trustee} 不属于第 {number} 把锁的一方",
                 f"trustee {trustee} is not of lock {number}'s side", event=act.leaf, culprit=OWNER)  # fmt: skip


def _check_certificates(case: Case) -> None:
    assert case.trust is not None
    roots = case.trust.ca_roots
    for act in case.bundle.acts:
        for signed in signatures(act):
            if signed.subject is not None:
                judge(lambda key=signed.key, at=act.at: certificates.verify_chain(key, roots, at=at),  # type: ignore[misc]
                      f"{signed.subject.name} 的证书不能追溯到信任文件中的认证机构",
                      f"the certificate of {signed.subject.name} does not lead to an authority of trust.json",
                      event=act.leaf, culprit=signed.by)  # fmt: skip
    for bid, submission in case.bundle.bids.items():
        judge(lambda one=submission: certificates.verify_chain(one.certificate, roots, at=one.at),  # type: ignore[misc]
              f"投标 {bid[:16]} 的证书不能追溯到信任文件中的认证机构",
              f"the certificate of bid {bid[:16]} does not lead to an authority of trust.json",
              event=f"bids/{bid}/submission.json", culprit=f"bidder {bid}")  # fmt: skip


def _path(bundle: Bundle, size: int) -> str:
    return "log/checkpoint" if size == bundle.size else f"log/checkpoints/{size}"
