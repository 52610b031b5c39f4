"""Sealing and opening 1 GiB, each in a process of its own that reads a file and writes a file.

Beside it, over the same file: raw AES-256-GCM, SHA-256, and age as pyrage has it. The memory is what the process had at
most while it worked, over what it had when everything was imported and a small body had gone through (goal 64 MiB).
"""

from __future__ import annotations

import io
import json
import os
import sys
import tempfile
import time
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from typing import Any

import measure

sys.path.insert(0, str(measure.ROOT))

import pyrage
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

from crypto.sealing import envelope, header, manifest
from tests.crypto.verifier.hall import Hall

LOT = "E4201000001000001001001"
NAME = "施工图.bin"
PIECE = measure.MIB
GROWTH_MAX = 64 * measure.MIB


def table(small: bool) -> measure.Table:
    """Seconds and memory of each."""
    size = (8 if small else 1024) * measure.MIB
    told = measure.Table(
        "sealing",
        "Sealing and opening",
        "Sealing signs the manifest, hashes and encrypts the file, hashes every segment into the tree and makes both "
        "locks' sections; opening undoes all of it and checks everything the opening room checks.",
    )
    with tempfile.TemporaryDirectory(dir=measure.ROOT / "build") as folder:
        plain = Path(folder) / "plain"
        with plain.open("wb") as file:
            for number in range(size // PIECE):
                file.write(number.to_bytes(8, "big") * (PIECE // 8))
        done = {role: measure.apart("sealing.py", "--role", role, folder) for role in ROLES}
    mib = f"{size // measure.MIB:,} MiB"
    for ours in ("seal", "open"):
        for theirs, name in (("gcm", "raw AES-256-GCM"), ("sha", "SHA-256"), ("age", "pyrage encrypting")):
            told.add(
                f"{ours} {mib}",
                done[ours]["seconds"],
                "s",
                beside=name if (ours, theirs) != ("open", "age") else "pyrage decrypting",
                beside_value=done["unage" if (ours, theirs) == ("open", "age") else theirs]["seconds"],
            )
    for ours, theirs in (("seal", "age"), ("open", "unage")):
        told.add(
            f"memory growth over idle, {ours}",
            done[ours]["growth"] / measure.MIB,
            "MiB",
            beside="pyrage",
            beside_value=done[theirs]["growth"] / measure.MIB,
            goal=GROWTH_MAX / measure.MIB,
        )
    return told


def seal(plain: Path, sealed: Path, kept: Path) -> None:
    """One documents envelope, as tradehall-bidder seals it."""
    hall = Hall("bench")
    bidder = hall.person("bench 路桥有限公司", "91420100MA4K100001", "p-bench")
    digest = sha256()
    with plain.open("rb") as file:
        while piece := file.read(PIECE):
            digest.update(piece)
    salt = bytes(range(32))
    page = manifest.build(
        lot=LOT,
        envelope=1,
        bidder=manifest.Bidder(bidder.name, bidder.uscc),
        salt=salt,
        files=[manifest.FileFacts(NAME, "application/octet-stream", plain.stat().st_size, digest.digest())],
        opening_list=None,
    )
    with sealed.open("wb") as out:
        made = envelope.seal(
            tender_id=bytes(32),
            envelope=1,
            roster=hall.roster(),
            signer=bidder.signer.sign,
            spki=bidder.spki,
            salt=salt,
            bid_nonce=bytes(16),
            version=1,
            manifest=page,
            files=[lambda: plain.open("rb")],
            entropy=os.urandom,
            sink=out.write,
        )
    kept.write_text(json.dumps([made.header.encode().hex(), *(each.hex() for each in made.secrets), bidder.spki.hex()]))


def open_(sealed: Path, opened: Path, kept: Path) -> None:
    """The verdict on it, its file written out."""
    head, *secrets, spki = (bytes.fromhex(each) for each in json.loads(kept.read_text()))
    with sealed.open("rb") as file, opened.open("wb") as out:
        judged = envelope.verdict(
            header.parse(head),
            roster=Hall("bench").roster(),
            secrets=secrets,
            segments=iter(lambda: file.read(PIECE), b""),
            spki=spki,
            lot=LOT,
            salt=bytes(range(32)),
            write=lambda number, piece: out.write(piece),
        )
    assert judged.kind == "valid", judged


def _raw_gcm(plain: Path, out: Path) -> None:
    encryptor = Cipher(algorithms.AES(os.urandom(32)), modes.GCM(os.urandom(12))).encryptor()
    with plain.open("rb") as file, out.open("wb") as to:
        while piece := file.read(PIECE):
            to.write(encryptor.update(piece))
        encryptor.finalize()


def _sha(plain: Path) -> None:
    digest = sha256()
    with plain.open("rb") as file:
        while piece := file.read(PIECE):
            digest.update(piece)
    digest.digest()


def _roles() -> dict[str, Callable[[Path], None]]:
    """What each process does with a file; `seal` leaves what `open` takes, `age` what `unage` takes."""

    def age(plain: Path) -> None:
        made = pyrage.x25519.Identity.generate()
        beside(plain, ".identity").write_text(str(made))
        pyrage.encrypt_file(str(plain), str(plain) + ".age", [made.to_public()])

    def unage(plain: Path) -> None:
        made = pyrage.x25519.Identity.from_str(beside(plain, ".identity").read_text())
        pyrage.decrypt_file(str(plain) + ".age", str(plain) + ".unaged", [made])

    def beside(plain: Path, end: str) -> Path:
        return plain.with_name(plain.name + end)

    return {
        "gcm": lambda plain: _raw_gcm(plain, beside(plain, ".gcm")),
        "sha": _sha,
        "age": age,
        "unage": unage,
        "seal": lambda plain: seal(plain, beside(plain, ".sealed"), beside(plain, ".kept")),
        "open": lambda plain: open_(beside(plain, ".sealed"), beside(plain, ".opened"), beside(plain, ".kept")),
    }


ROLES = ("sha", "gcm", "age", "unage", "seal", "open")


def act(role: str, folder: Path) -> dict[str, Any]:
    """One role in this process: a small file first, so that what stays in memory is there, then the large one."""
    do = _roles()[role]
    small = folder / "small"
    small.write_bytes(io.BytesIO(bytes(range(256)) * 4096).getvalue())
    before = {"open": "seal", "unage": "age"}.get(role)
    if before:
        _roles()[before](small)
    do(small)
    idle, _ = measure.memory()
    measure.forget_peak()
    began, cpu = time.perf_counter(), time.process_time()
    do(folder / "plain")
    told = {"seconds": time.perf_counter() - began, "cpu": time.process_time() - cpu}
    _, peak = measure.memory()
    return {**told, "growth": max(0, peak - idle)}


if __name__ == "__main__":
    if "--role" in sys.argv:
        print(json.dumps(act(sys.argv[2], Path(sys.argv[3]))))
    else:
        measure.main(table)
