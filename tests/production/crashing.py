"""A sequencer that dies at a named point: the production process's parts, with a hook that a test plants."""

from __future__ import annotations

import asyncio
import os
import sys
from hashlib import sha256
from pathlib import Path

from portal.processes import build, parts, settings
from storage.sequencer import Sequencer


async def main(file: str, point: str) -> None:
    """Run until the point comes."""
    told = settings.read("sequencer", Path(file), {})
    assert isinstance(told, settings.Sequencer)
    papers = parts.papers(Path(told.papers))
    world = parts.world(told, papers)
    key = parts.key(told.log_key_file)

    def hook(at: str) -> None:
        if at == point:
            os._exit(9)

    sequencer = Sequencer(
        parts.database(told),
        world=world,
        origin=papers.card.origin,
        signer=key,
        cover_secret=sha256(b"tradehall cover\0" + key.to_pem()).digest(),
        open_for_bids=build.open_for_bids,
        hook=hook,
    )
    await sequencer.start({})
    while True:
        await sequencer.turn()
        await asyncio.sleep(0.1)


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], sys.argv[2]))
