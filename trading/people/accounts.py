"""Accounts: one natural person's login, its password as Argon2id, and the sessions that a sign-in gives.

20号令 §24 (no fee, no obstacle to registration); RFC 9106 (Argon2id). A session is a row of `token`, so that the
database's row policies know whose session it is; only its SHA-256 is kept. Failed attempts are counted in the
account's own row and in one of the address they came from, under their versions, so that both limits hold over all
processes. No account is shared: a session is one person in one role for one organisation, in its own right or by a
colleague's delegation while that lasts (trading/people/delegations.py).

Whoever reads the table of accounts can try passwords at Argon2id's price; they cannot sign in.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Any

import argon2
from argon2.low_level import Type

from crypto.refusal import Refused
from storage.unit import Unit
from storage.world import instant, stamp
from trading.hall import Hall
from trading.people.tokens import token_hash
from trading.roles import Role

PASSWORD_CHARACTERS_MIN = 10
PASSWORD_CHARACTERS_MAX = 200
SESSION_HOURS = 12
ATTEMPTS_MAX = 5
ATTEMPT_MINUTES = 15
"""After five failures within a quarter of an hour an account waits until the oldest of them has passed."""
ADDRESS_ATTEMPTS_MAX = 100
"""The same for everybody who comes from one address: far more, because a whole office may share it."""

_LOGIN = re.compile(r"[a-z][a-z0-9._-]{2,39}")
_HASHER = argon2.PasswordHasher()
# For passwords that a machine made with 48 bits and more of entropy: a rehearsal has a hundred of them.
_MACHINE_HASHER = argon2.PasswordHasher(time_cost=1, memory_cost=8192, parallelism=1, type=Type.ID)
_NOBODY = _HASHER.hash("nobody has this password")


@dataclass(frozen=True, slots=True)
class Post:
    """One role that a person may sign in to."""

    role: Role
    organisation: str
    until: str = ""
    """The last instant of a delegated post; '' for one's own."""


@dataclass(frozen=True, slots=True)
class Session:
    """One running session of a person, by the first characters of its hash: at which door, in which role, since when,
    from where, with what."""

    id: str
    door: str
    role: str
    organisation: str
    since: str
    address: str
    device: str


@dataclass(frozen=True, slots=True)
class Known:
    """Who gave the right password: the person, its posts, and whether a second factor is still wanted."""

    login: str
    posts: Sequence[Post]
    totp: str


def check_login(login: str) -> str:
    """A user name: 3 to 40 small letters, digits, points, hyphens. Raises Refused("login_wrong")."""
    if not _LOGIN.fullmatch(login):
        raise Refused("login_wrong")
    return login


async def open_account(unit: Unit, *, login: str, password: str, made_by_machine: bool = False) -> None:
    """Give a registered person a password. Raises Refused: password_too_short, password_too_long, account_exists."""
    await open_hashed(unit, login=login, phc=hashed(password, made_by_machine=made_by_machine))


async def open_hashed(unit: Unit, *, login: str, phc: str) -> None:
    """The same for a password of which only the PHC string is known. Raises Refused("account_exists")."""
    if await unit.account.read(login) is not None:
        raise Refused("account_exists", login=login)
    await unit.account.insert({"login": login, "person": login, "body": {"password": phc}})


async def change_password(unit: Unit, *, login: str, old: str, new: str, now: datetime) -> None:
    """Replace a password by its owner. Raises Refused: sign_in_failed, password_too_short, password_too_long."""
    await check_password(unit, login=login, password=old, now=now)
    row = await unit.account.read(login)
    assert row is not None, "a checked account exists"
    body = {**row["body"], "password": hashed(new)}
    await unit.account.update({**row, "body": body}, expected_version=row["version"])


def hashed(password: str, *, made_by_machine: bool = False) -> str:
    """The PHC string of a password. Raises Refused: password_too_short, password_too_long."""
    if len(password) < PASSWORD_CHARACTERS_MIN:
        raise Refused("password_too_short", characters=PASSWORD_CHARACTERS_MIN)
    if len(password) > PASSWORD_CHARACTERS_MAX:
        raise Refused("password_too_long", characters=PASSWORD_CHARACTERS_MAX)
    return (_MACHINE_HASHER if made_by_machine else _HASHER).hash(password)


def matches(phc: str, password: str) -> bool:
    """Whether a password is the one of a PHC string; takes its time for an account that does not exist, too."""
    try:
        return _HASHER.verify(phc or _NOBODY, password)
    except argon2.exceptions.VerificationError:
        return False


async def waiting(unit: Unit, login: str, *, now: datetime, address: str = "") -> None:
    """Raise Refused("sign_in_wait") while an account, or everybody from an address, has failed too often."""
    for name, most in ((login, ATTEMPTS_MAX), (_from(address), ADDRESS_ATTEMPTS_MAX)):
        row = await unit.account.read(name) if name else None
        recent = _recent(row, now=now, most=most) if row else []
        if len(recent) >= most:
            raise Refused("sign_in_wait", until=stamp(instant(recent[0]) + timedelta(minutes=ATTEMPT_MINUTES)))


async def note_failure(unit: Unit, login: str, *, now: datetime, address: str = "") -> None:
    """Count a wrong password or code against the account, if there is one, and against the address."""
    row = await unit.account.read(login)
    if row is not None:
        body = {**row["body"], "failures": [*_recent(row, now=now, most=ATTEMPTS_MAX), stamp(now)]}
        await unit.account.update({**row, "body": body}, expected_version=row["version"])
    if address:
        row = await unit.account.read(_from(address))
        if row is None:
            await unit.account.insert({"login": _from(address), "person": "", "body": {"failures": [stamp(now)]}})
        else:
            failures = [*_recent(row, now=now, most=ADDRESS_ATTEMPTS_MAX), stamp(now)]
            await unit.account.update({**row, "body": {"failures": failures}}, expected_version=row["version"])


async def password_of(unit: Unit, login: str) -> str:
    """The PHC string kept for a login, '' when there is none."""
    row = await unit.account.read(login)
    return str(row["body"].get("password", "")) if row else ""


async def check_password(unit: Unit, *, login: str, password: str, now: datetime) -> None:
    """Raise Refused: sign_in_wait, sign_in_failed. The caller notes the failure in a transaction of its own."""
    await waiting(unit, login, now=now)
    if not matches(await password_of(unit, login), password):
        raise Refused("sign_in_failed")


async def known(unit: Unit, login: str, *, now: datetime) -> Known:
    """The posts of a person who proved who it is: its own, and those delegated to it for now."""
    grants = [row for row in await unit.role_grant.find({"person": login}) if in_force(row["body"], now=now)]
    posts = {(row["role"], row["organisation"]): row["body"].get("until", "") for row in grants}
    own = {(row["role"], row["organisation"]) for row in grants if "until" not in row["body"]}
    row = await unit.account.read(login)
    totp = str(row["body"].get("totp", "")) if row else ""
    told = [Post(Role(role), of, "" if (role, of) in own else until) for (role, of), until in sorted(posts.items())]
    return Known(login, told, totp)


def in_force(grant: Mapping[str, Any], *, now: datetime) -> bool:
    """Whether a grant holds now; one's own always, a delegated one from its first to its last instant."""
    return "until" not in grant or bool(grant["from"] <= stamp(now) <= grant["until"])


async def begin_session(
    unit: Unit, *, login: str, post: Post, door: str, now: datetime, hall: Hall, address: str = "", device: str = ""
) -> str:
    """A new session of a person in one of its posts; returns the token in the clear, which nobody else has. One that
    stands on a delegation ends with it.

    Raises Refused("post_not_held"). Clears the account's failures.
    """
    held = next((one for one in (await known(unit, login, now=now)).posts if _same(one, post)), None)
    if held is None:
        raise Refused("post_not_held", role=post.role.value)
    row = await unit.account.read(login)
    if row is not None and row["body"].get("failures"):
        body = {name: value for name, value in row["body"].items() if name != "failures"}
        await unit.account.update({**row, "body": body}, expected_version=row["version"])
    token = hall.entropy(24).hex()
    session: dict[str, Any] = {"role": post.role.value, "session": door, "since": stamp(now)}
    session |= {"address": address, "device": device}
    kept = {"hash": token_hash(token), "person": login, "organisation": post.organisation}
    expires = min(stamp(now + timedelta(hours=SESSION_HOURS)), held.until or "9")
    await unit.token.insert({**kept, "expires": expires, "body": session})
    return token


async def sessions(unit: Unit, login: str, *, now: datetime) -> list[Session]:
    """The running sessions of a person, newest first; bearer tokens of programs are not among them."""
    rows = [row for row in await unit.token.find({"person": login}) if row["expires"] > stamp(now)]
    told = [
        Session(
            row["hash"][:16], row["body"]["session"], row["body"]["role"], row["organisation"], row["body"]["since"],
            row["body"].get("address", ""), row["body"].get("device", ""),
        )
        for row in rows if row["body"].get("session")
    ]  # fmt: skip
    return sorted(told, key=lambda one: one.since, reverse=True)


def session_id(token: str) -> str:
    """The id under which `sessions` lists the session of a token."""
    return token_hash(token)[:16]


async def end_sessions(unit: Unit, login: str, *, which: str = "", but: str = "") -> int:
    """End one session of a person (`which`), or all but the one of the token `but`; returns how many ended."""
    ended = 0
    for row in await unit.token.find({"person": login}):
        chosen = row["hash"].startswith(which) if which else row["hash"] != token_hash(but)
        if row["body"].get("session") and chosen:
            await unit.token.delete(row["hash"])
            ended += 1
    return ended


async def end_session(unit: Unit, token: str) -> None:
    """Forget a session; one that is gone already is no error."""
    if await unit.token.read(token_hash(token)) is not None:
        await unit.token.delete(token_hash(token))


def _same(one: Post, other: Post) -> bool:
    return (one.role, one.organisation) == (other.role, other.organisation)


def _from(address: str) -> str:
    """The row that counts the failures of an address. No login looks like it: logins hold no space."""
    return f"from {sha256(address.encode()).hexdigest()[:32]}" if address else ""


def _recent(row: Mapping[str, Any], *, now: datetime, most: int) -> list[str]:
    since = stamp(now - timedelta(minutes=ATTEMPT_MINUTES))
    return [at for at in row["body"].get("failures", []) if at > since][-most:]
