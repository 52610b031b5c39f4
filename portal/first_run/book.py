"""The book of a first run (first-run.json): who the administrators are, what they entered, what both have confirmed.

20号令 §15, §23 (管办分离): one administrator is the centre's, one the supervision's, two persons of two organisations.
Each signs up once, with the secret that `tradehall init` printed for its side. What decides whom people will believe
(roots, witnesses, authorities, the hall's name) counts only when both have confirmed the very same contents; a change
voids what was confirmed before. An administrator gets no power in a tender.

The file is in the hall's folder and readable by its owner alone. Whoever can write it owns the machine and could as
well replace the program; what they cannot do is sign with the roots, or publish the fingerprint on the supervisor's and
the witnesses' own pages.
"""

from __future__ import annotations

import base64
import hmac
import unicodedata
from collections.abc import Callable, Mapping
from datetime import datetime
from hashlib import sha256
from pathlib import Path
from typing import Literal, TypeVar

import msgspec
from msgspec import structs

from crypto import jcs
from crypto.refusal import Refused
from portal import folder
from storage.world import stamp
from trading import calendar, codes
from trading.people import accounts

FILE = "first-run.json"
SECRET_BYTES = 15
GROUP_CHARACTERS = 4
Side = Literal["centre", "supervision"]
SIDES: tuple[Side, ...] = ("centre", "supervision")
OTHER: Mapping[Side, Side] = {"centre": "supervision", "supervision": "centre"}
Step = Literal["anchors", "finish"]
T = TypeVar("T", bound="Part")


class Part(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What every part of the book shares: frozen, named fields only."""


class Person(Part, frozen=True):
    """Who signs in: `password` is the PHC string of Argon2id, '' once the first run is over."""

    login: str
    name: str
    password: str


class Administrator(Person, frozen=True):
    """A person of one of the two organisations."""

    organisation: str
    uscc: str


class SideBook(Part, frozen=True):
    """What one side brought. `secret` is the SHA-256 (hex) of its one-time secret, '' once used. `root` is the hex
    Ed25519 key of its root, `certificate` the PEM of its organisation's signing certificate, `officer` its first
    person with a role. `confirmed` maps a step to the digest of what this side confirmed."""

    secret: str
    administrator: Administrator | None = None
    root: str = ""
    certificate: str = ""
    officer: Person | None = None
    confirmed: dict[str, str] = {}


class Witness(Part, frozen=True):
    """A witness: `key` is its verifier key as `tradehall-witness keys` prints it."""

    name: str
    group: Literal["operation", "supervision", "independent"]
    key: str
    by: Side


class Did(Part, frozen=True):
    """One line of the history: when, which side, what, in both languages."""

    at: str
    side: Side
    zh: str
    en: str


class Book(Part, frozen=True):
    """The whole book. `calendar` is the digest of the calendar that was acknowledged; `anchored` and `done` say when
    both had confirmed the anchors, and when both ended the first run."""

    centre: SideBook
    supervision: SideBook
    v: Literal[1] = 1
    hall: str = ""
    uscc: str = ""
    region: str = ""
    calendar: str = ""
    ca_roots: list[str] = []
    witnesses: list[Witness] = []
    history: list[Did] = []
    anchored: str = ""
    done: str = ""

    def side(self, side: Side) -> SideBook:
        """What one side brought."""
        return self.centre if side == "centre" else self.supervision

    def administrator(self, side: Side) -> Administrator:
        """The administrator of a side. Raises Refused("first_run_signed_out") before there is one."""
        found = self.side(side).administrator
        if found is None:
            raise Refused("first_run_signed_out")
        return found

    def by_both(self, step: Step, digest: str) -> bool:
        """Whether both sides have confirmed these very contents."""
        return all(self.side(side).confirmed.get(step) == digest for side in SIDES)


def begun(path: Path) -> bool:
    """Whether a hall's folder was made for a first run."""
    return (path / FILE).exists()


def begin(
    path: Path, *, hall: str, uscc: str, region: str, entropy: Callable[[int], bytes]
) -> tuple[Book, Mapping[Side, str]]:
    """Make a real hall's folder, its keys and its book; returns the book and the two secrets, which nothing keeps.

    What is given may be '' and is then asked on the page. Raises Refused: hall_exists, uscc_wrong,
    code_region_malformed."""
    if begun(path) or (path / "hall.json").exists():
        raise Refused("hall_exists", folder=str(path))
    if uscc:
        codes.check_uscc(uscc)
    if region:
        check_region(region)
    if hall and uscc and region:
        folder.create(path, name=hall, uscc=uscc, region=region, demo=False, entropy=entropy)
    else:
        folder.make_keys(path, entropy=entropy)
    secrets = {side: secret(entropy) for side in SIDES}
    sides = {side: SideBook(secret=_hashed(secrets[side])) for side in SIDES}
    book = Book(hall=hall, uscc=uscc, region=region, centre=sides["centre"], supervision=sides["supervision"])
    save(path, book)
    return book, secrets


def load(path: Path) -> Book:
    """The book in a hall's folder. Raises Refused("first_run_unreadable")."""
    try:
        return msgspec.json.decode((path / FILE).read_bytes(), type=Book)
    except (OSError, msgspec.DecodeError) as error:
        raise Refused("first_run_unreadable", folder=str(path)) from error


def save(path: Path, book: Book) -> None:
    """Write the book whole or not at all."""
    folder.write_secret(path / FILE, msgspec.json.format(msgspec.json.encode(book), indent=1))


def secret(entropy: Callable[[int], bytes]) -> str:
    """A one-time secret of 120 bits that a person can type: six groups of four letters and digits."""
    text = base64.b32encode(entropy(SECRET_BYTES)).decode()
    return "-".join(text[at : at + GROUP_CHARACTERS] for at in range(0, len(text), GROUP_CHARACTERS))


def side_of_secret(book: Book, typed: str) -> Side:
    """The side whose unused secret this is, however it was spaced. Raises Refused: first_run_secret_used (both sides
    have signed up), first_run_secret_wrong."""
    hashed = _hashed(typed)
    found = [side for side in SIDES if hmac.compare_digest(book.side(side).secret, hashed)]
    if not found:
        used = all(book.side(side).administrator is not None for side in SIDES)
        raise Refused("first_run_secret_used" if used else "first_run_secret_wrong")
    return found[0]


def signed_up(book: Book, side: Side, who: Administrator, *, now: datetime) -> Book:
    """The book with a side's administrator; its secret is used up.

    Raises Refused: uscc_wrong, first_run_operator_differs (the centre's is of the organisation that runs the hall),
    first_run_same_organisation, first_run_same_person, login_wrong.
    """
    assert book.side(side).administrator is None, "a used secret opens nothing"
    codes.check_uscc(who.uscc)
    accounts.check_login(who.login)
    if side == "centre" and book.uscc not in ("", who.uscc):
        raise Refused("first_run_operator_differs", uscc=book.uscc)
    other = book.side(OTHER[side]).administrator
    operator = book.uscc or (other.uscc if other and side == "supervision" else "")
    if (other and other.uscc == who.uscc) or (side == "supervision" and operator == who.uscc):
        raise Refused("first_run_same_organisation", uscc=who.uscc)
    if other and (other.login == who.login or plain(other.name) == plain(who.name)):
        raise Refused("first_run_same_person", name=who.name)
    if other and plain(other.organisation) == plain(who.organisation):
        raise Refused("first_run_same_organisation", uscc=who.uscc)
    book = with_side(book, side, administrator=who, secret="")
    if side == "centre":
        book = structs.replace(book, uscc=who.uscc)
    return noted(book, side, "注册为管理员。", "signed up as administrator.", now=now)


def with_side(book: Book, side: Side, **changes: object) -> Book:
    """The book with one side's part changed."""
    return structs.replace(book, **{side: structs.replace(book.side(side), **changes)})


def noted(book: Book, side: Side, zh: str, en: str, *, now: datetime) -> Book:
    """The book with one more line in its history."""
    return structs.replace(book, history=[*book.history, Did(at=stamp(now), side=side, zh=zh, en=en)])


def confirmed(book: Book, side: Side, step: Step, digest: str) -> Book:
    """The book with a side's confirmation of these contents."""
    return with_side(book, side, confirmed={**book.side(side).confirmed, step: digest})


def with_officer(book: Book, side: Side, officer: Person) -> Book:
    """The book with a side's first officer, who is nobody of the administrators: an administrator gets no power.

    Raises Refused: login_wrong, first_run_same_person."""
    accounts.check_login(officer.login)
    for each in SIDES:
        administrator, named = book.side(each).administrator, book.side(OTHER[side]).officer
        people: list[Person] = [one for one in (administrator, named) if one is not None]
        if any(one.login == officer.login or plain(one.name) == plain(officer.name) for one in people):
            raise Refused("first_run_same_person", name=officer.name)
    return with_side(book, side, officer=officer)


def forgotten(book: Book, *, now: datetime) -> Book:
    """The book at the end: no password and no secret is in it any more."""
    for side in SIDES:
        part = book.side(side)
        people = {
            name: structs.replace(one, password="")
            for name, one in (("administrator", part.administrator), ("officer", part.officer))
            if one is not None
        }
        book = with_side(book, side, secret="", **people)
    return structs.replace(book, done=stamp(now))


def check_region(code: str) -> str:
    """The name of a division by its code (GB/T 2260), '' where no list knows it: a new division is older than any list.
    Raises Refused("code_region_malformed")."""
    codes.platform(code, 1)
    return region_name(code)


def region_name(code: str) -> str:
    """How a division is called, '' for a code that no list knows."""
    from stdnum import numdb

    found = [told for _, told in numdb.get("cn/loc").info(code)]
    province = next((str(told["province"]) for told in found if told.get("province")), "")
    county = next((str(told["county"]) for told in found if told.get("county")), "")
    # "[1983-1989]…,[1990-]上城区": the newest name stands last.
    county = county.rpartition("]")[2]
    return f"{province}{'' if county == province else county}" if province and county else ""


def calendar_digest() -> str:
    """The digest of the calendar this program loads: what a side acknowledges."""
    return sha256(jcs.dumps(calendar.load().to_json())).hexdigest()


def plain(name: str) -> str:
    """A name as one compares it: full width, spaces and case do not make another person."""
    return "".join(unicodedata.normalize("NFKC", name).split()).casefold()


def _hashed(typed: str) -> str:
    text = "".join(unicodedata.normalize("NFKC", typed).upper().replace("-", "").split())
    return sha256(b"tradehall first run\0" + text.encode()).hexdigest()
