"""The book of a first run, without a server: who may be an administrator, and what a confirmation is worth."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest
from msgspec import structs

from crypto.refusal import Refused
from portal.first_run import book as books
from portal.first_run.book import Administrator, Book, Person
from storage.world import SeededEntropy

NOW = datetime(2026, 3, 2, 1, 0, tzinfo=UTC)
CENTRE, SUPERVISION = "12139900259796191P", "111399007970301774"
LIN = Administrator(login="lin.jing", name="林静", organisation="交易中心", uscc=CENTRE, password="phc")
ZHOU = Administrator(login="zhou.zheng", name="周正", organisation="住建局", uscc=SUPERVISION, password="phc")


@pytest.fixture
def begun(tmp_path: Path) -> tuple[Book, dict[str, str], Path]:
    book, secrets = books.begin(tmp_path / "hall", hall="", uscc="", region="", entropy=SeededEntropy(1))
    return book, dict(secrets), tmp_path / "hall"


def test_a_secret_opens_its_own_side_once(begun: tuple[Book, dict[str, str], Path]) -> None:
    book, secrets, _ = begun
    assert books.side_of_secret(book, f" {secrets['centre'].lower()} ") == "centre"
    assert len(secrets["centre"].replace("-", "")) == 24 and secrets["centre"] != secrets["supervision"]
    used = books.signed_up(book, "centre", LIN, now=NOW)
    for wrong in (secrets["centre"], "", "AAAA"):
        with pytest.raises(Refused) as err:
            books.side_of_secret(used, wrong)
        assert err.value.code == "first_run_secret_wrong"
    both = books.signed_up(used, "supervision", ZHOU, now=NOW)
    with pytest.raises(Refused) as err:
        books.side_of_secret(both, secrets["supervision"])
    assert err.value.code == "first_run_secret_used"


@pytest.mark.parametrize(
    ("changed", "code"),
    [
        ({"uscc": CENTRE}, "first_run_same_organisation"),
        ({"organisation": " 交易　中心"}, "first_run_same_organisation"),
        ({"name": "林　静"}, "first_run_same_person"),
        ({"login": "lin.jing"}, "first_run_same_person"),
        ({"login": "A"}, "login_wrong"),
        ({"uscc": SUPERVISION[:-1] + "0"}, "uscc_wrong"),
    ],
)
@pytest.mark.parametrize("first", ["centre", "supervision"])
def test_one_person_and_one_organisation_is_one_administrator(
    begun: tuple[Book, dict[str, str], Path], first: str, changed: dict[str, str], code: str
) -> None:
    book = begun[0]
    mine, theirs = (LIN, ZHOU) if first == "centre" else (ZHOU, LIN)
    if first == "supervision":
        swap = {"uscc": {CENTRE: SUPERVISION}, "login": {"lin.jing": "zhou.zheng"}, "name": {"林　静": "周　正"},
                "organisation": {" 交易　中心": " 住 建局"}}  # fmt: skip
        changed = {name: swap[name].get(value, value) for name, value in changed.items()}
    book = books.signed_up(book, "centre" if first == "centre" else "supervision", mine, now=NOW)
    with pytest.raises(Refused) as err:
        books.signed_up(
            book, "supervision" if first == "centre" else "centre", structs.replace(theirs, **changed), now=NOW
        )
    assert err.value.code == code


def test_the_centres_administrator_is_of_the_operator_that_init_named(tmp_path: Path) -> None:
    book, _ = books.begin(tmp_path / "h", hall="", uscc=CENTRE, region="", entropy=SeededEntropy(2))
    with pytest.raises(Refused) as err:
        books.signed_up(book, "centre", structs.replace(LIN, uscc=SUPERVISION), now=NOW)
    assert err.value.code == "first_run_operator_differs"
    with pytest.raises(Refused) as err:
        books.signed_up(book, "supervision", structs.replace(ZHOU, uscc=CENTRE), now=NOW)
    assert err.value.code == "first_run_same_organisation"


def test_a_confirmation_is_of_these_contents_and_of_both(begun: tuple[Book, dict[str, str], Path]) -> None:
    book = books.confirmed(begun[0], "centre", "anchors", "aa")
    assert not book.by_both("anchors", "aa")
    assert not books.confirmed(book, "centre", "anchors", "aa").by_both("anchors", "aa"), "twice is not both"
    assert not books.confirmed(book, "supervision", "anchors", "bb").by_both("anchors", "aa")
    assert not books.confirmed(book, "supervision", "finish", "aa").by_both("anchors", "aa")
    assert books.confirmed(book, "supervision", "anchors", "aa").by_both("anchors", "aa")


def test_a_first_officer_is_no_administrator(begun: tuple[Book, dict[str, str], Path]) -> None:
    book = books.signed_up(begun[0], "centre", LIN, now=NOW)
    book = books.signed_up(book, "supervision", ZHOU, now=NOW)
    for login, name in (("lin.jing", "另一人"), ("clerk", "林静"), ("zhou.zheng", "另一人"), ("clerk", "周 正")):
        with pytest.raises(Refused) as err:
            books.with_officer(book, "centre", Person(login=login, name=name, password="phc"))
        assert err.value.code == "first_run_same_person"
    named = books.with_officer(book, "centre", Person(login="clerk", name="陈经办", password="phc"))
    with pytest.raises(Refused):
        books.with_officer(named, "supervision", Person(login="clerk", name="吴科长", password="phc"))


def test_at_the_end_nothing_secret_is_left_and_the_file_was_never_others_to_read(
    begun: tuple[Book, dict[str, str], Path],
) -> None:
    book, secrets, path = begun
    assert (path / books.FILE).stat().st_mode & 0o077 == 0
    assert not any(secret in (path / books.FILE).read_text() for secret in secrets.values())
    book = books.signed_up(book, "centre", LIN, now=NOW)
    book = books.with_officer(book, "centre", Person(login="clerk", name="陈经办", password="phc"))
    over = books.forgotten(book, now=NOW)
    books.save(path, over)
    assert books.load(path) == over and over.done
    assert "phc" not in (path / books.FILE).read_text() and over.supervision.secret == ""
    with pytest.raises(Refused) as err:
        books.begin(path, hall="", uscc="", region="", entropy=SeededEntropy(4))
    assert err.value.code == "hall_exists", "a first run is not begun a second time in its folder"


@pytest.mark.parametrize("data", [b"", b"{}", b'{"v":2}', b"\xff", b'{"centre":{"secret":""},"x":1}'])
def test_a_damaged_book_is_refused(begun: tuple[Book, dict[str, str], Path], data: bytes) -> None:
    (begun[2] / books.FILE).write_bytes(data)
    with pytest.raises(Refused) as err:
        books.load(begun[2])
    assert err.value.code == "first_run_unreadable"


def test_divisions_are_named_where_a_list_knows_them() -> None:
    assert books.check_region("510100") == "四川省成都市" and books.check_region("110000") == "北京市"
    assert books.check_region("330102") == "浙江省上城区" and books.check_region("999999") == ""
    for wrong in ("51010", "5101000", "51010a", ""):
        with pytest.raises(Refused) as err:
            books.check_region(wrong)
        assert err.value.code == "code_region_malformed"
