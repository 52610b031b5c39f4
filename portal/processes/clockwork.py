"""The operation's clock in a process of its own: everything that is due, but opening and verifying, which others do.

The rooms' automatic work is that of portal/clockwork.py; only the announcement of an opening differs, because here the
clock holds neither of the two keys (bidding/apart.py). It locks in the store what was submitted
(bidding/keeping.py): its key there may look and lock, and neither write nor delete (portal/processes/stores.py).
"""

from __future__ import annotations

from collections.abc import Sequence

from bidding import apart, keeping
from portal import clockwork, scripts
from portal.clockwork import Step
from portal.processes.parts import Front
from portal.rooms import VERSION
from storage.unit import Unit
from storage.world import World
from trading import tenders
from trading.counter.errands import Runner


async def turn(front: Front) -> int:
    """Do everything that is due now, for every tender; returns how many acts were logged."""
    return await clockwork.turn_all(front.database, steps(front))


def steps(front: Front) -> Sequence[Step]:
    """The rooms' automatic work, in order."""
    database, world, hall = front.database, front.world, front.hall
    trading, bidding, experts = clockwork.plain_steps(database, world, hall)

    async def announcement(lot: str) -> int:
        async def work(unit: Unit) -> int:
            held = await tenders.load(unit, lot)
            return len(await apart.announce_due(unit, held, now=world.now(), hall=hall))

        return await database.write(work)

    return (trading, bidding, clockwork.lock_step(database, front.service.blobs, world), announcement, experts)


async def sweep(front: Front) -> int:
    """Lock what a contract made due: its tender is at rest and has no turns any more. Never counted as work."""
    await keeping.sweep(front.database, front.service.blobs, now=front.world.now())
    return 0


async def pin_scripts(front: Front, release: bytes) -> int:
    """Announce the scripts that the hall's pages run, as they were when this process began: once the duty key is
    certified, and while the log does not name them; never counted as work."""
    await scripts.announce(front.database, release=release, version=VERSION, world=front.world, hall=front.hall)
    return 0


async def tidy(runner: Runner, world: World) -> int:
    """Forget errands that were answered long ago; never counted as work."""
    await runner.forget(now=world.now())
    return 0
