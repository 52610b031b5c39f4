"""Verifying the public bundle of a tender with 1,000 bids, as a stranger does: tradehall-verify, all ten checks.

Beside it: the ECDSA P-256 and Ed25519 signatures of the same bundle verified bare, and SHA-256 over the file.
"""

from __future__ import annotations

import sys
import tempfile
from hashlib import sha256
from pathlib import Path

import measure

sys.path.insert(0, str(measure.ROOT))

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec

from crypto import trust
from crypto.verifier import __main__ as verifier
from crypto.verifier import crew
from tests.crypto.verifier import world

GOAL_SECONDS = 5.0


def table(small: bool) -> measure.Table:
    """Seconds of one verification in a process that did nothing before."""
    count = 30 if small else 1000
    told = measure.Table(
        "verifying",
        "Verifying",
        "The bundle is written by the tests' own hall, which plays a tender with the primitives of crypto/ alone: "
        "every bid with both headers, its certificate, its proof and the opened record. The process is fresh and "
        "anchored.",
    )
    names = [f"bidder{n}" for n in range(count - len(world.PRICES) + 2)]
    prices = {**world.PRICES, **{name: 600_000_000 + n * 1000 for n, name in enumerate(names)}}
    with tempfile.TemporaryDirectory() as folder:
        played = world.World(prices=prices)
        played.run()
        bundle = played.bundle(Path(folder) / "bundle.zip", "public")
        anchors = Path(folder) / "trust.json"
        anchors.write_bytes(played.hall.trust())
        ours = measure.apart("verifying.py", "--one", bundle, anchors)
        assert ours["exit"] == 0, ours
        size = bundle.stat().st_size
        with measure.timed() as hashing:
            sha256(bundle.read_bytes()).digest()
    key = ec.generate_private_key(ec.SECP256R1())
    signature, public = key.sign(b"x", ec.ECDSA(hashes.SHA256())), key.public_key()
    # Three to a bid that no verifier can leave out: its certificate's, its submission's, its record's manifest's.
    signatures = 3 * count
    with measure.timed() as bare:
        for _ in range(signatures):
            public.verify(signature, b"x", ec.ECDSA(hashes.SHA256()))
    told.add(
        f"public bundle, {len(played.listed):,} bids listed ({size / measure.MIB:.1f} MiB)",
        ours["seconds"],
        "s",
        beside=f"{signatures:,} bare ECDSA P-256 verifications",
        beside_value=bare.seconds,
        goal=GOAL_SECONDS,
    )
    told.add("the same, CPU time", ours["cpu"], "s", beside="SHA-256 of the file", beside_value=hashing.seconds)
    return told


def one(bundle: str, anchors: str) -> None:
    """Verify once and tell how long it took."""
    import json
    import time

    began, cpu = time.perf_counter(), time.process_time()
    anchored = trust.load(Path(anchors).read_bytes())
    judged = verifier.verify(Path(bundle), anchored, processes=crew.processors())
    told = {"seconds": time.perf_counter() - began, "cpu": time.process_time() - cpu, "exit": judged.exit}
    print(json.dumps(told))


if __name__ == "__main__":
    if "--one" in sys.argv:
        one(*sys.argv[2:4])
    else:
        measure.main(table)
