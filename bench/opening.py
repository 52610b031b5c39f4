"""Opening 1,000 bids: from the trustees' shares to the announced record.

The hall is the tests' own (real acts, log, six trustees, on SQLite); each bid has two small envelopes. Beside it: the
X25519 agreements and the AES-256-GCM openings that any such opening has to make, bare.
"""

from __future__ import annotations

import asyncio
import os
import sys
import tempfile
from pathlib import Path

import measure

sys.path.insert(0, str(measure.ROOT))

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from storage import engine, migrate
from tests.bidding.people import Keys
from tests.bidding.stage import Stage
from trading.lifecycle import State
from trading.roles import Role

ENVELOPES = 2
SHARES = 4
READERS = 2


def table(small: bool) -> measure.Table:
    """Seconds of each stage."""
    count = 20 if small else 1000
    told = measure.Table(
        "opening",
        "Opening",
        "Four of six trustees read the whole log, judge the frozen list and hand over their shares; then the opening "
        "room and the supervision's verifier each decrypt everything and must agree, and the record is logged.",
    )
    with tempfile.TemporaryDirectory() as folder:
        asyncio.run(_open(told, Path(folder), count))
    return told


async def _open(told: measure.Table, folder: Path, count: int) -> None:
    keys = Keys()
    keys.bidders = [keys.company(10 + n, f"投标人{n}", Role.BIDDER) for n in range(count)]
    database = engine.open_sqlite(folder / "hall.db")
    await migrate.migrate(database)
    stage = Stage(keys, folder, database=database)
    await stage.set_up()
    await stage.publish()
    for number, company in enumerate(keys.bidders):
        await stage.hand_in(company, price_fen=500_000_000 + number * 1000)
    await stage.sequence()
    with measure.timed() as freezing:
        await stage.freeze()
    with measure.timed() as releasing:
        await stage.trustees()
    with measure.timed() as opening:
        await stage.tick()
        while (await stage.tender()).state is State.OPENING:
            stage.wait(1)
            await stage.tick()
    assert len(await stage.record()) == count
    await database.close()
    bare = _bare(count)
    beside = {"beside": "bare X25519 and AES-GCM", "beside_value": bare}
    told.add(f"shares of {count:,} bids to the announced record", opening.seconds, "s", **beside)
    told.add("four trustees: READY and release", releasing.seconds, "s", **beside)
    told.add("close and freeze", freezing.seconds, "s", **beside)


def _bare(count: int) -> float:
    """Per envelope and reader: each share's and each trustee's agreement, a key and a body opened."""
    private, other = X25519PrivateKey.generate(), X25519PrivateKey.generate().public_key()
    cipher, nonce = AESGCM(os.urandom(32)), os.urandom(12)
    box = cipher.encrypt(nonce, bytes(4096), b"")
    with measure.timed() as clock:
        for _ in range(count * ENVELOPES):
            for _ in range(SHARES * (1 + READERS)):
                private.exchange(other)
            for _ in range(READERS):
                cipher.decrypt(nonce, box, b"")
    return clock.seconds


if __name__ == "__main__":
    measure.main(table)
