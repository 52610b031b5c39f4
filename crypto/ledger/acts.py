"""Acts as leaves of the ledger: public acts in the clear, private acts as salted commitments, and their chains.

docs/spec/ledger.md §3 (bytes) and docs/spec/acts.md §1 (fields). The rules upheld here:
- the kinds in PUBLIC_KINDS are valid only as public acts, all other kinds only as private ones: an operator cannot
  hide an extension of a deadline in a commitment;
- the public acts of one tender_id are numbered 0, 1, 2 … and each names the leaf hash of the one before it, so a
  missing act is seen; the acts of the hall form their own chain under 64 zeros;
- tender_id is a hash of the TENDER act itself: nobody can swap the terms under a tender's name;
- a private act names the same actor's previous act only, so that a bidder cannot count the others.

Which fields a kind has beside those of every act, and who must sign it, is for the room that reads it.
"""

from __future__ import annotations

import hmac
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256, sha512
from typing import Any

from crypto import jcs
from crypto.ledger import merkle
from crypto.refusal import Refused

PUBLIC_KINDS = frozenset(
    [
        "tender",
        "amendment",
        "deadline",
        "hold",
        "resume",
        "terminate",
        "incident",
        "close",
        "freeze",
        "refused",
        "rescue",
        "ready",
        "release",
        "opened",
        "verdict",
        "failed",
        "draw_pool",
        "draw_close",
        "draw_result",
        "recusal",
        "scores_committed",
        "scores_locked",
        "report",
        "publicity",
        "award",
        "contract",
        "tally",
        "directive",
        "trustee",
        "pre_keys",
        "key",
        "rotate",
        "clock",
        "scripts",
    ]
)
HALL_KINDS = frozenset({"trustee", "pre_keys", "key", "rotate", "clock", "scripts"})
HALL_TENDER_ID = "0" * 64
FIRST_PREV = "0" * 64
LEAF_BYTES_MAX = 65_535
PRIVATE_LEAF_BYTES = 33
SALT_BYTES = 32

_PUBLIC_FIELDS = frozenset(
    ["v", "kind", "tender_id", "seq", "prev", "at", "role", "power", "rule", "context", "signatures"]
)
_PRIVATE_FIELDS = frozenset(["v", "kind", "tender_id", "prev", "at", "role", "power", "rule"])
_OUTSIDE_TENDER_ID = frozenset({"tender_id", "seq", "prev", "signatures"})
_COVER: dict[str, Any] = {"v": 1, "kind": "cover"}
_KIND = re.compile(r"[a-z][a-z_]{0,39}")
_HASH = re.compile(r"[0-9a-f]{64}")
_INSTANT = re.compile(r"\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}\.\d{3}Z")


@dataclass(frozen=True, slots=True)
class Opened:
    """A part of a private act that is shown: its fields and the 32-byte salt that hid it."""

    part: Mapping[str, Any]
    salt: bytes


@dataclass(frozen=True, slots=True)
class PrivateProved:
    """What a private leaf was proved to hold; a part of which only the hash was given stays None."""

    leaf: bytes
    public: Mapping[str, Any] | None
    confidential: Mapping[str, Any] | None


@dataclass(frozen=True, slots=True)
class Chain:
    """A gapless run of public acts from seq 0 on: what was proved, and what the next act must carry."""

    tender_id: str
    leaf_hashes: tuple[bytes, ...]

    @property
    def next_seq(self) -> int:
        """The `seq` of the act that may follow."""
        return len(self.leaf_hashes)

    @property
    def next_prev(self) -> str:
        """The `prev` (hex) of the act that may follow."""
        return self.leaf_hashes[-1].hex() if self.leaf_hashes else FIRST_PREV


def public_leaf(act: Mapping[str, Any]) -> bytes:
    """0x01 || JCS(act), at most 65,535 bytes.

    Raises Refused: act_fields, act_kind, act_private (a kind that must not stand in the clear), act_unsigned,
    act_outside_its_chain (an act of the hall under a tender, or the other way round), leaf_too_large.
    """
    _require_fields(act, _PUBLIC_FIELDS)
    if act["kind"] not in PUBLIC_KINDS:
        raise Refused("act_private", kind=act["kind"])
    seq = act["seq"]
    if type(seq) is not int or seq < 0:
        raise Refused("act_fields", kind=act["kind"], field="seq")
    if (act["kind"] in HALL_KINDS) != (act["tender_id"] == HALL_TENDER_ID):
        raise Refused("act_outside_its_chain", kind=act["kind"], tender_id=act["tender_id"])
    if not act["signatures"]:
        raise Refused("act_unsigned", kind=act["kind"])
    leaf = b"\x01" + jcs.dumps(act)
    if len(leaf) > LEAF_BYTES_MAX:
        raise Refused("leaf_too_large", kind=act["kind"], bytes=len(leaf), bytes_max=LEAF_BYTES_MAX)
    return leaf


def parse_public(leaf: bytes) -> dict[str, Any]:
    """The act in a public leaf; Refused("leaf_kind") for a private leaf, and everything public_leaf refuses."""
    if leaf[:1] != b"\x01":
        raise Refused("leaf_kind", first_byte=leaf[:1].hex())
    act = jcs.loads(leaf[1:], bytes_max=LEAF_BYTES_MAX)
    if not isinstance(act, dict):
        raise Refused("act_fields", field="")
    public_leaf(act)
    return act


def part_hash(part: Mapping[str, Any], salt: bytes) -> bytes:
    """H(salt || JCS(part)), 32 bytes: what stands for a part that is not shown."""
    if len(salt) != SALT_BYTES:
        raise Refused("salt_length", salt_bytes=len(salt))
    return sha256(salt + jcs.dumps(part)).digest()


def private_leaf(
    public_part: Mapping[str, Any], confidential_part: Mapping[str, Any], salt_p: bytes, salt_c: bytes
) -> bytes:
    """0x02 || H("sealbid/v1 private\\0" || H(salt_p || JCS(public)) || H(salt_c || JCS(confidential))), 33 bytes.

    Each salt is 32 fresh random bytes. Raises Refused: act_fields, act_kind, act_hidden (a kind that is valid only as
    a public act), salt_length, salt_repeated (one salt for both parts would let one holder test guesses of the other).
    """
    _require_private(public_part)
    if salt_p == salt_c:
        raise Refused("salt_repeated")
    return _private_leaf(part_hash(public_part, salt_p), part_hash(confidential_part, salt_c))


def cover_leaf(seed: bytes, number: int) -> bytes:
    """The private leaf that fills a batch when nothing happened; nobody without the 32-byte `seed` can tell.

    Its parts are {"kind":"cover","v":1} and {}, its salts HMAC-SHA-512(seed, "sealbid/v1 cover\\0" || u64 number), so
    that whoever is given the seed of a day can prove each cover leaf to be one, and that no bid was dropped as cover.
    """
    if len(seed) != SALT_BYTES:
        raise Refused("salt_length", salt_bytes=len(seed))
    salts = hmac.digest(seed, b"sealbid/v1 cover\x00" + number.to_bytes(8, "big"), sha512)
    return private_leaf(_COVER, {}, salts[:32], salts[32:])


def leaf_of_parts(public: Opened | bytes, confidential: Opened | bytes) -> bytes:
    """The private leaf of parts that are given opened, or as their 32-byte hash; at least one is opened.

    Raises Refused: nothing_opened, act_fields, act_kind, act_hidden, salt_length, private_act (a hash of another size).
    """
    if isinstance(public, bytes) and isinstance(confidential, bytes):
        raise Refused("nothing_opened")
    if isinstance(public, Opened):
        _require_private(public.part)
    return _private_leaf(_hash_of(public), _hash_of(confidential))


def verify_private(leaf: bytes, public: Opened | bytes, confidential: Opened | bytes) -> PrivateProved:
    """Prove what a private leaf holds; each part is given opened, or as its 32-byte hash. Returns what was proved.

    Raises Refused: leaf_kind, private_act (the parts or salts are not those of the leaf), what leaf_of_parts refuses.
    """
    if len(leaf) != PRIVATE_LEAF_BYTES or leaf[:1] != b"\x02":
        raise Refused("leaf_kind", first_byte=leaf[:1].hex())
    if leaf_of_parts(public, confidential) != leaf:
        raise Refused("private_act")
    return PrivateProved(
        leaf,
        public.part if isinstance(public, Opened) else None,
        confidential.part if isinstance(confidential, Opened) else None,
    )


def tender_id(tender_act: Mapping[str, Any]) -> bytes:
    """H("sealbid/v1 tender\\0" || JCS(TENDER act without tender_id, seq, prev, signatures)), 32 bytes; one per 标段."""
    if tender_act.get("kind") != "tender":
        raise Refused("act_kind", kind=tender_act.get("kind"))
    payload = {name: value for name, value in tender_act.items() if name not in _OUTSIDE_TENDER_ID}
    return sha256(b"sealbid/v1 tender\x00" + jcs.dumps(payload)).digest()


def check_chain(acts: Sequence[Mapping[str, Any]]) -> Chain:
    """Prove that `acts` are the public acts of one tender (or of the hall) from seq 0 on, none missing.

    The chain of a tender begins with its one TENDER act, whose hash is the tender_id of all. What comes after the last
    act only a complete read of the ledger shows. Raises Refused: chain_empty, chain_gap, chain_prev, chain_tender_id,
    chain_begins_otherwise, and what public_leaf refuses. Signatures are verified by crypto.signing.verify_act.
    """
    if not acts:
        raise Refused("chain_empty")
    expected_id = acts[0].get("tender_id")
    if expected_id != HALL_TENDER_ID:
        if acts[0].get("kind") != "tender":
            raise Refused("chain_begins_otherwise", kind=acts[0].get("kind"))
        expected_id = tender_id(acts[0]).hex()
    chain = Chain(expected_id, ())
    for act in acts:
        chain = extend_chain(chain, act)
    return chain


def extend_chain(chain: Chain, act: Mapping[str, Any]) -> Chain:
    """The chain after one more act; refuses as check_chain does."""
    leaf = public_leaf(act)
    if act["tender_id"] != chain.tender_id:
        raise Refused("chain_tender_id", seq=act["seq"], tender_id=act["tender_id"])
    if act["seq"] != chain.next_seq:
        raise Refused("chain_gap", seq=act["seq"], expected=chain.next_seq)
    if act["prev"] != chain.next_prev:
        raise Refused("chain_prev", seq=act["seq"])
    # A second TENDER act under the same name would let a reader pick its terms.
    if chain.tender_id != HALL_TENDER_ID and (act["kind"] == "tender") != (act["seq"] == 0):
        raise Refused("chain_begins_otherwise", kind=act["kind"])
    return Chain(chain.tender_id, (*chain.leaf_hashes, merkle.leaf_hash(leaf)))


def check_actor_chain(leaves: Sequence[tuple[bytes, Mapping[str, Any]]]) -> bytes:
    """Prove that private acts (leaf, its proved public part), in order, are one actor's chain in one tender.

    Returns the leaf hash of the last, which is the `prev` of the actor's next act. Raises Refused: chain_empty,
    chain_prev, chain_tender_id.
    """
    if not leaves:
        raise Refused("chain_empty")
    expected_prev, expected_id = FIRST_PREV, leaves[0][1]["tender_id"]
    for number, (leaf, public_part) in enumerate(leaves):
        if public_part["tender_id"] != expected_id:
            raise Refused("chain_tender_id", seq=number, tender_id=public_part["tender_id"])
        if public_part["prev"] != expected_prev:
            raise Refused("chain_prev", seq=number)
        expected_prev = merkle.leaf_hash(leaf).hex()
    return bytes.fromhex(expected_prev)


def _private_leaf(public_hash: bytes, confidential_hash: bytes) -> bytes:
    return b"\x02" + sha256(b"sealbid/v1 private\x00" + public_hash + confidential_hash).digest()


def _hash_of(part: Opened | bytes) -> bytes:
    if isinstance(part, Opened):
        return part_hash(part.part, part.salt)
    if len(part) != 32:
        raise Refused("private_act", hash_bytes=len(part))
    return part


def _require_private(public_part: Mapping[str, Any]) -> None:
    if public_part == _COVER:
        return
    _require_fields(public_part, _PRIVATE_FIELDS)
    if public_part["kind"] in PUBLIC_KINDS:
        raise Refused("act_hidden", kind=public_part["kind"])


def _require_fields(act: Mapping[str, Any], fields: frozenset[str]) -> None:
    kind = act.get("kind")
    if not isinstance(kind, str) or not _KIND.fullmatch(kind):
        raise Refused("act_kind", kind=kind)
    missing = sorted(fields - set(act))
    if missing:
        raise Refused("act_fields", kind=kind, field=missing[0])
    if type(act["v"]) is not int or act["v"] != 1:
        raise Refused("act_fields", kind=kind, field="v")
    for field, form in (("tender_id", _HASH), ("prev", _HASH), ("at", _INSTANT)):
        if not isinstance(act[field], str) or not form.fullmatch(act[field]):
            raise Refused("act_fields", kind=kind, field=field)
