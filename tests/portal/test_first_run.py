"""The first run of a real hall: two people of two organisations, nothing by one alone, nothing a second time."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from crypto.refusal import Refused
from crypto.signing import Ed25519Signer
from portal.first_run import anchors
from portal.first_run import book as books
from portal.first_run.desk import FirstRun
from storage.world import RealWorld, SeededEntropy
from tests.portal.setting_up import CENTRE, SUPERVISION, TRUSTEES, WITNESSES, Outsiders, Served, init

pytestmark = pytest.mark.servers
NAME = "青岚市公共资源交易平台"
PASSWORD = {"centre": "a long centre password", "supervision": "a long watch password"}
PEOPLE: dict[str, dict[str, str]] = {
    "centre": {"name": "林静", "organisation": CENTRE[0], "uscc": CENTRE[1], "login": "lin.jing"},
    "supervision": {"name": "周正", "organisation": SUPERVISION[0], "uscc": SUPERVISION[1], "login": "zhou.zheng"},
}


class Desk:
    """One administrator's browser, or anybody's: posts forms as pages gave them."""

    def __init__(self, url: str) -> None:
        self.http = httpx.Client(base_url=url, follow_redirects=True, trust_env=False, timeout=60)
        self.http.headers["accept"] = "text/html"

    def get(self, path: str) -> httpx.Response:
        return self.http.get(path)

    def post(self, page: str, to: str = "", *, files: dict[str, Any] | None = None, **typed: str) -> httpx.Response:
        """Post a form of a page with its hidden fields."""
        text = self.http.get(page).text
        hidden = dict(re.findall(r'<input type="hidden" name="(csrf|once|digest|calendar)" value="([^"]*)"', text))
        given = dict(files) if files else None
        return self.http.post(to or page, data={**hidden, **typed}, files=given)

    def sign_up(self, side: str, secret: str, **other: str) -> httpx.Response:
        typed = {**PEOPLE[side], "password": PASSWORD[side], "again": PASSWORD[side], "secret": secret, **other}
        return self.post("/first-run/sign-up", **typed)


@pytest.fixture
def started(tmp_path: Path) -> Iterator[tuple[str, dict[str, str], Path]]:
    """A first run that nobody has begun: its address, its secrets, its folder."""
    data = tmp_path / "hall"
    secrets = init(data)["first_run"]
    served = Served(data)
    yield served.start(), secrets, data
    served.stop()


def test_one_person_cannot_be_both_administrators(started: tuple[str, dict[str, str], Path]) -> None:
    url, secrets, data = started
    centre, other = Desk(url), Desk(url)
    wrong = other.sign_up("centre", "AAAA-BBBB-CCCC-DDDD-EEEE-FFFF")
    assert wrong.status_code == 422 and "一次性口令不对" in wrong.text and "林静" in wrong.text
    assert centre.sign_up("centre", secrets["centre"].lower().replace("-", " ")).status_code == 200
    again = other.sign_up("supervision", secrets["centre"])
    assert again.status_code == 422 and "一次性口令不对" in again.text, "a secret works once"
    same_browser = centre.sign_up("supervision", secrets["supervision"])
    assert same_browser.status_code == 422 and "另一方的管理员正在这个浏览器里登录" in same_browser.text
    for changed in (
        {"uscc": CENTRE[1]},
        {"name": " 林 静"},
        {"login": "lin.jing"},
        {"organisation": CENTRE[0] + " "},
    ):
        refused = other.sign_up("supervision", secrets["supervision"], **changed)
        assert refused.status_code == 422 and 'role="alert"' in refused.text, changed
    assert books.load(data).supervision.administrator is None
    assert other.sign_up("supervision", secrets["supervision"]).status_code == 200
    assert "两方的口令都已用过" in Desk(url).sign_up("centre", secrets["centre"]).text
    kept = (data / books.FILE).read_text("utf-8")
    assert (data / books.FILE).stat().st_mode & 0o077 == 0
    assert not any(secret in kept for secret in (*secrets.values(), *PASSWORD.values()))


def test_secrets_and_passwords_cannot_be_tried_for_ever(started: tuple[str, dict[str, str], Path]) -> None:
    url, secrets, _ = started
    Desk(url).sign_up("centre", secrets["centre"])
    guess = Desk(url)
    for _ in range(5):
        assert guess.post("/first-run/sign-in", login="lin.jing", password="not it at all").status_code == 422
    shut = guess.post("/first-run/sign-in", login="lin.jing", password=PASSWORD["centre"])
    assert shut.status_code == 422 and "请在" in shut.text
    for _ in range(20):
        guess.sign_up("supervision", "AAAA-BBBB-CCCC-DDDD-EEEE-FFFF")
    assert "一次性口令不对" not in guess.sign_up("supervision", secrets["supervision"]).text


def test_a_stranger_reaches_nothing_of_a_hall_that_is_not_set_up(started: tuple[str, dict[str, str], Path]) -> None:
    url, _, _ = started
    stranger = Desk(url)
    for path in (
        "hall",
        "authorities",
        "roots",
        "witnesses",
        "anchors",
        "trust.json",
        "trustees",
        "officers",
        "finish",
    ):
        assert "/first-run/sign-in" in str(stranger.get(f"/first-run/{path}").url), path
    for path in ("hall", "calendar", "authorities", "roots", "certificate", "witnesses", "anchors", "trustees"):
        answer = stranger.http.post(f"/first-run/{path}", data={"hall": "x"})
        assert "/first-run/sign-in" in str(answer.url), path
    assert stranger.get("/lots").url.path == "/first-run"
    told = httpx.post(f"{url}/api/v1/trading/enrol", json={"request": ""}, trust_env=False)
    assert (told.status_code, told.json()["code"]) == (503, "hall_not_set_up")
    assert httpx.get(f"{url}/health", trust_env=False).status_code == 503


def test_each_side_brings_its_own_and_a_forged_form_does_nothing(
    started: tuple[str, dict[str, str], Path], tmp_path: Path
) -> None:
    url, secrets, data = started
    out = Outsiders(tmp_path / "out")
    desks = {side: Desk(url) for side in books.SIDES}
    for side, desk in desks.items():
        desk.sign_up(side, secrets[side])
    centre, watch = desks["centre"], desks["supervision"]
    assert centre.http.post("/first-run/hall", data={"hall": NAME, "region": "510100"}).status_code == 422
    assert books.load(data).hall == "", "no csrf, no change"
    assert watch.post("/first-run/hall", hall=NAME, region="510100").status_code == 422
    assert centre.post("/first-run/hall", hall=NAME, region="51010").status_code == 422
    assert centre.post("/first-run/hall", hall=NAME, region="510100").status_code == 200
    assert "成都市" in centre.get("/first-run/hall").text
    card = out.root_card("supervision")
    theirs = centre.post("/first-run/roots", files={"card": card.open("rb")})
    assert theirs.status_code == 422 and "另一方的根" in theirs.text
    forged = json.loads(card.read_text()) | {"key": Ed25519Signer.generate(entropy=SeededEntropy(9)).key.hex()}
    for bad in (json.dumps(forged).encode(), b"{}", b"\xff\xfe", b"[" * 100_000, b"x" * 70_000):
        assert watch.post("/first-run/roots", files={"card": ("root.json", bad)}).status_code == 422
    key = out.witness_key("w-watch")
    assert centre.post("/first-run/witnesses", group="supervision", key=key).status_code == 422
    assert watch.post("/first-run/witnesses", group="supervision", key=key[:-4] + "AAAA").status_code == 422
    assert watch.post("/first-run/witnesses", group="supervision", key=key).status_code == 200
    assert watch.post("/first-run/witnesses", group="independent", key=key).status_code == 422
    early = centre.post("/first-run/certificate", files={"certificate": out.authority_file().open("rb")})
    assert early.status_code == 422 and "请先加入证书机构" in early.text
    assert centre.post("/first-run/anchors", password=PASSWORD["centre"]).status_code == 422
    assert not (data / "trust.json").exists()


def _certificate(*, ca: bool | None = True, since: int = -10, until: int = 3650, key: Any = None) -> bytes:
    now = datetime.now(UTC)
    key = key or ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "<script>alert(1)</script>")])
    made = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now + timedelta(days=since))
        .not_valid_after(now + timedelta(days=until))
    )
    if ca is not None:
        usage = x509.KeyUsage(True, False, False, False, False, bool(ca), bool(ca), False, False)
        made = made.add_extension(x509.BasicConstraints(ca=ca, path_length=None), critical=True)
        made = made.add_extension(usage, critical=True)
    return made.sign(key, hashes.SHA256()).public_bytes(Encoding.PEM)


HOSTILE = {
    "authority_expired": lambda: _certificate(since=-30, until=-1),
    "authority_not_yet_valid": lambda: _certificate(since=3, until=30),
    "authority_not_ca": lambda: _certificate(ca=False),
    "authority_unreadable": lambda: b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
    "authority_key": lambda: _certificate(key=rsa.generate_private_key(65537, 1024)),
    "upload_private_key": lambda: _certificate() + Ed25519Signer.generate(entropy=SeededEntropy(1)).to_pem(),
    "upload_over_limit": lambda: b"\n" * 70_000 + _certificate(),
}


@pytest.mark.parametrize("code", HOSTILE)
def test_what_is_no_authority_is_refused_with_words(code: str) -> None:
    _, wrong = anchors.authorities(HOSTILE[code](), [], now=RealWorld().now())
    assert [each.code for each in wrong] == [code]
    assert anchors.authorities(_certificate(), [], now=RealWorld().now())[1] == []


def test_every_defect_of_an_upload_is_told_at_once_and_nothing_of_it_is_taken() -> None:
    good = _certificate()
    mixed = good + HOSTILE["authority_expired"]() + HOSTILE["authority_not_ca"]() + good
    _, wrong = anchors.authorities(mixed, [], now=RealWorld().now())
    assert [each.code for each in wrong] == ["authority_expired", "authority_not_ca", "authority_known"]
    nothing = _certificate(ca=None)
    assert [each.code for each in anchors.authorities(nothing, [], now=RealWorld().now())[1]] == ["authority_not_ca"]


def set_up(url: str, data: Path, secrets: dict[str, str], out: Outsiders) -> dict[str, Desk]:
    """Everything, as the page says it; ends before the last confirmation."""
    desks = {side: Desk(url) for side in books.SIDES}
    for side, desk in desks.items():
        assert desk.sign_up(side, secrets[side]).status_code == 200
    centre, watch = desks["centre"], desks["supervision"]
    centre.post("/first-run/hall", hall=NAME, region="510100")
    watch.post("/first-run/hall", "/first-run/calendar")
    authority = out.authority_file().read_bytes()
    assert watch.post("/first-run/authorities", files={"file": ("ca.pem", authority)}).status_code == 200
    for side, (name, uscc) in (("centre", CENTRE), ("supervision", SUPERVISION)):
        card, own = out.root_card(side), out.certificate_file(name, uscc)
        assert desks[side].post("/first-run/roots", files={"card": card.open("rb")}).status_code == 200
        answer = desks[side].post("/first-run/roots", "/first-run/certificate", files={"certificate": own.open("rb")})
        assert answer.status_code == 200, answer.text
    for (name, group), desk in zip(WITNESSES, (centre, watch), strict=True):
        assert desk.post("/first-run/witnesses", group=group, key=out.witness_key(name)).status_code == 200
    return desks


@pytest.fixture(scope="module")
def whole(
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[tuple[str, Path, dict[str, Desk], Outsiders, list[Any]]]:
    """A hall set up to the last confirmation, with what was seen on the way."""
    home = tmp_path_factory.mktemp("first-run")
    data, out = home / "hall", Outsiders(home / "out")
    secrets = init(data)["first_run"]
    served = Served(data)
    url = served.start()
    seen: list[Any] = []
    try:
        desks = set_up(url, data, secrets, out)
        centre, watch = desks["centre"], desks["supervision"]
        # One side alone, however often, does not write trust.json; a change voids what was confirmed.
        assert centre.post("/first-run/anchors", password=PASSWORD["centre"]).status_code == 200
        assert centre.post("/first-run/anchors", password=PASSWORD["centre"]).status_code == 422, "it has said yes"
        assert not (data / "trust.json").exists()
        wrong = watch.post("/first-run/anchors", password=PASSWORD["centre"])
        assert wrong.status_code == 422 and not (data / "trust.json").exists()
        centre.post("/first-run/hall", hall=NAME + "(新)", region="510100")
        assert watch.post("/first-run/anchors", password=PASSWORD["supervision"]).status_code == 200
        assert not (data / "trust.json").exists(), "the centre confirmed something else"
        seen.append(centre.get("/first-run/trust.json").content)
        assert centre.post("/first-run/anchors", password=PASSWORD["centre"]).status_code == 200
        trust = data / "trust.json"
        assert trust.read_bytes() == seen[0]
        for row in TRUSTEES:
            card = out.trustee_card(row, trust)
            side = "centre" if row[4] == "operation" else "supervision"
            other = desks[books.OTHER[side]].post("/first-run/trustees", files={"card": card.open("rb")})
            assert other.status_code == 422
            taken = desks[side].post("/first-run/trustees", files={"card": card.open("rb")})
            assert taken.status_code == 200, taken.text
        seen.append(out.certify(url, trust))
        out.witnesses_look(url, trust)
        for row in TRUSTEES:
            out.hand_in_keys(url, row[0])
        yield url, data, desks, out, seen
    finally:
        served.stop()


def test_a_hall_from_nothing(whole: tuple[str, Path, dict[str, Desk], Outsiders, list[Any]]) -> None:
    url, data, desks, _, seen = whole
    centre, watch = desks["centre"], desks["supervision"]
    # An act of the hall (its scripts) may come in between; then one is signed anew.
    assert sum(each["signed"] for each in seen[1]) >= 3 + 2 * len(TRUSTEES)
    assert "首位经办人未登记" in centre.get("/first-run").text
    assert centre.post("/first-run/finish", password=PASSWORD["centre"]).status_code == 422, "officers lack"
    for side, login in (("centre", "clerk"), ("supervision", "officer")):
        own = PEOPLE[side]
        typed = {"password": "typed by the person", "again": "typed by the person"}
        refused = desks[side].post("/first-run/officers", name=own["name"], login="another", **typed)
        assert refused.status_code == 422, "an administrator gets no power"
        assert desks[side].post("/first-run/officers", name=f"经办 {login}", login=login, **typed).status_code == 200
    assert centre.post("/first-run/finish", password=PASSWORD["centre"]).status_code == 200
    assert centre.post("/first-run/finish", password=PASSWORD["centre"]).status_code == 422, "it has said yes"
    assert books.load(data).done == "", "one alone ends nothing"
    assert httpx.get(f"{url}/lots", trust_env=False).status_code in (303, 503)
    over = watch.post("/first-run/finish", password=PASSWORD["supervision"])
    assert over.status_code == 200 and "大厅已建成" in over.text
    book = books.load(data)
    assert book.done and "argon2" not in (data / books.FILE).read_text()
    for path in ("/first-run/hall", "/first-run/sign-up", "/first-run/finish", "/first-run/anchors"):
        assert centre.get(path).status_code == 404
        assert centre.http.post(path, data={"secret": "x"}).status_code == 404
    told = centre.get("/first-run")
    assert told.status_code == 200 and "它的页面不再存在" in told.text
    assert httpx.get(f"{url}/health", trust_env=False).json()["status"] == "ok"
    clerk = Desk(url)
    answer = clerk.post(
        "/account/sign-in", login="clerk", password="typed by the person", door="centre", back="/centre"
    )
    assert answer.status_code == 200 and answer.url.path == "/centre"
    # The centre's administrator may look, and do nothing.
    admin = Desk(url)
    admin.post("/account/sign-in", login="lin.jing", password=PASSWORD["centre"], door="centre", back="/centre")
    typed = {"organisation.name": "某公司", "organisation.uscc": "91139900MA0WNER16M", "organisation.roles": "owner"}
    assert admin.post("/centre/organisations", **typed).status_code in (403, 422)
    keys = [act["purpose"] for act in _hall_acts(data) if act["kind"] == "key"]
    assert sorted(keys) == ["duty", "room", "verifier"]
    assert [act["trustee"] for act in _hall_acts(data) if act["kind"] == "trustee"] == [row[0] for row in TRUSTEES]


def test_an_old_book_does_not_open_a_hall_again(
    whole: tuple[str, Path, dict[str, Desk], Outsiders, list[Any]], tmp_path: Path
) -> None:
    _, data, _, _, _ = whole
    fresh, _ = books.begin(tmp_path / "other", hall="", uscc="", region="", entropy=SeededEntropy(3))
    for name in ("hall.json", "trust.json"):
        (tmp_path / "other" / name).write_bytes((data / name).read_bytes())
    with pytest.raises(Refused) as err:
        FirstRun.open(tmp_path / "other", world=RealWorld())
    assert err.value.code == "trust_not_confirmed"
    assert fresh.done == ""


def _hall_acts(data: Path) -> list[dict[str, Any]]:
    import contextlib
    import sqlite3

    with contextlib.closing(sqlite3.connect(data / "hall.db")) as there:
        rows = there.execute("select body from event where tender_id = ? and seq >= 0 order by seq", ("0" * 64,))
        return [json.loads(body) for (body,) in rows]
