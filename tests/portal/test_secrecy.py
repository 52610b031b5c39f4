"""Before the deadline nothing that the hall says, writes or keeps shows a byte of a bid, a bidder's name, or a number
of bids (acceptance 5 a and b; E-20, E-39).

Bids are sealed with unique markers in price, names and file contents; every route of the OpenAPI document is driven
with every role's token, and with each bidder's against the others' uploads, events and bids; then every byte that was
answered, logged, queued, kept or backed up is searched for every spelling of every marker. What lies on the bidders'
own machines (their identities, their working folders) is theirs.
"""

from __future__ import annotations

import json
import logging
import shutil
import time
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from storage import backup
from trading.roles import Role

if TYPE_CHECKING:
    from portal.running import Running
    from tests.portal.halls import Hall

pytestmark = pytest.mark.servers

NOBODY = "nobody"
BIDDING = ("01", "02", "03")
PRICES = {"01": 713_590_247, "02": 726_481_935, "03": 738_917_462}
LEADERS = {"01": "司空鉴真", "02": "欧阳守密", "03": "端木不语"}
CERTIFICATES = {number: f"冀MARK{number}7F3A9C2E" for number in BIDDING}
CONTENTS = {number: f"MARKER-{number}-method-of-works-5d81c7-施工组织设计" for number in BIDDING}
SECRET_FILE = {number: f"密件{number}-b7e2.pdf" for number in BIDDING}
SECOND = "replacements/01-again"
PROOFS = frozenset({"/release.proof", "/api/v1/bidding/lots/{lot}/evidence"})
NOT_COMPARED = frozenset({"/health", "/log/checkpoint", "/log/tile/{path}"})
"""They tell the size of the log, which grows by itself; a test of their own judges them."""


@dataclass
class Before:
    """A rehearsal in which bids were handed in and the deadline is ahead; what everybody was answered."""

    hall: Hall
    log: Path
    quiet: dict[tuple[str, str], bytes] = field(default_factory=dict)
    busy: dict[tuple[str, str], bytes] = field(default_factory=dict)
    answers: list[tuple[str, str, bytes]] = field(default_factory=list)
    sizes: list[int] = field(default_factory=list)
    own: dict[str, Any] = field(default_factory=dict)


def marked_example(target: Path) -> Path:
    """tests/examples/other-road with markers in the bids."""
    from tests.portal.halls import EXAMPLE

    shutil.copytree(EXAMPLE, target)
    for number in BIDDING:
        folder = target / "bidders" / number
        bid = json.loads((folder / "bid.json").read_text("utf-8"))
        bid["price_fen"] = PRICES[number]
        bid["leader"] = {"name": LEADERS[number], "certificate": CERTIFICATES[number]}
        content = b"%PDF-1.7\n" + f"{CONTENTS[number]}\n".encode() * 400
        (folder / "files" / bid["files"][0]["path"]).write_bytes(content)
        (folder / "files" / SECRET_FILE[number]).write_bytes(content[::-1] + content)
        bid["files"].append({"path": SECRET_FILE[number], "envelope": 1})
        (folder / "bid.json").write_text(json.dumps(bid, ensure_ascii=False), "utf-8")
    shutil.copytree(target / "bidders/01", target / SECOND)
    return target


@pytest.fixture(scope="module")
def before(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Before]:
    """Reads on a quiet market, three bids (one replaced, one withdrawn), the same reads, then every route."""
    from tests.portal.halls import open_hall

    home = tmp_path_factory.mktemp("secrecy")
    log = home / "hall.log"
    keeper = logging.FileHandler(log, encoding="utf-8")
    root, level = logging.getLogger(), logging.getLogger().level
    root.addHandler(keeper)
    # What the test's own client says of its sockets is not the hall's.
    logging.getLogger("httpcore").setLevel(logging.INFO)
    root.setLevel(logging.DEBUG)
    hall = open_hall(home / "data", example=marked_example(home / "example"), seed="secrecy")
    told = Before(hall, log)
    try:
        hall.until_witnessed()
        told.quiet = reads(hall)
        told.sizes.append(size(hall))
        for number in BIDDING:
            hall.bidders.submit(hall.step(f"bidder:{number}", "submit"))
            told.sizes.append(size(hall))
        hall.bidders.submit(hall.step("bidder:01", "submit", folder=SECOND))
        hall.bidders.withdraw(hall.step("bidder:03", "withdraw"))
        told.sizes.append(size(hall))
        told.busy = reads(hall)
        told.own = {number: own(hall, number) for number in BIDDING}
        drive(told)
        yield told
    finally:
        hall.close()
        root.removeHandler(keeper)
        root.setLevel(level)
        keeper.close()


def logins(hall: Hall) -> dict[str, str]:
    """Who asks: every role, nobody, and each bidder; by the bidder's number, '' for who is none of the three."""
    asking = {role.value: "" for role in Role} | {NOBODY: "", "bidder-04": ""}
    # The person called `bidder` in the roles works for bidder 01.
    return asking | {f"bidder-{number}": number for number in BIDDING} | {"bidder": "01"}


def reads(hall: Hall) -> dict[tuple[str, str], bytes]:
    """Every GET of the document as everybody; what a bidder reads of its own left out."""
    found = {}
    for method, path in hall.routes():
        if method == "GET" and path not in NOT_COMPARED:
            for who, number in logins(hall).items():
                if not number:
                    answer = hall.ask(who=who, **hall.request(method, path)).content
                    if path.endswith("/trail"):
                        answer = without_supervision(answer)
                    elif path in PROOFS:
                        answer = json.dumps(without_log(json.loads(answer))).encode()
                    found[path, who] = answer
    return found


def without_log(told: Any) -> Any:
    """An answer without the paths and checkpoints of its proofs, which grow with the log as its rounding lets them:
    what is proved, and its place."""
    if isinstance(told, dict):
        return {name: without_log(value) for name, value in told.items()}
    if isinstance(told, list):
        return [without_log(value) for value in told]
    if isinstance(told, str) and told.startswith("c2sp.org/tlog-proof"):
        kept = [line for line in told.splitlines() if line.startswith(("extra ", "index "))]
        assert len(kept) == 2, told
        return kept
    return told


def without_supervision(trail: bytes) -> bytes:
    """A trail without what supervisors did themselves: reading it is an act in it."""
    lines = trail.splitlines()
    watchers = {Role.SUPERVISOR.value, Role.INSPECTOR.value, Role.AUDITOR.value}
    return b"\n".join(line for line in lines if json.loads(line).get("role") not in watchers)


def own(hall: Hall, number: str) -> Any:
    """What a bidder reads of its own bids."""
    return hall.ask("GET", f"/api/v1/bidding/lots/{hall.lot}/own", who=f"bidder-{number}").json()


def size(hall: Hall) -> int:
    """The log's size as everybody reads it."""
    return int(hall.http.get("/log/checkpoint").text.splitlines()[1])


def drive(told: Before) -> None:
    """Every route as everybody, with the ids of others' bids, events and uploads where a route takes one."""
    hall = told.hall
    foreign = ids(hall, told.own)
    for method, path in hall.routes():
        permission = path.removeprefix("/api/v1/").replace("/", ".")
        for who in logins(hall):
            power = hall.power_of(Role(who), permission) if who in list(Role) else None
            for hints in foreign if takes_id(hall, method, path) else [{}]:
                answer = hall.ask(who=who, **hall.request(method, path, power=power, **hints))
                assert answer.status_code < 500, (method, path, who, answer.text)
                told.answers.append((f"{method} {path} {hints.get('of', '')}", who, heads(answer) + answer.content))
    for view in ("public", "full"):
        for who in logins(hall):
            asked = hall.request("GET", "/api/v1/lots/{lot}/bundle", view=view)
            told.answers.append((f"bundle {view}", who, hall.ask(who=who, **asked).content))
    for path in ("/", f"/lots/{hall.lot}", "/style.css", "/schema/openapi.json", "/metrics", "/docs", "/schema"):
        told.answers.append((path, NOBODY, hall.http.get(path).content))
    for _, _, data in entries(hall, 0):
        told.answers.append(("the log", NOBODY, data))


def heads(answer: Any) -> bytes:
    """The headers of an answer as bytes."""
    return b"\n".join(name + b": " + value for name, value in answer.headers.raw) + b"\n\n"


def takes_id(hall: Hall, method: str, path: str) -> bool:
    """Whether a route names an upload, an event or a bid."""
    return any(name in path for name in ("{upload}", "{event}")) or path in ("/api/v1/bidding/read",)


def ids(hall: Hall, owned: dict[str, Any]) -> list[dict[str, Any]]:
    """Hints with what belongs to each bidder: event, upload, bid."""

    async def uploads(running: Running) -> dict[str, str]:
        rows = await running.database.read(lambda unit: unit.upload.find())
        return {row["organisation"]: row["id"] for row in rows}

    by_organisation = hall.thread.call(uploads)
    made = []
    for number in BIDDING:
        bid = owned[number]["bids"][0]
        upload = by_organisation[hall.stage.cast.of(f"bidder:{number}").uscc]
        made.append({"event": bid["event"], "upload": upload, "bid": bid["bid"], "of": number})
    return made


def entries(hall: Hall, first: int) -> list[tuple[int, int, bytes]]:
    """(index, length, bytes) of every leaf of the public log from `first` on."""
    total, found, index = size(hall), [], 0
    while index < total:
        width = min(256, total - index)
        suffix = "" if width == 256 else f".p/{width}"
        data = hall.http.get(f"/log/tile/entries/{index // 256:03d}{suffix}").content
        at = 0
        while at < len(data):
            length = int.from_bytes(data[at : at + 2], "big")
            if index >= first:
                found.append((index, length, data[at + 2 : at + 2 + length]))
            at += 2 + length
            index += 1
    return found


def content(path: Path) -> bytes:
    """A file's bytes; nothing of one that a witness replaced meanwhile by a longer copy."""
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return b""


def wanted(number: str) -> frozenset[bytes]:
    """Every spelling of every secret in a bid."""
    from tests.portal import markers

    texts = {LEADERS[number], CERTIFICATES[number], CONTENTS[number], CONTENTS[number][::-1], SECRET_FILE[number]}
    texts |= markers.price_spellings(PRICES[number])
    return frozenset(one for text in texts for one in markers.spellings(text))


def names(hall: Hall, number: str) -> frozenset[bytes]:
    """Every spelling of a bidder's name and code."""
    from tests.portal import markers

    member = hall.stage.cast.of(f"bidder:{number}")
    return markers.spellings(member.organisation) | markers.spellings(member.uscc)


def test_the_search_sees_through_every_disguise() -> None:
    from tests.portal import markers

    for secret in (CONTENTS["01"], LEADERS["01"] * 3, CERTIFICATES["02"]):
        for disguise, data in markers.disguises(secret).items():
            assert markers.find(data, markers.spellings(secret)), (secret, disguise)
    assert markers.find(b"nothing here" * 1000, wanted("01")) == []


def test_the_search_finds_the_markers_on_the_bidders_own_machine(before: Before) -> None:
    from tests.portal import halls, markers

    work = before.hall.stage.work / "01"
    found = {each for path in halls.files_under(work) for each in markers.find(path.read_bytes(), wanted("01"))}
    assert {str(PRICES["01"]).encode(), LEADERS["01"].encode(), CONTENTS["01"].encode()} <= found
    sealed = [path for path in halls.files_under(before.hall.stage.work) if path.suffix == ".bid"]
    assert sealed and all(markers.find(path.read_bytes(), wanted(path.parent.name)) == [] for path in sealed)


def test_no_answer_of_any_route_to_any_role_holds_a_byte_of_a_bid(before: Before) -> None:
    from tests.portal import markers

    secrets = frozenset.union(*(wanted(number) for number in BIDDING))
    assert len(before.answers) > 1500
    distinct = {data: (route, who) for route, who, data in before.answers}
    assert [(where, found) for data, where in distinct.items() if (found := markers.find(data, secrets))] == []


def test_no_answer_names_a_bidder_to_anybody_but_itself(before: Before) -> None:
    from tests.portal import markers

    seen = []
    own_number = logins(before.hall)
    for number in (*BIDDING, "04"):
        spelled = names(before.hall, number)
        for route, who, data in before.answers:
            if own_number.get(who) != number and who != f"bidder-{number}" and markers.find(data, spelled):
                seen.append((route, who, number))
    assert seen == []


def test_nobody_but_the_bidder_itself_sees_the_state_of_its_bid(before: Before) -> None:
    hall = before.hall
    state = {number: [bid["status"] for bid in before.own[number]["bids"]] for number in BIDDING}
    assert state == {"01": ["replaced", "standing"], "02": ["standing"], "03": ["withdrawn"]}
    for number in BIDDING:
        bid = before.own[number]["bids"][0]
        allowed = {f"bidder-{number}", "bidder" if number == "01" else ""}
        for who in logins(hall):
            receipt = hall.ask("GET", f"/api/v1/bidding/receipts/{bid['event']}", who=who)
            assert (receipt.status_code == 200) == (who in allowed), (number, who)
            listed = hall.ask("GET", f"/api/v1/bidding/lots/{hall.lot}/own", who=who)
            assert (bid["bid"].encode() in listed.content) == (who in allowed), (number, who)


def test_an_unknown_event_is_answered_as_another_bidders_is(before: Before) -> None:
    """No oracle: whether an event, an upload or a bid exists is not told by how it is refused."""
    hall = before.hall
    made_up = {"event": "0" * 32, "upload": "0" * 32, "bid": "0" * 64}
    hints = ids(hall, before.own)
    for method, path in hall.routes():
        if not takes_id(hall, method, path):
            continue
        for who in (NOBODY, "owner", "centre", "supervisor", "bidder-04"):
            answers = []
            for given in (hints[0], {**made_up, "of": ""}):
                answer = hall.ask(who=who, **hall.request(method, path, **given))
                text = answer.text
                for name in ("event", "upload", "bid"):
                    text = text.replace(given[name], "…")
                answers.append((answer.status_code, text))
            assert answers[0] == answers[1], (path, who)


def test_reads_are_the_same_before_and_after_bids_for_everybody_else(before: Before) -> None:
    """On a clock that stands still: no page, list, count, chain or inbox moves when bids come in (E-20)."""
    assert len(before.quiet) > 400
    moved = {key for key in before.quiet if before.quiet[key] != before.busy[key]}
    assert moved == set()


def test_the_log_shows_no_more_than_its_rounding(before: Before) -> None:
    """Its size grows by whole steps of two leaves, and every leaf since the notice looks like cover."""
    steps = {later - earlier for earlier, later in zip(before.sizes, before.sizes[1:], strict=False)}
    assert all(step % 2 == 0 for step in steps), before.sizes
    leaves = [(length, data[0]) for _, length, data in entries(before.hall, before.sizes[0])][: sum(steps)]
    assert leaves and set(leaves) == {(33, 2)}
    quiet = size(before.hall)
    time.sleep(2.5)
    assert size(before.hall) > quiet, "without any bid the log grows all the same"


def test_no_row_of_a_queue_and_no_line_of_a_log_shows_anything(before: Before) -> None:
    from tests.portal import markers

    async def rows(running: Running) -> bytes:
        jobs = await running.database.read(lambda unit: unit.job.find())
        answered = await running.database.read(lambda unit: unit.idempotency.find())
        return json.dumps([jobs, answered], ensure_ascii=False, default=str).encode()

    queued, logged = before.hall.thread.call(rows), before.log.read_bytes()
    assert len(logged) > 10_000, "the log was kept"
    spelled = frozenset.union(*(names(before.hall, each) for each in (*BIDDING, "04")), *map(wanted, BIDDING))
    assert markers.find(queued, spelled) == []
    assert markers.find(logged, spelled) == []


def test_database_blobs_and_folder_hold_no_plaintext_byte_of_any_bid(before: Before) -> None:
    """Everything under DATA but the trustees' keys and the bidders' own identities, the database's journal included."""
    from tests.portal import halls, markers

    secrets = frozenset.union(*(wanted(number) for number in BIDDING))
    data = before.hall.data
    apart = (data / "demo/trustees", data / "demo/identities")
    looked = [path for path in halls.files_under(data) if not any(path.is_relative_to(each) for each in apart)]
    assert {"hall.db", "hall.json"} <= {path.name for path in looked} and len(looked) > 10
    assert [(path.name, found) for path in looked if (found := markers.find(content(path), secrets))] == []


def test_a_backup_and_its_listing_show_nothing(before: Before, tmp_path: Path) -> None:
    from tests.portal import markers

    file = tmp_path / "hall.backup"
    now = before.hall.stage.now
    backup.backup(before.hall.data, file, now=now, leave_out=frozenset({"demo"}))
    secrets = frozenset.union(*(wanted(number) for number in BIDDING))
    with zipfile.ZipFile(file) as archive:
        listing = "\n".join(archive.namelist()).encode()
        contents = archive.read("contents.json")
        spelled = frozenset.union(*(names(before.hall, each) for each in (*BIDDING, "04")))
        assert markers.find(listing + contents, spelled | secrets) == []
        assert markers.find(archive.read("hall.db"), secrets) == []
