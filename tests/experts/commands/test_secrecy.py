"""Who sees what of a panel: no mark before every seat has locked, no project before sign-in, no name to outsiders."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from litestar import Litestar
from litestar.datastructures import State
from litestar.testing import AsyncTestClient

from crypto import words
from crypto.refusal import Refused
from experts.commands import pool, scoring
from experts.commands import room as doorway
from experts.door import routes as door
from experts.verbs import VERBS
from storage.blobs import FileBlobs
from storage.ledger import Ledger
from storage.unit import Unit
from trading.counter import problems
from trading.counter.service import Service
from trading.people import tokens
from trading.roles import MATRIX, Permission, Role

pytestmark = pytest.mark.anyio
MARKERS = {f"seat {seat}": f'"{seat - 1}.50"' for seat in range(1, 6)}
"""What each seat gives every bid for every item, as it stands in JSON: nobody else gives it."""


@asynccontextmanager
async def client(stage: Any, home: Path) -> AsyncIterator[AsyncTestClient[Litestar]]:
    """The room's door over the stage's database."""
    service = Service(
        world=stage.world,
        database=stage.database,
        ledger=Ledger(stage.database),
        blobs=FileBlobs(home),
        hall=stage.hall,
    )
    app = Litestar(
        door.routes(service),
        state=State({"words": words.load("crypto", "storage", "trading", "bidding", "experts", "portal")}),
        exception_handlers={Refused: problems.on_refused, Exception: problems.on_error},
    )
    async with AsyncTestClient(app) as opened:
        yield opened


async def token(stage: Any, login: str, organisation: str, role: Role) -> dict[str, str]:
    async def give(unit: Unit) -> str:
        return await tokens.give(
            unit, login=login, organisation=organisation, role=role, now=stage.now, hall=stage.hall
        )

    return {"authorization": f"Bearer {await stage.database.write(give)}"}


async def everybody(stage: Any) -> dict[str, dict[str, str]]:
    """A token for every role, for every seat of the panel, and none."""
    found = {"nobody": {}}
    for role in Role:
        actor = stage.actor(role)
        found[role.value] = await token(stage, f"any-{role.value}", actor.organisation, role)
    for seat in (await stage.room()).seats:
        found[f"seat {seat.seat}"] = await token(stage, seat.person, "", Role.EXPERT)
    return found


def bodies(stage: Any) -> dict[str, dict[str, Any]]:
    """A body for every verb that tells as much as it could, and changes little."""
    bid = stage.bids["01"]
    return {
        "/experts/import_pool": {"name": "x.csv", "data": "eA==", "power": "C-003"},
        "/experts/request_draw": {"lot": stage.lot, "power": "C-003"},
        "/experts/contribute_to_draw": {"lot": stage.lot, "header": "", "signature": ""},
        "/experts/run_draw": {"lot": stage.lot, "power": "C-003"},
        "/experts/record_call": {"lot": stage.lot, "seat": 1, "power": "C-003"},
        "/experts/answer_invitation": {"invitation": "00", "accept": True},
        "/experts/sign_in": {"lot": stage.lot, "no_interest": True, "discipline": True},
        "/experts/recuse": {"lot": stage.lot, "text": ""},
        "/experts/reject_bid": {"lot": stage.lot, "bid": bid, "vote": False},
        "/experts/judge_competition": {"lot": stage.lot, "lacking": False, "reasoning": ""},
        "/experts/ask_bidder": {"lot": stage.lot, "question": "q9"},
        "/experts/answer_panel": {"lot": stage.lot, "question": "q1", "text": "?"},
        "/experts/save_sheet": {"lot": stage.lot, "revision": 0, "marks": []},
        "/experts/lock_sheet": {"lot": stage.lot},
        "/experts/sign_report": {"lot": stage.lot},
    }


async def drive(stage: Any, opened: AsyncTestClient[Litestar], who: dict[str, str]) -> str:
    """Everything that the door says to one token, in one text."""
    said = []
    for path in ("/api/v1/experts/own", f"/api/v1/lots/{stage.lot}/room", f"/api/v1/lots/{stage.lot}/table"):
        said.append((await opened.get(path, headers=who)).text)
    for path, body in bodies(stage).items():
        said.append((await opened.post("/api/v1" + path, json=body, headers=who)).text)
    return "\n".join(said)


def test_every_verb_of_the_room_is_driven(stage) -> None:
    stage.bids = {"01": "00"}
    assert set(bodies(stage)) == {verb.path for verb in VERBS}


async def test_no_score_is_seen_before_all_lock(seated, tmp_path) -> None:
    """I12: with four of five sheets locked, no route tells any role a mark but the member's own."""
    stage = seated
    await stage.everybody()
    for seat in range(1, 6):
        mark = MARKERS[f"seat {seat}"].strip('"')
        await stage.save(seat, [scoring.SavedMark(each.bid, each.item, mark) for each in stage.marks(seat)])
        if seat != 5:
            await stage.lock(seat)
    await stage.settle()
    people = await everybody(stage)
    async with client(stage, tmp_path) as opened:
        for name, who in people.items():
            if name == "seat 5":
                continue  # Its lock_sheet would be the last lock.
            said = await drive(stage, opened, who)
            assert {seat for seat, mark in MARKERS.items() if mark in said} == {name} & set(MARKERS)
            salts = [row["body"].get("salt") for row in await stage.database.read(lambda unit: unit.sheet.find())]
            assert not any(salt and salt in said for salt in salts), name
        public = await stage.database.read(lambda unit: unit.object.find({"view": "public"}))
        assert not any(mark.encode() in row["data"] for row in public for mark in MARKERS.values())
        events = await stage.database.read(lambda unit: unit.event.find({"lot": stage.lot}))
        told = json.dumps([[row["body"], row["confidential"]] for row in events])
        assert not any(mark in told for mark in MARKERS.values())
        table = await opened.get(f"/api/v1/lots/{stage.lot}/table")
        assert table.json()["code"] == "scores_not_published"
        await stage.lock(5)
        await stage.settle()
        table = await opened.get(f"/api/v1/lots/{stage.lot}/table")
        assert [row["rank"] for row in table.json()["bids"]] == list(range(1, 10))


async def test_the_door_denies_what_the_matrix_does_not_grant(seated, tmp_path) -> None:
    """管办分离: golden matrix and door agree for every verb of the room and every role."""
    stage = seated
    own = {
        "/experts/judge_competition": Permission.BID_REJECT,
        "/experts/save_sheet": Permission.SHEET_LOCK,
    }
    async with client(stage, tmp_path) as opened:
        for role in Role:
            who = await token(stage, f"any-{role.value}", "", role)
            for verb in VERBS:
                answer = await opened.post("/api/v1" + verb.path, json=bodies(stage)[verb.path], headers=who)
                denied = answer.status_code == 403 and answer.json()["code"] == "permission_denied"
                permission = verb.permission or own[verb.path]
                assert denied == (permission not in MATRIX[role]), (role, verb.path, answer.text)


@pytest.mark.rule("E-65", "refuse")
async def test_before_sign_in_an_invited_expert_learns_no_project(seated, tmp_path) -> None:
    stage = seated
    names = [stage.lot, stage.document["project"]["name"], stage.document["owner"]["name"]]
    names += [stage.document["agent"]["name"], stage.document["lot"]["name"], (await stage.tender()).tender_id]
    seat = (await stage.room()).of(1)
    notices = await stage.database.read(lambda unit: unit.inbox.find({"person": seat.person}))
    assert not [name for name in names if name in json.dumps(notices, ensure_ascii=False)]
    who = await token(stage, seat.person, "", Role.EXPERT)
    async with client(stage, tmp_path) as opened:
        own = await opened.get("/api/v1/experts/own", headers=who)
        [invited] = own.json()
        assert invited["state"] == "invited" and "评标时间" in invited["zh"]
        answer = await opened.post(
            "/api/v1/experts/answer_invitation",
            json={"invitation": invited["invitation"], "accept": True},
            headers=who,
        )
        said = own.text + answer.text + (await opened.get("/api/v1/experts/own", headers=who)).text
        assert not [name for name in names if name in said]
        inside = await opened.get(f"/api/v1/lots/{stage.lot}/room", headers=who)
        assert (inside.status_code, inside.json()["rule"]) == (422, "E-65")
        await stage.sign_in(1)
        after = await opened.get("/api/v1/experts/own", headers=who)
        assert after.json()[0]["lot"] == stage.lot
        inside = await opened.get(f"/api/v1/lots/{stage.lot}/room", headers=who)
        assert {row["name"] for row in inside.json()["members"]} == {None}, "names unlock when everybody is here"
        for number in range(2, 6):
            await stage.sign_in(number)
        inside = await opened.get(f"/api/v1/lots/{stage.lot}/room", headers=who)
        assert len(inside.json()["bids"]) == 9 and "secrets" not in inside.text


async def test_no_public_act_names_an_expert_before_or_after_sign_in(seated) -> None:
    stage = seated
    await stage.scored()
    rows = await stage.database.read(lambda unit: unit.event.find({"lot": stage.lot, "public": 1}))
    said = json.dumps([row["body"] for row in rows], ensure_ascii=False)
    for expert in await stage.database.read(lambda unit: unit.expert.find()):
        record = expert["body"]["versions"][-1]["record"]
        assert record["name"] not in said and record["id"] not in said
    public = await stage.database.read(lambda unit: unit.object.find({"lot": stage.lot, "view": "public"}))
    assert not any(b"QL00" in row["data"] for row in public)


async def test_who_was_replaced_is_shut_out(seated, tmp_path) -> None:
    """E-67: the one who left reads the room no more and saves nothing."""
    stage = seated
    await stage.everybody()
    gone = await stage.member(4)
    who = await token(stage, gone.person, "", Role.EXPERT)
    await stage.do(doorway.recuse, doorway.Recuse(stage.lot, "申请回避"), gone)
    await stage.settle()
    async with client(stage, tmp_path) as opened:
        inside = await opened.get(f"/api/v1/lots/{stage.lot}/room", headers=who)
        assert (inside.status_code, inside.json()["code"]) == (422, "conclusions_void")
        [over] = (await opened.get("/api/v1/experts/own", headers=who)).json()
        assert over["state"] == "over"


async def test_a_register_is_put_as_a_file_and_told_line_by_line(stage, tmp_path) -> None:
    await stage.publish()
    good = (stage.folder / "experts.csv").read_bytes()
    lines = good.decode("utf-8-sig").splitlines()
    broken = "\n".join([lines[0], lines[1], lines[2].replace("澄川", "=澄川"), lines[3]]).encode()
    who = await token(stage, "clerk", "", Role.CENTRE)
    async with client(stage, tmp_path) as opened:
        path = "/api/v1/experts/register?name=experts.csv&power=C-003"
        told = (await opened.put(path, content=broken, headers=who)).json()
        assert (told["rows"], told["kept"], [flaw["line"] for flaw in told["flaws"]]) == (3, 2, [3])
        assert "13900009232" not in json.dumps(told)
        bare = await opened.put("/api/v1/experts/register?name=experts.csv", content=good, headers=who)
        assert bare.json()["code"] == "power_code_missing"
        other = await token(stage, "somebody", "", Role.OWNER)
        assert (await opened.put(path, content=good, headers=other)).status_code == 403


async def test_who_may_not_import_is_told_so_before_the_file_is_looked_at(stage) -> None:
    cmd = pool.ImportPool(data="no base64!", name="x.csv", power=None)
    with pytest.raises(Refused, match="permission_denied"):
        await stage.do(pool.import_pool, cmd, stage.actor(Role.OWNER))
    with pytest.raises(Refused, match="register_not_base64"):
        cmd = pool.ImportPool(name="x.csv", data="no base64!", power="C-003")
        await stage.do(pool.import_pool, cmd, stage.actor(Role.CENTRE))
