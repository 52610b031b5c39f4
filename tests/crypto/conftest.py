"""What the tests of sealed envelopes share: seeded entropy, two locks 2-of-3, an honest bidder, a forger."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import pytest

from crypto import signing
from crypto.roster import Lock, Roster
from crypto.sealing import body, envelope, header, hpke, lock, manifest
from crypto.sealing.header import Header

LOT = "E4401000001001"
BIDDER = manifest.Bidder("南岭路桥有限公司", "91440101MA5CTR0001")
OPENING_LIST = manifest.OpeningList(123_456_789, 180, "合格", "李工", "粤1442020202100001")


def seeded(seed: str) -> Callable[[int], bytes]:
    """Entropy that repeats from run to run: SHAKE-256 of the seed and a counter."""
    drawn = 0

    def draw(length: int) -> bytes:
        nonlocal drawn
        drawn += 1
        return hashlib.shake_256(f"{seed}/{drawn}".encode()).digest(length)

    return draw


def flipped(data: bytes, at: int | None) -> bytes:
    """`data` with one bit turned at byte `at`; unchanged for None."""
    return data if at is None else data[:at] + bytes((data[at] ^ 1,)) + data[at + 1 :]


@dataclass(frozen=True)
class Box:
    """A header with the body that belongs to it, as the platform would hold them, and the bidder's secrets."""

    header: Header
    segments: tuple[bytes, ...]
    secrets: tuple[bytes, ...]


class Sealing:
    """One tender, its trustees and one bidder; every method seals or opens as that bidder would."""

    lot = LOT
    bidder = BIDDER
    opening_list = OPENING_LIST

    def __init__(self, seed: str = "sealing") -> None:
        self.entropy = seeded(seed)
        self.tender_id = hashlib.sha256(b"a tender act").digest()
        pairs = [[hpke.generate(entropy=self.entropy) for _ in range(3)] for _ in range(2)]
        self.trustee_keys = [[sk for sk, _ in lock_pairs] for lock_pairs in pairs]
        self.roster = Roster(tuple(Lock(2, tuple(pk for _, pk in lock_pairs)) for lock_pairs in pairs))
        self.private = signing.new_p256(entropy=self.entropy)
        self.spki = signing.spki(self.private.public_key())
        self.salt = self.entropy(32)
        self.bid_nonce = self.entropy(16)

    def manifest(self, number: int, files: dict[str, bytes], **changes: Any) -> dict[str, Any]:
        facts = [
            manifest.FileFacts(name, "application/pdf", len(content), hashlib.sha256(content).digest())
            for name, content in files.items()
        ]
        opening = OPENING_LIST if number == header.RECORD else None
        given = {"lot": LOT, "envelope": number, "bidder": BIDDER, "salt": self.salt, "opening_list": opening} | changes
        return manifest.build(files=facts, **given)

    def seal(self, number: int = 1, contents: dict[str, bytes] | None = None, **changes: Any) -> Box:
        """An honest envelope; `changes` replace arguments of envelope.seal."""
        contents = {"技术标.pdf": b"how the road is built"} if contents is None else contents
        segments: list[bytes] = []
        given: dict[str, Any] = {
            "tender_id": self.tender_id,
            "envelope": number,
            "roster": self.roster,
            "signer": self.private,
            "spki": self.spki,
            "salt": self.salt,
            "bid_nonce": self.bid_nonce,
            "version": 1,
            "manifest": self.manifest(number, contents),
            "files": [lambda content=content: io.BytesIO(content) for content in contents.values()],
            "entropy": self.entropy,
            "sink": segments.append,
        }
        sealed = envelope.seal(**(given | changes))
        if "sink" in changes:
            return Box(sealed.header, (), sealed.secrets)
        assert list(sealed.leaves) == [hashlib.sha256(segment).digest() for segment in segments]
        return Box(sealed.header, tuple(segments), sealed.secrets)

    def forge(
        self,
        plaintext: bytes,
        number: int = 1,
        *,
        padded_len: int = header.PAD_SMALL,
        fill: bytes = b"\0",
        spoil: Callable[[list[bytes]], list[bytes]] | None = None,
        **fields: Any,
    ) -> Box:
        """What a dishonest bidder's own program may seal: any plaintext, any field, a lock section that re-derives."""
        dek, salt = self.entropy(32), self.entropy(24)
        blank = Header(
            tender_id=self.tender_id,
            envelope=number,
            bidder_tag=header.bidder_tag(self.salt, self.spki),
            bid_nonce=self.bid_nonce,
            version=1,
            roster_hash=self.roster.hash(),
            body_len=header.body_len_of(padded_len),
            body_root=bytes(32),
            body_prefix=bytes(56),
            wrapped_dek=bytes(32),
            locks=(),
        )
        segments: list[bytes] = []
        keys = body.derive_keys(dek, salt, blank.body_context())
        sealer = body.Sealer(keys, salt=salt, padded_len=padded_len, sink=segments.append)
        sealer.write((plaintext + fill * padded_len)[:padded_len])
        sealer.finish()
        segments = spoil(segments) if spoil else segments
        root = body.root_of(hashlib.sha256(segment).digest() for segment in segments)
        return self.relock(
            replace(blank, **({"body_root": root, "body_prefix": sealer.prefix} | fields)), segments, dek
        )

    def relock(self, draft: Header, segments: Iterable[bytes], dek: bytes) -> Box:
        secrets = tuple(self.entropy(32) for _ in self.roster.locks)
        section = lock.make(draft.head(), self.roster, secrets, dek)
        locked = replace(draft, wrapped_dek=section.wrapped_dek, locks=section.locks)
        return Box(locked, tuple(segments), secrets)

    def page(self, manifest_bytes: bytes, files: bytes = b"", *, signature: bytes | None = None) -> bytes:
        """A plaintext without its padding, signed by the bidder unless another signature is given."""
        message = signing.labelled(envelope.MANIFEST_LABEL, hashlib.sha256(manifest_bytes).digest())
        signed = signing.sign_p256(self.private, message) if signature is None else signature
        return len(manifest_bytes).to_bytes(4, "big") + manifest_bytes + signed + files

    def combine(self, sealed: Header, who: Sequence[int] = (1, 2)) -> list[bytes]:
        """S_0, S_1 from the shares of these trustees of each lock."""
        return [
            lock.combine(
                sealed, number, {index: lock.share_of(sealed, number, index, keys[index - 1]) for index in who}
            )
            for number, keys in enumerate(self.trustee_keys)
        ]

    def verdict(self, box: Box, **changes: Any) -> envelope.Verdict:
        given: dict[str, Any] = {
            "roster": self.roster,
            "secrets": box.secrets,
            "segments": box.segments,
            "spki": self.spki,
            "lot": LOT,
            "salt": self.salt,
            "bidder": BIDDER,
        }
        return envelope.verdict(box.header, **(given | changes))

    def admission(self, boxes: Sequence[Box], **changes: Any) -> header.Admission:
        headers = [box.header for box in boxes]
        given: dict[str, Any] = {
            "tender_id": self.tender_id,
            "envelopes": (0, 1),
            "roster": self.roster,
            "certificate_spki": self.spki,
            "salt": self.salt,
            "submit_signature": envelope.sign_submit(self.private, headers),
        }
        return header.check_admission(headers, **(given | changes))


@pytest.fixture
def sealing() -> Sealing:
    return Sealing()
