"""The trustee's machine on an honest tender, and against every attack on an opening, by name."""

from __future__ import annotations

from typing import Any

from crypto import combine, lock, release


def test_honest_tender_opens(world: Any) -> None:
    world.to_opening()
    world.ready_all()
    releases = world.release_all()
    gathered = combine.open_shares(releases, world.headers(), [], reader="room", key=world.room_key[0])
    assert gathered.accused == ()
    for bid in world.bids:
        for header, secrets in zip(bid.headers, bid.secrets, strict=True):
            found = combine.secrets_of(header.hash(), header, gathered, [])
            assert found == combine.Secrets(secrets)
            lock.verify_lock_section(header, world.roster, secrets)
    assert isinstance(world.agents[0][0].step(), release.Rests)
