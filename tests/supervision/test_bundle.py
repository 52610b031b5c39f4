"""Bundles made from the database are what the verifier accepts; who may have which, and when (docs/spec/bundle.md)."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from crypto import jcs
from crypto.refusal import Refused
from crypto.verifier import __main__ as verifier
from crypto.verifier import archive
from storage import memory
from supervision import bundle, collected
from tests.supervision import played
from trading.roles import Actor, Role

Play = Callable[..., None]
POWER = "S-002"
PUBLIC = Actor("anonymous", "", Role.PUBLIC, "192.0.2.1", "test")


async def made(stage: Any, view: str, folder: Path, **changes: Any) -> Path:
    """A bundle, as the door asks for it."""
    await asyncio.to_thread(folder.mkdir)
    asked: dict[str, Any] = {
        "actor": played.supervisor(stage) if view == "full" else PUBLIC,
        "power": POWER if view == "full" else None,
        "now": stage.now,
        "room": stage.room,
        **changes,
    }
    return await bundle.make(played.service_of(stage), stage.lot, view, folder=folder, **asked)  # type: ignore[arg-type]


def results(path: Path, stage: Any) -> dict[int, tuple[str, Any]]:
    """What the verifier says, by check."""
    report = verifier.verify(path, stage.keys.trust, rehearsal=True)
    return {each.id: (each.outcome, each) for each in report.results}


def test_both_views_of_an_opened_tender_are_accepted_by_the_verifier(play: Play, tmp_path: Path) -> None:
    async def scenario(stage: Any) -> None:
        await played.until_stopped(stage)
        assert (await stage.tender()).state.value == "failed"
        public, full = [await made(stage, view, tmp_path / view) for view in ("public", "full")]
        for path in (public, full):
            found = results(path, stage)
            assert {number: told for number, told in found.items() if told[0] == "failed"} == {}
            assert all(found[number][0] == "passed" for number in range(7))
        assert [each.name for each in (tmp_path / "full").iterdir()] == ["bundle.zip"], "no body is left beside it"
        in_public, in_full = (set(archive.read(path).members) for path in (public, full))
        assert in_public < in_full
        private = ("body-1", "secrets.json", "private/")
        assert not any(word in name for name in in_public for word in private)
        listed = {row["bid"] for row in await stage.object((await stage.act("freeze"))["list_hash"])}
        assert {name.split("/")[1] for name in in_public if name.startswith("bids/")} == listed
        assert len({name.split("/")[1] for name in in_full if name.startswith("bids/")}) == len(listed) + 2
        assert sum(name.endswith("secrets.json") for name in in_full) == 3

    play(scenario)


def test_the_full_bundle_is_read_only_after_the_reading_is_logged(play: Play, tmp_path: Path) -> None:
    async def scenario(stage: Any) -> None:
        await played.until_stopped(stage)
        await made(stage, "full", tmp_path / "full")
        rows = await stage.database.read(lambda unit: unit.event.find({"lot": stage.lot}))
        told = {row["kind"]: row for row in rows if row["kind"] in ("reading_grant", "read")}
        assert told["reading_grant"]["body"]["who"] == told["read"]["actor"] == played.supervisor(stage).person
        assert told["read"]["body"]["power"] == POWER
        with pytest.raises(Refused) as caught:
            await made(stage, "full", tmp_path / "second", power=None)
        assert caught.value.code == "power_code_missing"
        with pytest.raises(Refused) as caught:
            await made(stage, "full", tmp_path / "third", room=None)
        assert caught.value.code == "bundle_needs_the_room"
        for role in set(Role) - {Role.SUPERVISOR, Role.INSPECTOR, Role.AUDITOR}:
            actor = Actor("somebody", "915101000000009999", role, "", "")
            with pytest.raises(Refused) as caught:
                await made(stage, "full", tmp_path / f"as-{role.value}", actor=actor)
            assert caught.value.code == "permission_denied"
        after = await stage.database.read(lambda unit: unit.event.count({"lot": stage.lot, "kind": "read"}))
        assert after == 1, "who was refused read nothing"

    play(scenario)


@pytest.mark.rule("E-65", "refuse")
def test_no_bundle_while_bids_are_shut_or_a_panel_works(play: Play, tmp_path: Path) -> None:
    async def scenario(stage: Any) -> None:
        for number, step in enumerate((stage.sequence, lambda: played.bids(stage), stage.freeze)):
            await step()
            with pytest.raises(Refused) as caught:
                await made(stage, "public", tmp_path / f"public-{number}")
            assert caught.value.code == "bundle_not_public_yet"
            with pytest.raises(Refused) as caught:
                await made(stage, "full", tmp_path / f"full-{number}")
            assert caught.value.code == "bundle_full_not_yet" and caught.value.rule == "E-65"

    play(scenario)


def test_what_no_quorum_saw_is_not_shown(play: Play, tmp_path: Path) -> None:
    async def scenario(stage: Any) -> None:
        await played.until_stopped(stage)
        seen = await stage.ledger.head()
        await stage.sequencer.sequence(leaves_min=5)
        path = await made(stage, "public", tmp_path / "public")
        assert jcs.loads(archive.read(path).read("log/consistency.json"))[-1]["to"] == seen.size
        with pytest.raises(Refused) as caught:
            await memory.open_memory().read(lambda unit: collected.witnessed_head(unit, hall=stage.hall))
        assert caught.value.code == "not_witnessed_yet"

    play(scenario)


def test_a_body_that_the_store_lost_after_its_verdict_is_named(play: Play, tmp_path: Path) -> None:
    async def scenario(stage: Any) -> None:
        await played.until_stopped(stage)
        async for name in stage.blobs.names():
            await stage.blobs.delete(name)
        with pytest.raises(Refused) as caught:
            await made(stage, "public", tmp_path / "public")
        assert caught.value.code == "bundle_body_lost"

    play(scenario)


def test_bundles_over_http_leave_no_file_behind(play: Play, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))

    async def scenario(stage: Any) -> None:
        door = played.Door(stage)
        early = await door.get("bundle")
        assert early.status_code == 422 and early.json()["code"] == "bundle_not_public_yet"
        await played.until_stopped(stage)
        public = await door.get("bundle", view="public")
        full = await door.get("bundle", played.supervisor(stage), view="full")
        assert public.headers["content-type"] == full.headers["content-type"] == "application/zip"
        for number, answer in enumerate((public, full)):
            path = tmp_path / f"{number}.zip"
            path.write_bytes(answer.content)
            assert results(path, stage)[0][0] == "passed"
        assert (await door.get("bundle", view="full")).json()["code"] == "permission_denied"
        assert played.empty(tmp_path)

    play(scenario)
