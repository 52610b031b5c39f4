"""What is personal goes when the archive period has ended, not before, and the log stays as whole as it was."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from bidding import keeping
from crypto.ledger import merkle
from crypto.refusal import Refused
from storage import backup_server, eraser
from trading.commands import notice
from trading.counter.service import Service

Play = Callable[..., None]


async def ended(stage: Any) -> None:
    owner = stage.keys.owner
    cmd = notice.Terminate(stage.lot, "资金未落实")
    await stage.sign(notice.terminate, cmd, owner.actor, owner.signer, "owner")
    await stage.sequence()


async def due(stage: Any) -> int:
    done = await keeping.erase_due(stage.database, stage.blobs, now=stage.now, entropy=stage.hall.entropy)
    await stage.sequence()
    return int(done)


def test_bids_and_names_are_erased_after_fifteen_years_with_a_logged_basis(play: Play) -> None:
    async def scenario(stage: Any) -> None:
        sealed = await stage.hand_in(stage.keys.bidders[0])
        names = [hashlib.sha256(each).hexdigest() for segments in sealed.bodies for each in segments]
        await ended(stage)
        before = await stage.database.read(lambda unit: unit.event.find({"lot": stage.lot, "public": 0}))
        end = stage.now.replace(year=stage.now.year + 15)
        stage.until(end - timedelta(seconds=1))
        assert await due(stage) == 0 and await stage.blobs.size(names[0]) is not None
        stage.until(end)
        assert await due(stage) > 0
        assert [await stage.blobs.size(name) for name in names] == [None] * len(names)
        rows = {row["id"]: row for row in await stage.database.read(lambda unit: unit.event.find({"lot": stage.lot}))}
        for row in before:
            now = rows[row["id"]]
            assert (now["body"], now["confidential"], now["salt_p"], now["salt_c"]) == ({}, "", "", "")
            assert now["leaf_hash"] == row["leaf_hash"], "the ledger stays"
        (act,) = (row for row in rows.values() if row["kind"] == "erased")
        assert act["body"]["article"].startswith("政府采购法 §42") and act["body"]["rule"] == "E-97"
        assert act["body"]["segments"] == len(names)
        assert set(act["body"]["events"]) == {row["leaf_hash"] for row in before}
        assert await due(stage) == 0, "once"
        # Every leaf, the new one included, still gives the signed root.
        assert await backup_server.check_ledger(stage.database) == (await stage.ledger.head()).size
        found = await stage.ledger.inclusion(act["id"])
        assert merkle.leaf_hash(found.leaf).hex() == act["leaf_hash"]

    play(scenario)


@pytest.mark.rule("E-97", "refuse")
def test_no_receipt_is_made_of_what_was_erased(play: Play) -> None:
    async def scenario(stage: Any) -> None:
        await stage.hand_in(stage.keys.bidders[0])
        await ended(stage)
        service = Service(
            world=stage.world, database=stage.database, ledger=stage.ledger, blobs=stage.blobs, hall=stage.hall
        )
        rows = await stage.database.read(lambda unit: unit.event.find({"lot": stage.lot}))
        stage.until(stage.now.replace(year=stage.now.year + 15))
        assert await due(stage) > 0
        kinds = set()
        for row in rows:
            if row["public"]:
                assert (await service.receipt_of(row["id"]))["status"] == "sequenced"
                continue
            with pytest.raises(Refused) as gone:
                await service.receipt_of(row["id"])
            assert (gone.value.code, gone.value.rule) == ("event_erased", "E-97")
            assert gone.value.facts["leaf"] == row["leaf_hash"]
            kinds.add(row["kind"])
        assert kinds

    play(scenario)


@pytest.mark.rule("E-97", "refuse")
def test_erasing_before_the_end_of_the_period_is_refused(play: Play) -> None:
    async def scenario(stage: Any) -> None:
        await stage.hand_in(stage.keys.bidders[0])
        tender = await stage.tender()
        basis = eraser.Basis("政府采购法 §42", "E-97", stage.now + timedelta(seconds=1))
        with pytest.raises(Refused, match="retention_not_ended") as early:
            await eraser.erase(
                stage.database,
                stage.blobs,
                stage.lot,
                tender.tender_id,
                basis=basis,
                now=stage.now,
                entropy=stage.hall.entropy,
            )
        assert early.value.rule == "E-97"
        assert await stage.database.read(lambda unit: unit.event.count({"lot": stage.lot, "kind": "erased"})) == 0

    play(scenario)
