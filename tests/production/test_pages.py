"""The pages of the split processes, over TLS through the reverse proxy, without a script: each door its own.

The tender that was played before is read at every door; a second one is made by its owner through pages alone, asked
about and objected to by a bidder, and answered. Every page is read under the database role of the process that shows
it. The tests follow each other.
"""

from __future__ import annotations

import base64
import json
import time
from hashlib import sha384
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest

from crypto import jcs
from tests.production.conftest import Played
from tests.production.reader import Page, Reader

pytestmark = pytest.mark.production
ENTRY = {"desk": "desk", "centre": "centre", "bidder": "bidders", "expert": "experts", "watch": "watch"}
NAME = "次年道路养护工程"
STEPS_MAX = 12
PHONE = "13812345678"
REMINDER_SECONDS_MAX = 60


class People:
    """Readers of the hall, each at the entry of its door."""

    def __init__(self, played: Played) -> None:
        self.played, self.hall = played, played.hall
        rows = json.loads((played.hall.cast.home / "accounts.json").read_text("utf-8"))
        self.passwords = {row["login"]: row["password"] for row in rows}
        self.readers: dict[str, Reader] = {}
        self.second = ""
        self.logged = {plan.name: len(played.hall.log(plan.name)) for plan in played.hall.production.plans}

    def at(self, entry: str) -> Reader:
        """A browser that is signed in nowhere."""
        return Reader(self.hall.secure[entry], self.hall.certificate)

    def signed_in(self, part: str, door: str) -> Reader:
        """The browser of somebody of the cast, signed in."""
        if part not in self.readers:
            reader = self.readers[part] = self.at(ENTRY[door])
            login = self.hall.cast.of(part).login
            page = reader.sign_in(login, self.passwords[login])
            assert urlsplit(page.url).path == f"/{door}" and "退出" in page.text
        return self.readers[part]

    def sign(self, reader: Reader, page: Page, part: str) -> Page:
        """What a person of the cast must sign, signed."""
        member = self.hall.cast.of(part)
        return reader.sign(page, self.hall.cast.signer(member), member.role.value)


@pytest.fixture(scope="module")
def people(played: Played) -> People:
    """Everybody, after the first tender was played to its end."""
    while played.steps:
        played.take()
    return People(played)


@pytest.mark.parametrize("prefix", ["", "/en"])
def test_everybody_reads_the_public_pages(people: People, prefix: str) -> None:
    reader, lot = people.at("public"), people.played.stage.lot
    of_lot = [f"/lots/{lot}{more}" for more in ("", "/check", "/draw", "/opening", "/opening/kiosk")]
    for path in ("/", "/lots", "/calendar", "/powers", "/guides", "/downloads", "/check", "/trustees", *of_lot):
        page = reader.open(prefix + path)
        assert f'lang="{"en" if prefix else "zh-CN"}"' in page.text
    assert lot in reader.open(f"{prefix}/lots").text
    seat = next(to for to, _ in reader.open(f"{prefix}/trustees").links if f"{prefix}/trustees/" in to)
    reader.open(seat)
    assert reader.http.get("/feed.atom").headers["content-type"].startswith("application/atom")
    style = reader.open("/lots").styles[0]
    served = reader.http.get(style[0])
    assert style[1] == "sha384-" + base64.b64encode(sha384(served.content).digest()).decode()


def test_the_scripts_of_the_pages_are_announced_in_the_log(people: People) -> None:
    reader = people.at("public")
    listed = jcs.loads(reader.http.get("/release.json").content)
    bidders = people.at("bidders")
    for address in ("/sealing/seal.js", "/static/kit/sign.js"):
        assert address in listed["scripts"] and bidders.http.get(address).status_code == 200
    acts = people.hall.ask(lambda unit: unit.event.find({"kind": "scripts", "lot": ""}))
    assert len(acts) == 1, "once, however many processes serve them"
    proof = reader.http.get("/release.proof")
    assert proof.status_code == 200 and len(proof.json()["receipts"]) >= 2


def test_the_public_entry_leads_to_the_door_at_which_one_signs_in(people: People) -> None:
    reader = people.at("public")
    page = reader.open("/account/sign-in")
    assert not [form for form in page.forms if form.method == "post"], "no account is known here"
    for door, entry in ENTRY.items():
        there = reader.http.get(next(to for to, _ in page.links if to.endswith(f"?door={door}")))
        assert there.status_code == 302
        assert there.headers["location"] == f"{people.hall.secure[entry]}/account/sign-in?door={door}"
        deep = reader.http.get(f"/en/{door}/lots/x")
        assert deep.headers["location"] == f"{people.hall.secure[entry]}/en/{door}/lots/x"


def test_an_owner_publishes_a_tender_by_pages_and_the_centre_registers_it(people: People) -> None:
    owner, centre = people.signed_in("owner", "desk"), people.signed_in("centre", "centre")
    page = owner.open("/desk")
    assert people.played.stage.lot in page.text
    page = owner.send(page, "复制为新的招标项目")
    page = owner.send(page, "保存,下一步", **{"project.name": NAME, "lot.name": NAME})
    for _ in range(STEPS_MAX):
        step = urlsplit(page.url).path.rpartition("/")[2]
        if step == "check":
            break
        if step == "schedule":
            page = owner.send(page, "填入最早的合法日期")
        files = {"files": ("招标文件.txt", "招标文件正文".encode())} if step == "files" else None
        page = owner.send(page, "保存,下一步", files=files)
    else:
        raise AssertionError(f"the draft is not ready: {page.url}")
    page = owner.send(page, "提交进场登记")
    entry = urlsplit(page.url).path
    assert "等待交易中心登记" in page.text
    queue = centre.open("/centre/entries")
    page = centre.open(next(to for to, _ in queue.links if entry.rpartition("/")[2] in to))
    assert "没有待登记的申请" in centre.send(page, "登记并赋码").text
    page = people.sign(owner, owner.send(owner.open(entry), "发布:核对并签名"), "owner")
    assert "招标公告已发布" in page.text
    people.second = urlsplit(page.url).path.rpartition("/")[2]
    assert NAME in people.at("public").open(f"/lots/{people.second}").text
    centre.open(f"/centre/lots/{people.second}")
    for path in ("/centre", "/centre/rooms", "/centre/archive", "/centre/organisations", "/centre/experts"):
        centre.open(path)


def test_a_bidder_asks_and_objects_and_the_owner_answers(people: People) -> None:
    """The objection changes the tender, which the bidders' role may not: it is handed over, and so is the answer."""
    bidder, owner, lot = people.signed_in("bidder:03", "bidder"), people.signed_in("owner", "desk"), people.second
    page = bidder.open("/bidder")
    assert people.played.stage.lot in page.text and lot in page.text
    bidder.send(bidder.open("/account/bidder/inbox"), to="/inbox/reach", phone=PHONE)
    page = bidder.send(bidder.open(f"/bidder/lots/{lot}"), to="/documents")
    assert "已登记领取" in page.text
    page = bidder.send(page, to=f"/{lot}/questions", question_text="工期从何时起算?")
    assert "问题已送达招标人" in page.text
    page = bidder.send(page, to=f"/{lot}/objections", objection_text="招标文件第三章与公告不一致,请说明。")
    assert "异议已送达招标人" in page.text and "招标文件第三章与公告不一致" in page.text
    uscc = people.hall.cast.of("bidder:03").uscc
    page = owner.open(f"/desk/lots/{lot}/objections")
    assert "招标文件第三章与公告不一致" in page.text and uscc not in page.text
    page = owner.send(page, "发出答复", text="以公告为准。")
    page = people.sign(owner, page, "owner") if "核对并签名" in page.text else page
    assert "异议已答复" in page.text
    page = owner.open(f"/desk/lots/{lot}/questions")
    assert "工期从何时起算" in page.text and uscc not in page.text
    told = {"zh": "自开工令之日起算。", "affects_bids": "no"}
    page = owner.send(page, "预览", **told)
    page = people.sign(owner, owner.send(page, "发布:核对并签名"), "owner")
    assert "澄清已发布" in page.text
    assert "以公告为准" in bidder.open(f"/bidder/lots/{lot}").text
    for path in ("/bid", "/withdraw", ""):
        bidder.open(f"/bidder/lots/{lot}{path}")
    for path in ("/account/bidder", "/account/bidder/inbox", "/account/bidder/keys", "/account/bidder/people",
                 "/account/bidder/codes", "/bidder/words.json"):  # fmt: skip
        bidder.open(path)


def test_a_bidder_reads_its_own_result_and_receipts_and_nobody_elses(people: People) -> None:
    bidder, other = people.signed_in("bidder:03", "bidder"), people.signed_in("bidder:01", "bidder")
    page = bidder.open(f"/bidder/lots/{people.played.stage.lot}")
    mine = next(to for to, _ in page.links if "/bidder/receipts/" in to)
    assert "QR" in bidder.open(mine).text or "<svg" in bidder.open(mine).text
    assert bidder.http.get(f"{mine}/file").text.startswith("c2sp.org/tlog-proof")
    assert other.http.get(mine).status_code == 422, "another bidder's session, the same process"
    bidder.open(f"/bidder/opening/{people.played.stage.lot}")


def test_a_supervisor_reads_the_trail_and_judges_the_full_bundle(people: People) -> None:
    reader, lot = people.signed_in("supervisor", "watch"), people.played.stage.lot
    assert lot in reader.open("/watch").text
    page = reader.open(f"/watch/lots/{lot}/trail")
    assert people.hall.cast.of("owner").login in page.text, "who did it"
    assert reader.http.get(f"/watch/lots/{lot}/trail/jsonl").status_code == 200
    assert reader.http.get(f"/watch/lots/{lot}/story.pdf").content.startswith(b"%PDF")
    page = reader.send(reader.open(f"/watch/lots/{lot}"), "核验完整卷宗")
    assert "通过" in page.text


def test_an_expert_signs_in_and_sees_the_own_invitations_alone(people: People) -> None:
    lot = people.played.stage.lot
    seated = people.hall.ask(lambda unit: unit.event.find({"lot": lot, "kind": "sign_in"}))
    room = people.hall.ask(lambda unit: unit.panel.read(lot))
    assert room is not None
    login = next(seat["person"] for seat in room["body"]["seats"] if seat["state"] == "signed_in")
    part = next(one.part for one in people.hall.cast.members if one.login == login)
    reader = people.signed_in(part, "expert")
    assert lot in reader.open("/expert").text
    reader.open(f"/expert/lots/{lot}")
    stranger = next(
        one.part for one in people.hall.cast.members
        if one.part.startswith("expert:") and one.login not in {row["actor"] for row in seated}
    )  # fmt: skip
    other = people.signed_in(stranger, "expert")
    assert lot not in other.open("/expert").text
    assert other.http.get(f"/expert/lots/{lot}").status_code == 422


@pytest.mark.parametrize(("part", "door"), [("owner", "desk"), ("centre", "centre"), ("supervisor", "watch")])
def test_those_who_run_a_draw_see_who_handed_in_and_never_who_sits_behind_a_mask(
    people: People, part: str, door: str
) -> None:
    lot = people.played.stage.lot
    page = people.signed_in(part, door).open(f"/{door}/lots/{lot}/draw")
    room = people.hall.ask(lambda unit: unit.panel.read(lot))
    assert room is not None
    attempt = room["body"]["attempts"][-1]
    assert len(attempt["contributions"]) == 3
    assert not [expert for expert, salt in attempt["masks"].values() if salt in page.text]


def test_opened_bids_are_shown_by_the_room_at_the_doors_of_their_readers(people: People) -> None:
    """The process with the room's key shows them under the session of the door; who may not read is told so."""
    lot = people.played.stage.lot
    verdicts = people.hall.ask(lambda unit: unit.event.find({"lot": lot, "kind": "opened"}))
    record = people.hall.ask(lambda unit: unit.object.read(lot, verdicts[-1]["body"]["record_hash"]))
    assert record is not None
    bid = json.loads(bytes(record["data"]))[0]["bid"]
    owner, centre = people.signed_in("owner", "desk"), people.signed_in("centre", "centre")
    page = owner.open(f"/desk/lots/{lot}/bids/{bid}")
    file = next(to for to, _ in page.links if "/file?" in to)
    assert len(owner.http.get(file).content) > 100
    assert people.at("desk").http.get(f"/desk/lots/{lot}/bids/{bid}").status_code == 303, "nobody is signed in"
    assert centre.http.get(f"/centre/lots/{lot}/bids/{bid}").status_code == 404


def test_a_session_of_one_door_opens_no_other(people: People) -> None:
    """The same secret under every door's cookie name, at every door's own process."""
    for part, door in (("owner", "desk"), ("supervisor", "watch"), ("bidder:03", "bidder")):
        secret = people.signed_in(part, door).cookies()[f"tradehall_{door}"]
        for other, entry in ENTRY.items():
            if other == door:
                continue
            thief = people.at(entry)
            for name in ENTRY:
                thief.http.cookies.set(f"tradehall_{name}", secret)
            for path in (f"/{other}", f"/account/{other}", f"/account/{other}/keys"):
                answer = thief.http.get(path)
                assert answer.status_code == 303 and "/account/sign-in" in answer.headers["location"], (door, path)
            assert thief.http.get(f"/{door}").headers["location"].startswith(people.hall.secure[ENTRY[door]])


def test_a_door_lets_in_nobody_of_another_door(people: People) -> None:
    login = people.hall.cast.of("supervisor").login
    page = people.at("bidders").sign_in(login, people.passwords[login], status=422)
    assert "退出" not in page.text


def test_wrong_passwords_are_counted_for_all_replicas_together(people: People) -> None:
    login = people.hall.cast.of("bidder:07").login
    replicas = [people.hall.plan(name).listen for name in ("bidders-1", "bidders-2")]

    def attempt(number: int, password: str) -> httpx.Response:
        address = f"http://{replicas[number % 2]}/account/sign-in"
        told = {"login": login, "password": password}
        return httpx.post(address, data=told, headers={"accept": "text/html"}, timeout=60, trust_env=False)

    for number in range(5):
        assert "密码" in attempt(number, "wrong password").text
    for number in (0, 1):
        answer = attempt(number, people.passwords[login])
        assert answer.status_code == 422 and "set-cookie" not in answer.headers, "the right one comes too late"


def test_a_reminder_of_a_clarification_leaves_from_the_operations_clockwork(people: People) -> None:
    """As a file for the operator's gateway: to the number that the bidder gave in its account, which that process may
    not read but for where reminders go."""
    folder = people.hall.path / "texts"
    until = time.monotonic() + REMINDER_SECONDS_MAX
    told: list[dict[str, Any]] = []
    while not told and time.monotonic() < until:
        time.sleep(0.2)
        told = [json.loads(file.read_text("utf-8")) for file in folder.glob("*.json")]
    assert {row["to"] for row in told} == {PHONE} and people.second in told[0]["text"]


def test_no_door_logged_an_error_or_asked_for_what_its_role_may_not(people: People) -> None:
    for plan in people.hall.production.plans:
        log = people.hall.log(plan.name)[people.logged[plan.name] :]
        assert "InsufficientPrivilege" not in log and "unforeseen error" not in log, plan.name
