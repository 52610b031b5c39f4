"""A contribution to a draw: the body-less header by which one contributor commits to its r, sealed to the trustees.

docs/spec/lottery.md §3. The rules upheld:
- the header is the commitment: its locks re-derive from the secrets, so it opens to one r whoever combines the shares;
- nobody reveals: trustees open all contributions together, so nobody can stop after having seen the others;
- a contribution is signed by its contributor and names its draw, and is never a bid (envelope 0x0100, no body).

Whoever makes a contribution may spoil it, which gives 32 zero bytes that nobody chose; they cannot change their mind.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Final

from crypto import lottery, signing
from crypto.refusal import Refused
from crypto.roster import Roster
from crypto.sealing import header as headers
from crypto.sealing import lock
from crypto.sealing.header import Header

SIGNED_LABEL: Final = "draw/v1 contribution"


@dataclass(frozen=True, slots=True)
class Contribution:
    """What a contributor logs (`header`, `signature`) and what it keeps (`r`, `secrets`) to disclose if it must."""

    contributor: int
    header: bytes
    signature: bytes
    r: bytes
    secrets: tuple[bytes, ...]


def make(
    *,
    draw_id: bytes,
    tender_id: bytes,
    contributor: int,
    roster: Roster,
    signer: signing.Signer,
    spki: bytes,
    entropy: Callable[[int], bytes],
) -> Contribution:
    """A commitment to a fresh r, sealed to the tender's trustees and signed with the contributor's P-256 key.

    `spki` is that key as it stands in the TENDER act; `entropy` gives r, the nonce and one secret per lock.
    """
    assert contributor in lottery.CONTRIBUTORS
    r, nonce = entropy(32), entropy(16)
    secrets = tuple(entropy(lock.SECRET_BYTES) for _ in roster.locks)
    draft = Header(
        tender_id=tender_id,
        envelope=headers.CONTRIBUTION,
        bidder_tag=headers.contributor_tag(draw_id, contributor, spki),
        bid_nonce=nonce,
        version=1,
        roster_hash=roster.hash(),
        body_len=0,
        body_root=bytes(32),
        body_prefix=bytes(headers.PREFIX_BYTES),
        wrapped_dek=bytes(32),
        locks=(),
    )
    section = lock.make(draft.head(), roster, secrets, r)
    header = replace(draft, wrapped_dek=section.wrapped_dek, locks=section.locks)
    return Contribution(contributor, header.encode(), signer.sign(message(header.hash())), r, secrets)


def message(header_hash: bytes) -> bytes:
    """What a contributor signs: "draw/v1 contribution\\0" || H(header)."""
    return signing.labelled(SIGNED_LABEL, header_hash)


def verify(
    raw: bytes, signature: bytes, *, draw_id: bytes, tender_id: bytes, contributor: int, roster: Roster, spki: bytes
) -> Header:
    """Judge one entry of a draw_close: a contribution and nothing else, of this draw, signed by this contributor.

    Raises Refused: what header.parse_contribution and header.check_contribution refuse (a rival's bid ends here),
    signature.
    """
    header = headers.parse_contribution(raw)
    headers.check_contribution(
        header, tender_id=tender_id, roster=roster, draw_id=draw_id, contributor=contributor, spki=spki
    )
    signing.verify_p256(spki, signature, message(header.hash()))
    return header


def reveal(header: Header, roster: Roster, secrets: Sequence[bytes] | None) -> tuple[bytes, str | None]:
    """(r, None), or 32 zero bytes and why: "lock_section" (does not re-derive) or "unopened" (secrets None).

    `secrets` None says that a lock stayed below t by complaints and S was not disclosed.
    """
    if secrets is None:
        return lottery.VOID_R, "unopened"
    try:
        return lock.verify_lock_section(header, roster, secrets), None
    except Refused as refused:
        if refused.code != "lock_section":
            raise
        return lottery.VOID_R, refused.code
