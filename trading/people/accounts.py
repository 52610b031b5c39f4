"""Accounts: one natural person's login, its password as Argon2id, and the sessions that a sign-in gives.

20号令 §24 (no fee, no obstacle to registration); RFC 9106 (Argon2id). A session is a row of `token`, so that the
database's row policies know whose session it is; only its SHA-256 is kept. Failed attempts are counted in the
account's own row, under its version, so that the limit holds over all processes. No account is shared: a session is
one person in one role for one organisation.

Whoever reads the table of accounts can try passwords at Argon2id's price; they cannot sign in.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import argon2
import pyotp
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

_HASHER = argon2.PasswordHasher()
# For passwords that a machine made with 48 bits and more of entropy: a rehearsal has a hundred of them.
_MACHINE_HASHER = argon2.PasswordHasher(time_cost=1, memory_cost=8192, parallelism=1, type=Type.ID)
_NOBODY = _HASHER.hash("nobody has this password")


@dataclass(frozen=True, slots=True)
class Post:
    """One role that a person may sign in to."""

    role: Role
    organisation: str


@dataclass(frozen=True, slots=True)
class Known:
    """Who gave the right password: the person, its posts, and whether a second factor is still wanted."""

    login: str
    posts: Sequence[Post]
    totp: str


async def open_account(unit: Unit, *, login: str, password: str, made_by_machine: bool = False) -> None:
    """Give a registered person a password. Raises Refused: password_too_short, password_too_long, account_exists."""
    row = {"login": login, "person": login, "body": {"password": hashed(password, made_by_machine=made_by_machine)}}
    if await unit.account.read(login) is not None:
        raise Refused("account_exists", login=login)
    await unit.account.insert(row)


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


def code_matches(secret: str, code: str, *, now: datetime) -> bool:
    """Whether a one-time code (RFC 6238, 30 s, one step of tolerance) fits the secret."""
    return pyotp.TOTP(secret).verify(code.strip(), for_time=now, valid_window=1)


async def waiting(unit: Unit, login: str, *, now: datetime) -> None:
    """Raise Refused("sign_in_wait") while an account has failed too often."""
    row = await unit.account.read(login)
    recent = _recent(row, now=now) if row else []
    if len(recent) >= ATTEMPTS_MAX:
        until = instant(recent[0]) + timedelta(minutes=ATTEMPT_MINUTES)
        raise Refused("sign_in_wait", until=stamp(until))


async def note_failure(unit: Unit, login: str, *, now: datetime) -> None:
    """Count a wrong password or code against the account, if there is one."""
    row = await unit.account.read(login)
    if row is not None:
        body = {**row["body"], "failures": [*_recent(row, now=now), stamp(now)]}
        await unit.account.update({**row, "body": body}, expected_version=row["version"])


async def password_of(unit: Unit, login: str) -> str:
    """The PHC string kept for a login, '' when there is none."""
    row = await unit.account.read(login)
    return str(row["body"].get("password", "")) if row else ""


async def check_password(unit: Unit, *, login: str, password: str, now: datetime) -> None:
    """Raise Refused: sign_in_wait, sign_in_failed. The caller notes the failure in a transaction of its own."""
    await waiting(unit, login, now=now)
    if not matches(await password_of(unit, login), password):
        raise Refused("sign_in_failed")


async def known(unit: Unit, login: str) -> Known:
    """The posts of a person who proved who it is."""
    grants = await unit.role_grant.find({"person": login})
    posts = sorted({(row["role"], row["organisation"]) for row in grants})
    row = await unit.account.read(login)
    totp = str(row["body"].get("totp", "")) if row else ""
    return Known(login, [Post(Role(role), organisation) for role, organisation in posts], totp)


async def begin_session(unit: Unit, *, login: str, post: Post, door: str, now: datetime, hall: Hall) -> str:
    """A new session of a person in one of its posts; returns the token in the clear, which nobody else has.

    Raises Refused("post_not_held"). Clears the account's failures.
    """
    if post not in (await known(unit, login)).posts:
        raise Refused("post_not_held", role=post.role.value)
    row = await unit.account.read(login)
    if row is not None and row["body"].get("failures"):
        body = {name: value for name, value in row["body"].items() if name != "failures"}
        await unit.account.update({**row, "body": body}, expected_version=row["version"])
    token = hall.entropy(24).hex()
    session: dict[str, Any] = {"role": post.role.value, "session": door, "since": stamp(now)}
    kept = {"hash": token_hash(token), "person": login, "organisation": post.organisation}
    await unit.token.insert({**kept, "expires": stamp(now + timedelta(hours=SESSION_HOURS)), "body": session})
    return token


async def end_session(unit: Unit, token: str) -> None:
    """Forget a session; one that is gone already is no error."""
    if await unit.token.read(token_hash(token)) is not None:
        await unit.token.delete(token_hash(token))


def _recent(row: Mapping[str, Any], *, now: datetime) -> list[str]:
    since = stamp(now - timedelta(minutes=ATTEMPT_MINUTES))
    return [at for at in row["body"].get("failures", []) if at > since][-ATTEMPTS_MAX:]
