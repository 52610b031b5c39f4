"""What misbehaves in a rehearsal, and only there: bids of garbage, and a trustee whose shares are wrong.

Built from the same public pieces an attacker has. Nothing in the hall or in the clients imports this file.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from typing import Any

from bidding.client import bidfile
from bidding.client.agent import Machine
from bidding.client.bidfile import BidFile, Writer
from crypto import certificates, jcs, release, signing
from crypto.ledger.whole_log import WholeLog
from crypto.opening.examination import Trustee
from crypto.release import Releases, SaysReady, Step
from crypto.sealing import envelope as envelopes
from crypto.sealing import header as headers
from crypto.sealing import lock, manifest
from crypto.sealing.body import SegmentTree
from crypto.sealing.header import Header
from crypto.sealing.manifest import OpeningList
from crypto.signing import P256Signer
from portal.demo.cast import p256
from storage.world import SeededEntropy

Entropy = Callable[[int], bytes]


def spoil(path: Path, identity: Path, *, envelope: int, how: str) -> None:
    """Replace one envelope of a sealed bid by garbage (docs/spec/example.md): header, locks and submit signature stay
    lawful, so the box takes it and the opening says *invalid*. `how`: `body` or `manifest`."""
    bid = bidfile.read(path)
    signer = P256Signer.from_pem((identity / "identity.pem").read_bytes())
    entropy = SeededEntropy(bid.bid_id)
    spoilt = path.with_suffix(".spoilt")
    writer = Writer(spoilt)
    sealed: list[tuple[Header, tuple[bytes, ...]]] = []
    for one in bid.envelopes:
        take = writer.sink(lambda _: None)
        if one.header.envelope != envelope:
            for segment in bid.segments(one):
                take(segment)
            sealed.append((one.header, one.leaves))
        elif how == "body":
            sealed.append(_random_body(one.header, bid, take, entropy))
        else:
            sealed.append(_wrong_signer(one.header, bid, signer, take, entropy))
    signature = envelopes.sign_submit(signer.sign, [header for header, _ in sealed])
    writer.finish(
        lot=bid.lot,
        tender_id=bid.tender_id,
        roster=bid.roster,
        salt=bid.salt,
        signature=signature,
        certificate=bid.certificate,
        envelopes=sealed,
    )
    spoilt.replace(path)


def _random_body(
    lawful: Header, bid: BidFile, take: Callable[[bytes], object], entropy: Entropy
) -> tuple[Header, tuple[bytes, ...]]:
    """The lawful prefix, then random bytes, committed to by root, locks and signature like any body."""
    tree = SegmentTree()
    left = lawful.body_len
    first = lawful.body_prefix
    while left:
        size = min(left, headers.SEGMENT_BYTES)
        segment = first + entropy(size - len(first))
        first = b""
        take(segment)
        tree.add(segment)
        left -= size
    secrets = [entropy(lock.SECRET_BYTES) for _ in bid.roster.locks]
    # The commitment in the prefix is that of the DEK, so the wrapped DEK must stay the lawful one: it is not known
    # here any more, and a header around another DEK would already fail by its commitment. Both are garbage.
    shaped = replace(lawful, body_root=tree.root())
    section = lock.make(shaped.head(), bid.roster, secrets, entropy(lock.SECRET_BYTES))
    return replace(shaped, wrapped_dek=section.wrapped_dek, locks=section.locks), tuple(tree.leaves)


def _wrong_signer(
    lawful: Header, bid: BidFile, signer: P256Signer, take: Callable[[bytes], object], entropy: Entropy
) -> tuple[Header, tuple[bytes, ...]]:
    """An envelope that opens, with a manifest that somebody else signed."""
    subject = certificates.read_subject(signer.certificate)
    listed = OpeningList(100, 1, "—", "—", "—") if lawful.envelope == headers.RECORD else None
    page = manifest.build(
        lot=bid.lot,
        envelope=lawful.envelope,
        bidder=manifest.Bidder(subject.name, subject.uscc),
        salt=bid.salt,
        files=[],
        opening_list=listed,
    )
    other = p256(entropy)
    sealed = envelopes.seal(
        tender_id=bid.tender_id,
        envelope=lawful.envelope,
        roster=bid.roster,
        signer=lambda message: signing.sign_p256(other, message),
        spki=signing.certificate_spki(signer.certificate),
        salt=bid.salt,
        bid_nonce=lawful.bid_nonce,
        version=lawful.version,
        manifest=page,
        files=[],
        entropy=entropy,
        sink=take,
    )
    return sealed.header, tuple(sealed.leaves)


def lying(how: str) -> Machine:
    """A trustee's machine that does what the honest one decides, with wrong words in its mouth: `wrong_share` makes
    every share it releases wrong, `false_complaint` complains of every header that is listed."""

    def machine(trustee: Trustee, tender_id: bytes, log: WholeLog, *rest: Any, **named: Any) -> Step:
        step = release.next_step(trustee, tender_id, log, *rest, **named)
        if how == "wrong_share" and isinstance(step, Releases):
            shares = jcs.dumps(_bent(jcs.loads(step.shares)))
            return replace(step, act={**step.act, "shares_hash": sha256(shares).hexdigest()}, shares=shares)
        if how == "false_complaint" and isinstance(step, SaysReady):
            evidence = rest[0]
            complaints = [
                {"header": sha256(raw).hexdigest(), "lock": step.act["lock"], "index": step.act["index"]}
                for submission in evidence.submissions
                for raw in submission.headers
            ]
            return replace(step, act={**step.act, "complaints": sorted(complaints, key=lambda one: one["header"])})
        return step

    return machine


def _bent(shares: Any) -> Any:
    """Every share with its first byte changed; sealed ones no longer open."""
    if isinstance(shares, dict):
        return {
            name: _flip(value) if name in ("share", "room", "verifier") else _bent(value)
            for name, value in shares.items()
        }
    return [_bent(each) for each in shares] if isinstance(shares, list) else shares


def _flip(text: str) -> str:
    return f"{int(text[:2], 16) ^ 1:02x}{text[2:]}"
