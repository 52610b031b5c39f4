"""The lock section: made again by other code, and every cheat against shares, by name."""

from __future__ import annotations

import hashlib
import itertools
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.hpke import AEAD, KDF, KEM, Suite
from cryptography.hazmat.primitives.kdf.hkdf import HKDF, HKDFExpand

from crypto.refusal import Refused
from crypto.roster import Roster
from crypto.sealing import header, hpke, lock, shamir
from crypto.sealing.header import Header, SealedLock, SealedShare

VECTORS = json.loads((Path(__file__).parents[1] / "vectors/sealbid/header.json").read_text())


def refusal(call: Any, *args: Any) -> str:
    with pytest.raises(Refused) as err:
        call(*args)
    return err.value.code


def test_known_answer_by_a_second_derivation() -> None:
    """The specification's key schedule written once more, with the library's HKDF and HPKE and a slow field."""
    data = bytes.fromhex(VECTORS["header"])
    secrets = [bytes.fromhex(secret) for secret in VECTORS["secrets"]]
    ch = hashlib.sha256(data[:226]).digest()
    prk = HKDF.extract(SHA256(), b"sealbid/v1 root", b"".join(secrets) + ch)

    def d(label: bytes, length: int) -> bytes:
        return HKDFExpand(SHA256(), length, b"sealbid/v1 " + label + ch).derive(prk)

    wrap = d(b"wrap", 32)
    assert bytes(a ^ b for a, b in zip(data[226:258], wrap, strict=True)).hex() == VECTORS["dek"]
    suite = Suite(KEM.X25519, KDF.HKDF_SHA256, AEAD.AES_256_GCM)
    at = 259
    for j in range(2):
        assert data[at : at + 4] == bytes((1, 2, 3, 0))
        at += 4
        c1 = d(b"coef" + bytes((j,)), 32)
        for i in (1, 2, 3):
            com, enc, ct = data[at : at + 32], data[at + 32 : at + 64], data[at + 64 : at + 112]
            at += 112
            share = bytes(s ^ shamir.multiply(c, i) for s, c in zip(secrets[j], c1, strict=True))
            assert share.hex() == VECTORS["shares"][j][i - 1]
            assert com == hashlib.sha256(b"sealbid/v1 com\0" + ch + bytes((j, i)) + share).digest()
            _, ephemeral = hpke.derive_key_pair(d(b"ekm" + bytes((j, i)), 32))
            assert enc == ephemeral
            key = X25519PrivateKey.from_private_bytes(bytes.fromhex(VECTORS["trustee_keys"][j][i - 1]))
            assert suite.decrypt(enc + ct, key, info=b"sealbid/v1 share\0" + ch + bytes((j, i))) == share
    assert at == len(data)


def test_known_answer_re_derives() -> None:
    sealed = header.parse(bytes.fromhex(VECTORS["header"]))
    roster = Roster.decode(bytes.fromhex(VECTORS["roster"]))
    secrets = [bytes.fromhex(secret) for secret in VECTORS["secrets"]]
    assert lock.verify_lock_section(sealed, roster, secrets).hex() == VECTORS["dek"]


def test_every_pair_of_trustees_gives_the_same_secrets(sealing: Any) -> None:
    box = sealing.forge(b"a bid")
    for who in itertools.combinations((1, 2, 3), 2):
        assert sealing.combine(box.header, who) == list(box.secrets)
    assert sealing.combine(box.header, (1, 2, 3)) == list(box.secrets)


def test_one_lock_alone_opens_nothing(sealing: Any) -> None:
    """管办分离: the operators' secret with a guess for the supervisors' gives another DEK, and is seen."""
    box = sealing.forge(b"a bid")
    assert refusal(lock.verify_lock_section, box.header, sealing.roster, [box.secrets[0], bytes(32)]) == "lock_section"
    assert refusal(lock.verify_lock_section, box.header, sealing.roster, box.secrets[:1]) == "lock_section"
    assert refusal(lock.verify_lock_section, box.header, sealing.roster, box.secrets[::-1]) == "lock_section"
    assert refusal(lock.verify_lock_section, box.header, sealing.roster, [b"", b""]) == "lock_section"


def test_fewer_than_t_shares_are_refused(sealing: Any) -> None:
    box = sealing.forge(b"a bid")
    share = lock.share_of(box.header, 0, 1, sealing.trustee_keys[0][0])
    assert refusal(lock.combine, box.header, 0, {1: share}) == "shares_too_few"
    assert refusal(lock.combine, box.header, 0, {}) == "shares_too_few"


def test_wrong_share_of_a_trustee_names_the_trustee(sealing: Any) -> None:
    box = sealing.forge(b"a bid")
    share = lock.share_of(box.header, 1, 1, sealing.trustee_keys[1][0])
    with pytest.raises(Refused) as err:
        lock.combine(box.header, 1, {1: share, 3: bytes(32)})
    assert (err.value.code, err.value.facts) == ("share_wrong", {"lock": 1, "trustee": 3})
    assert refusal(lock.combine, box.header, 1, {1: share[:31], 3: share}) == "share_wrong"
    assert refusal(lock.combine, box.header, 0, {1: share, 2: share}) == "share_wrong"
    for lock_number, index in ((0, 0), (0, 4), (2, 1), (-1, 1)):
        assert refusal(lock.check_share, box.header, lock_number, index, share) == "share_unknown"


def test_key_of_another_trustee_opens_no_share(sealing: Any) -> None:
    box = sealing.forge(b"a bid")
    assert refusal(lock.share_of, box.header, 0, 1, sealing.trustee_keys[0][1]) == "share_unopenable"
    assert refusal(lock.share_of, box.header, 0, 1, sealing.trustee_keys[1][0]) == "share_unopenable"


def rewrite(sealing: Any, box: Any, shares: dict[tuple[int, int], bytes]) -> Header:
    """A bidder's own program replaces some shares, with commitments and ciphertexts to match."""
    ch = box.header.challenge()
    locks = []
    for number, sealed in enumerate(box.header.locks):
        written = list(sealed.shares)
        for index in range(1, 4):
            if (number, index) in shares:
                share = shares[number, index]
                key = sealing.roster.locks[number].keys[index - 1]
                info = b"sealbid/v1 share\0" + ch + bytes((number, index))
                enc, ct = hpke.seal_derand(key, info, sealing.entropy(32), share)
                written[index - 1] = SealedShare(lock.commitment(ch, number, index, share), enc, ct)
        locks.append(SealedLock(sealed.t, tuple(written)))
    return replace(box.header, locks=tuple(locks))


def test_attack_two_polynomials(sealing: Any) -> None:
    """Trustees {1, 2} get shares of S, {2, 3} shares of S': whoever answers decides the price. Seen by every pair."""
    box = sealing.forge(b"a bid")
    s, rival = box.secrets[0], sealing.entropy(32)
    shared = lock.share_of(box.header, 0, 2, sealing.trustee_keys[0][1])
    # The line through (0, rival) and (2, shared), at 3.
    slope = bytes(shamir.divide(a ^ b, 2) for a, b in zip(shared, rival, strict=True))
    third = shamir.share(rival, [slope], 3)
    forged = rewrite(sealing, box, {(0, 3): third})
    assert header.parse(forged.encode()) == forged
    opened = {who: sealing.combine(forged, who)[0] for who in ((1, 2), (2, 3), (1, 3))}
    assert opened[1, 2] == s and opened[2, 3] == rival
    for secret in opened.values():
        assert refusal(lock.verify_lock_section, forged, sealing.roster, [secret, box.secrets[1]]) == "lock_section"


def test_attack_garbage_share_to_a_colluding_trustee(sealing: Any) -> None:
    """Trustee 3 got garbage and would choose on the day whether the bid opens: the bid is invalid without it, too."""
    box = sealing.forge(b"a bid")
    forged = rewrite(sealing, box, {(1, 3): sealing.entropy(32)})
    secrets = sealing.combine(forged, (1, 2))
    assert secrets == list(box.secrets)
    assert refusal(lock.verify_lock_section, forged, sealing.roster, secrets) == "lock_section"


def test_attack_unopenable_share_is_a_complaint_and_the_header_is_invalid(sealing: Any) -> None:
    box = sealing.forge(b"a bid")
    first = box.header.locks[0].shares[0]
    spoiled = replace(first, ct=bytes(48))
    forged = replace(
        box.header,
        locks=(replace(box.header.locks[0], shares=(spoiled, *box.header.locks[0].shares[1:])), box.header.locks[1]),
    )
    assert refusal(lock.share_of, forged, 0, 1, sealing.trustee_keys[0][0]) == "share_unopenable"
    assert refusal(lock.verify_lock_section, forged, sealing.roster, box.secrets) == "lock_section"


def test_share_that_opens_but_is_not_the_committed_one_is_a_complaint(sealing: Any) -> None:
    box = sealing.forge(b"a bid")
    first = replace(box.header.locks[0].shares[0], com=bytes(32))
    sealed = replace(box.header.locks[0], shares=(first, *box.header.locks[0].shares[1:]))
    forged = replace(box.header, locks=(sealed, box.header.locks[1]))
    assert refusal(lock.share_of, forged, 0, 1, sealing.trustee_keys[0][0]) == "share_unopenable"


def test_false_complaint_of_a_trustee_falls_when_the_bidder_discloses(sealing: Any) -> None:
    """S re-derives the header, the complainer's ciphertext included: so its share was there to be opened."""
    box = sealing.forge(b"a bid")
    lock.verify_lock_section(box.header, sealing.roster, box.secrets)
    assert lock.share_of(box.header, 0, 1, sealing.trustee_keys[0][0])


def test_header_of_another_roster_does_not_re_derive(sealing: Any) -> None:
    box = sealing.forge(b"a bid")
    swapped = Roster(sealing.roster.locks[::-1])
    assert refusal(lock.verify_lock_section, box.header, swapped, box.secrets) == "roster"


@pytest.mark.parametrize("at", [12, 44, 46, 78, 97, 137, 138, 170, 194, 226, 263, 295, 327, 600, 938])
def test_every_part_of_the_header_is_bound_by_the_lock_section(at: int) -> None:
    data = bytearray(bytes.fromhex(VECTORS["header"]))
    data[at] ^= 1
    roster = Roster.decode(bytes.fromhex(VECTORS["roster"]))
    secrets = [bytes.fromhex(secret) for secret in VECTORS["secrets"]]
    try:
        changed = header.parse(bytes(data))
    except Refused:
        return
    if at == 226:
        # wDEK gives another DEK, which the key commitment refuses, not the lock section.
        assert lock.verify_lock_section(changed, roster, secrets).hex() != VECTORS["dek"]
    else:
        assert refusal(lock.verify_lock_section, changed, roster, secrets) == "lock_section"
