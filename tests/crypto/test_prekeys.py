"""One-time pre-keys from a seed, and drills that prove a key without being an oracle."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from typing import Any

import pytest

from crypto.refusal import Refused
from crypto.sealing import hpke, lock, prekeys

ORIGIN = "hall.example/ledger/rehearsal"
KNOWN = "738b158c7772470d7cd5c5f92e505ee8a5a3159bdd8c46ceaade0228bb479630"


def keys(count: int = 3, batch: int = 0) -> tuple[prekeys.PreKey, ...]:
    return prekeys.derive(hashlib.sha256(b"seed").digest(), batch, count)


def entropy(length: int) -> bytes:
    return hashlib.shake_256(b"drill").digest(length)


def test_batch_is_a_function_of_its_seed_and_number() -> None:
    assert keys(5)[:3] == keys(3)
    every = [*keys(5), *keys(5, 1)]
    assert len({key.public for key in every}) == 10
    assert all(hpke.public_key(key.secret) == key.public for key in every)
    # Known answer: DeriveKeyPair(HMAC-SHA256(H("seed"), "sealbid/v1 pre-key\0" || u32 0 || u32 0)).
    assert keys(1)[0].public.hex() == KNOWN


def test_batch_of_more_than_500_is_refused() -> None:
    for count in (0, 501):
        with pytest.raises(Refused, match="pre_keys_count"):
            keys(count)


def test_act_and_secrets_speak_of_the_same_keys() -> None:
    fields = prekeys.act_fields("notary-0", keys())
    assert fields["kind"] == "pre_keys" and fields["batch"] == 0
    assert list(prekeys.secrets_of(keys())) == fields["keys"]


def test_secret_is_not_shown_when_a_key_is_printed() -> None:
    assert keys()[0].secret.hex() not in repr(keys()[0]) and repr(keys()[0].secret) not in repr(keys()[0])


def test_drill_is_answered_by_the_holder_alone() -> None:
    holder, other, _ = keys()
    drill, answer = prekeys.make_drill(holder.public, origin=ORIGIN, entropy=entropy)
    assert prekeys.answer_drill(holder.secret, drill, origin=ORIGIN) == answer
    for wrong in (
        lambda: prekeys.answer_drill(other.secret, drill, origin=ORIGIN),
        lambda: prekeys.answer_drill(holder.secret, drill, origin="hall.example/ledger"),
        lambda: prekeys.answer_drill(holder.secret, replace(drill, lock=1), origin=ORIGIN),
        lambda: prekeys.answer_drill(holder.secret, replace(drill, index=1), origin=ORIGIN),
        lambda: prekeys.answer_drill(holder.secret, replace(drill, nonce=bytes(32)), origin=ORIGIN),
        lambda: prekeys.answer_drill(holder.secret, replace(drill, nonce=b""), origin=ORIGIN),
        lambda: prekeys.answer_drill(holder.secret, replace(drill, ct=drill.ct[:-1]), origin=ORIGIN),
    ):
        with pytest.raises(Refused, match="drill"):
            wrong()


def test_attack_drill_as_oracle(sealing: Any) -> None:
    """A bid's share handed in as a drill is not opened; and no answer gives back what was opened."""
    sealed = sealing.seal(0, {}).header
    for number, trustee_keys in enumerate(sealing.trustee_keys):
        for index, secret in enumerate(trustee_keys, 1):
            share = sealed.locks[number].shares[index - 1]
            assert lock.share_of(sealed, number, index, secret)
            for nonce in (sealed.challenge(), bytes(32)):
                drill = prekeys.Drill(number, index, nonce, share.enc, share.ct)
                with pytest.raises(Refused, match="drill"):
                    prekeys.answer_drill(secret, drill, origin=ORIGIN)
    holder = keys()[0]
    drawn = []

    def remembered(length: int) -> bytes:
        drawn.append(hashlib.shake_256(bytes([len(drawn)])).digest(length))
        return drawn[-1]

    _, answer = prekeys.make_drill(holder.public, origin=ORIGIN, entropy=remembered)
    assert answer == hashlib.sha256(b"sealbid/v1 drill answer\0" + drawn[1]).digest() and answer not in drawn


def test_plaintext_of_another_length_is_no_drill() -> None:
    holder, nonce = keys()[0], entropy(32)
    info = b"sealbid/v1 drill\0" + hashlib.sha256(ORIGIN.encode()).digest() + bytes((0, 0)) + nonce
    enc, ct = hpke.seal_derand(holder.public, info, bytes(32), b"short")
    with pytest.raises(Refused, match="drill"):
        prekeys.answer_drill(holder.secret, prekeys.Drill(0, 0, nonce, enc, ct), origin=ORIGIN)
