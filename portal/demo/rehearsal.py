"""A rehearsal hall from a folder: made once, opened again with its clock where it stood.

DATA/demo/accounts.json and world.json are what a visitor needs (contract: Demo hall).
"""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path

from crypto.refusal import Refused
from portal import folder
from portal.demo import cast, enlist, script
from portal.demo.cast import Cast
from portal.demo.stage import Stage
from portal.demo.watchers import Watchers
from portal.running import Running, open_hall
from portal.settings import Settings
from storage.world import DemoWorld, Entropy


async def make(
    data: Path, example: Path, *, entropy: Entropy, flowing: bool, settings: Settings
) -> tuple[Running, Cast]:
    """A fresh rehearsal hall with the cast of an example folder. Raises Refused: hall_exists, example_missing."""
    if not (example / "tender.json").exists():
        raise Refused("example_missing", folder=str(example))
    world = DemoWorld(flowing=flowing, entropy=entropy)
    name, uscc = cast.CENTRE
    region = json.loads((example / "tender.json").read_text("utf-8"))["region"]
    hall = folder.create(data, name=name, uscc=uscc, region=region, demo=True, entropy=entropy)
    people = cast.make(hall, example, entropy=entropy, now=world.now())
    running = await open_hall(hall, world=world, settings=settings)
    tokens = await running.database.write(
        lambda unit: enlist.enlist(unit, cast=people, folder=hall, hall=running.hall, now=world.now())
    )
    rows = cast.accounts(people, tokens)
    for member in people.members:
        if member.uscc:
            folder.write_secret(people.identity(member) / "token", tokens[member.login][1].encode())
    folder.write_secret(hall.demo / "accounts.json", (json.dumps(rows, ensure_ascii=False, indent=1) + "\n").encode())
    folder.write(hall.demo / "example", str(example).encode())
    return running, people


async def reopen(data: Path, *, entropy: Entropy, settings: Settings) -> tuple[Running, Cast]:
    """A rehearsal hall that was made before, its clock going on from where it stood."""
    hall = folder.load(data)
    example = Path((hall.demo / "example").read_text("utf-8"))
    world = DemoWorld(flowing=True, entropy=entropy)
    running = await open_hall(hall, world=world, settings=settings)
    kept = await running.database.read(lambda unit: unit.setting.read("demo_clock"))
    if kept is not None:
        world.advance(timedelta(milliseconds=kept["body"]["offset_ms"]))
    return running, Cast(hall.demo, cast.members(example), cast.trustees_of(example))


def begin(cast_: Cast, example: Path, address: str, *, entropy: Entropy, fresh: bool) -> Watchers:
    """Start the witnesses and trustees beside a served hall; a fresh one gets the example's tender, open for bids.

    Writes DATA/demo/world.json: {"base_url","open_lot","deadline"}. Runs in a thread of its own.
    """
    watching = Watchers(cast_, address, entropy=entropy)
    watching.start(trustees=True)
    if fresh:
        tokens = {row["login"]: row["token"] for row in json.loads((cast_.home / "accounts.json").read_text("utf-8"))}
        stage = Stage(cast_, example, address, cast_.home / "work", tokens, lambda at, zh, en: None)
        first = next(step for step in script.load(example) if step.does == "publish_tender")
        stage.publish_tender(first)
        lot = stage.lot
        deadline = json.loads((example / "tender.json").read_text("utf-8"))["schedule"]["deadline"]
        world = {"base_url": address, "open_lot": lot, "deadline": deadline}
        folder.write(cast_.home / "world.json", (json.dumps(world, indent=1) + "\n").encode())
    return watching
