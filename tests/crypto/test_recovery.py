"""The recovery file: opens with its passphrase, and with nothing else."""

from __future__ import annotations

import unicodedata
from typing import Any

import pytest

from crypto.refusal import Refused
from crypto.sealing import envelope, recovery

PASSPHRASE = "开标之前不要丢失 é"


@pytest.fixture
def kept(sealing: Any) -> recovery.Recovery:
    boxes = [sealing.seal(0, {}), sealing.seal(1)]
    return recovery.Recovery(
        lot=sealing.lot,
        salt=sealing.salt,
        submit_signature=envelope.sign_submit(sealing.private, [box.header for box in boxes]),
        headers=tuple(box.header for box in boxes),
        secrets=tuple(box.secrets for box in boxes),
    )


def refusal(data: bytes, passphrase: str) -> str:
    with pytest.raises(Refused) as err:
        recovery.read(data, passphrase)
    return err.value.code


def test_recovery_gives_everything_back(sealing: Any, kept: recovery.Recovery) -> None:
    data = recovery.write(kept, PASSPHRASE, entropy=sealing.entropy)
    assert recovery.read(data, PASSPHRASE) == kept
    assert recovery.read(data, unicodedata.normalize("NFD", PASSPHRASE)) == kept
    for secrets in kept.secrets:
        assert not any(secret in data or secret.hex().encode() in data for secret in secrets)


def test_wrong_passphrase_and_changed_file_are_refused(sealing: Any, kept: recovery.Recovery) -> None:
    data = recovery.write(kept, PASSPHRASE, entropy=sealing.entropy)
    assert refusal(data, PASSPHRASE + "x") == "recovery_passphrase"
    assert refusal(data, "") == "recovery_passphrase"
    for at in (8, len(data) - 1):
        assert refusal(data[:at] + bytes((data[at] ^ 1,)) + data[at + 1 :], PASSPHRASE) == "recovery_passphrase"
    assert refusal(data[:-1], PASSPHRASE) == "recovery_passphrase"


@pytest.mark.parametrize(
    "data", [b"", b"SEALREC1", b"SEALREC2" + bytes(100), b"PK\x03\x04" * 30, b"SEALREC1" + bytes(2**17)]
)
def test_other_files_are_refused(data: bytes) -> None:
    assert refusal(data, PASSPHRASE) == "recovery_file"


def test_short_passphrase_is_refused(sealing: Any, kept: recovery.Recovery) -> None:
    with pytest.raises(Refused) as err:
        recovery.write(kept, "1234567", entropy=sealing.entropy)
    assert err.value.code == "passphrase_short"
