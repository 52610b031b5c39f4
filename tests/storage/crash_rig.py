"""Runs a small hall and kills it with SIGKILL at each named point, then starts it again and counts what is left.

One process imports everything and forks per point, so that twenty deaths cost seconds. The doomed child tells its
parent through a pipe what it promised: segments stored, events committed, checkpoints published, jobs done.
Usage: crash_rig.py FOLDER; prints one JSON object: point → what was found.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from datetime import timedelta
from hashlib import sha256
from pathlib import Path
from typing import Any

from crypto import signing
from crypto.ledger import merkle, note
from storage import blobs, broker, crash, engine, migrate
from storage.ledger import Ledger
from storage.outbox import Job, Outbox
from storage.sequencer import Sequencer
from storage.unit import Database, Record, Unit
from storage.world import DemoWorld, SeededEntropy, new_id

ORIGIN = "hall.example/log/rehearsal"
SIGNER = signing.Ed25519Signer.generate(entropy=SeededEntropy("log key"))


async def count_effect(job: Job, *, unit: Unit, now: Any) -> None:
    row = await unit.setting.read("effect " + job.key)
    if row is None:
        await unit.setting.insert({"name": "effect " + job.key, "body": {"count": 1}})
    else:
        await unit.setting.update(
            {"name": row["name"], "body": {"count": row["body"]["count"] + 1}}, expected_version=row["version"]
        )


class Hall:
    def __init__(self, folder: Path, *, seed: str, hook: crash.Hook, offset: timedelta) -> None:
        self.world = DemoWorld(flowing=False, entropy=SeededEntropy(seed), offset=offset)
        self.database: Database = engine.open_sqlite(folder / "hall.db", hook=hook)
        self.blobs = blobs.FileBlobs(folder / "blobs", hook=hook)
        self.ledger = Ledger(self.database)
        self.sequencer = Sequencer(
            self.database, world=self.world, origin=ORIGIN, signer=SIGNER, cover_secret=bytes(32), hook=hook
        )
        self.outbox = Outbox(self.database, world=self.world, handlers={"mail": count_effect}, hook=hook)
        self.courier = broker.Courier(self.outbox, world=self.world, broker=broker.open_broker(), hook=hook)

    async def submit(self, number: int) -> tuple[str, str, str]:
        data = f"segment {number}".encode() * 100
        segment = sha256(data).hexdigest()
        await self.blobs.put(segment, data)
        leaf = b"\x02" + self.world.entropy(32)
        record = Record(
            id=new_id(self.world.entropy),
            lot="L",
            tender_id="t",
            kind="submit",
            actor=f"X{number}",
            at=self.world.now(),
            public={"segment": segment},
            leaf=leaf,
            leaf_hash=merkle.leaf_hash(leaf).hex(),
        )
        key = f"mail {record.id}"

        async def command(unit: Unit) -> None:
            await unit.record(record)
            await unit.enqueue(id=new_id(self.world.entropy), kind="mail", key=key, body={}, due=self.world.now())

        await self.database.write(command)
        return segment, record.id, key


async def live(hall: Hall, say: Any) -> None:
    """Three bids, each stored, sequenced and followed by its job; a promise is told as soon as it is made."""
    await migrate.migrate(hall.database)
    for number in range(3):
        segment, event, key = await hall.submit(number)
        say("segment", segment)
        say("event", event)
        await hall.sequencer.sequence(leaves_min=2)
        head = await hall.ledger.head()
        assert head is not None
        say("checkpoint", head.note.encode().decode())
        await hall.courier.sweep()
        if await hall.outbox.perform_due():
            say("job", key)


async def look(hall: Hall, promises: list[list[str]]) -> dict[str, Any]:
    """Starts the hall again, lets it catch up, and holds every promise against it."""
    await migrate.migrate(hall.database)
    told = {kind: [what for k, what in promises if k == kind] for kind in ("segment", "event", "checkpoint", "job")}
    key = note.VerifierKey(ORIGIN, note.LOG_SIGNATURE, SIGNER.key)

    async def latest() -> bytes | None:
        return told["checkpoint"][-1].encode() if told["checkpoint"] else None

    await hall.sequencer.start({"witness": latest})
    segment, event, _ = await hall.submit(99)
    await hall.sequencer.sequence()
    while await hall.outbox.perform_due():
        pass
    head = await hall.ledger.head()
    assert head is not None
    for text in told["checkpoint"]:
        old = note.verify_checkpoint(text.encode(), key)
        proof = await hall.ledger.consistency(old.size, head.size)
        merkle.verify_consistency(old.size, old.root, head.size, head.root, proof)
    lost = [name for name in [*told["segment"], segment] if await hall.blobs.read(name) is None]
    for id in [*told["event"], event]:
        found = await hall.ledger.inclusion(id)
        if found is None:
            lost.append(id)
            continue
        leaf_hash = merkle.leaf_hash(found.leaf)
        merkle.verify_inclusion(leaf_hash, found.index, found.head.size, found.proof, found.head.root)
    acts = await hall.database.read(lambda unit: unit.event.find())
    lost += [act["id"] for act in acts if await hall.blobs.read(act["body"]["segment"]) is None]
    done = await hall.database.read(lambda unit: unit.setting.find())
    counts = {row["name"].removeprefix("effect "): row["body"]["count"] for row in done}
    lost += [f"job of {act['id']}" for act in acts if counts.get(f"mail {act['id']}") != 1]
    return {"promises": len(promises), "lost": lost, "acts": len(acts), "effects": sum(counts.values())}


def doomed(folder: Path, point: str, pipe: int) -> None:
    seen = 0

    def hook(at: str) -> None:
        nonlocal seen
        if at == point:
            seen += 1
            if seen == 2:  # Not the very first time: there has to be something to lose.
                os.kill(os.getpid(), signal.SIGKILL)

    def say(kind: str, what: str) -> None:
        os.write(pipe, json.dumps([kind, what]).encode() + b"\n")

    asyncio.run(live(Hall(folder, seed="doomed", hook=hook, offset=timedelta(0)), say))


def reborn(folder: Path, promises: list[list[str]], pipe: int) -> None:
    async def whole() -> dict[str, Any]:
        hall = Hall(folder, seed="reborn", hook=crash.never, offset=timedelta(minutes=5))
        found = await look(hall, promises)
        await hall.database.close()
        return found

    os.write(pipe, json.dumps(asyncio.run(whole())).encode())


def forked(act: Any, *args: Any) -> tuple[int, str]:
    """Runs `act(*args, pipe)` in a child; returns its wait status and what it wrote."""
    out, into = os.pipe()
    child = os.fork()
    if child == 0:
        code = 1
        try:
            os.close(out)
            act(*args, into)
            code = 0
        finally:
            sys.stderr.flush()
            os._exit(code)
    os.close(into)
    with os.fdopen(out) as reader:
        said = reader.read()
    return os.waitpid(child, 0)[1], said


def main(folder: Path) -> None:
    found = {}
    for point in crash.POINTS:
        place = folder / point
        place.mkdir(parents=True)
        status, said = forked(doomed, place, point)
        promises = [json.loads(line) for line in said.splitlines()]
        code, told = forked(reborn, place, promises)
        found[point] = {
            "killed": os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL,
            "started": os.waitstatus_to_exitcode(code) == 0,
            **(json.loads(told) if told else {}),
        }
    print(json.dumps(found))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
