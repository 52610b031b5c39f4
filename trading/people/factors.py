"""What a person may add to its password: one-time codes (RFC 6238) with recovery codes, and passkeys (WebAuthn).

Everything lies in the account's own row. A code is taken once: the last step used is remembered. Recovery codes are
kept as hashes and each is taken once. A passkey's challenge carries its own instant, which the authenticator signs; it
is good for five minutes and once, so nothing has to be kept for visitors who never come back.

Whoever reads the table of accounts can make one-time codes; they cannot sign in without the password, and they cannot
use a passkey.
"""

from __future__ import annotations

import base64
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import Any

import pyotp
import webauthn
from webauthn.helpers import structs
from webauthn.helpers.exceptions import WebAuthnException

from crypto.refusal import Refused
from storage.unit import Unit
from storage.world import stamp

CODES = 10
CODE_BYTES = 8
STEP_SECONDS = 30
CHALLENGE_MINUTES = 5
PASSKEYS_MAX = 10
NAME_CHARACTERS_MAX = 60


@dataclass(frozen=True, slots=True)
class Place:
    """Where a passkey is asked for: the host name, and scheme://host:port as the browser says it."""

    host: str
    origin: str


async def begin_totp(unit: Unit, login: str, *, entropy: Callable[[int], bytes]) -> str:
    """A new secret (base32) that waits for its first code; the one in force stays until then."""
    secret = base64.b32encode(entropy(20)).decode()
    await _change(unit, login, totp_waiting=secret)
    return secret


async def waiting_totp(unit: Unit, login: str) -> str:
    """The secret that waits for its first code, '' when none does."""
    return str((await _body(unit, login)).get("totp_waiting", ""))


async def confirm_totp(
    unit: Unit, login: str, code: str, *, now: datetime, entropy: Callable[[int], bytes]
) -> list[str]:
    """Put the waiting secret in force by a code that fits it; returns ten recovery codes, shown this once.

    Raises Refused("code_wrong").
    """
    secret = await waiting_totp(unit, login)
    step = _step(secret, code, now=now) if secret else None
    if step is None:
        raise Refused("code_wrong")
    codes = [_spoken(entropy(CODE_BYTES)) for _ in range(CODES)]
    kept = [_hash(one) for one in codes]
    await _change(unit, login, totp=secret, totp_waiting="", totp_step=step, recovery=kept)
    return codes


async def end_totp(unit: Unit, login: str) -> None:
    """No more one-time codes; the caller has asked for the password."""
    await _change(unit, login, totp="", totp_waiting="", recovery=[])


async def take_code(unit: Unit, login: str, code: str, *, now: datetime) -> None:
    """Take a one-time code or a recovery code, each once. Raises Refused("sign_in_failed")."""
    body = await _body(unit, login)
    step = _step(str(body.get("totp", "")), code, now=now)
    if step is not None and step > body.get("totp_step", -1):
        await _change(unit, login, totp_step=step)
        return
    left = list(body.get("recovery", []))
    if _hash(code) not in left:
        raise Refused("sign_in_failed")
    left.remove(_hash(code))
    await _change(unit, login, recovery=left)


def challenge(*, now: datetime, entropy: Callable[[int], bytes]) -> bytes:
    """32 bytes that nobody can foretell and that say when they were made."""
    return entropy(24) + int(now.timestamp() * 1000).to_bytes(8, "big")


def registration(login: str, name: str, asked: bytes, known: list[str], *, at: Place, hall: str) -> str:
    """What the browser needs to make a passkey (JSON of PublicKeyCredentialCreationOptions)."""
    return webauthn.options_to_json(
        webauthn.generate_registration_options(
            rp_id=at.host,
            rp_name=hall,
            user_name=login,
            user_id=login.encode()[:64],
            user_display_name=name,
            challenge=asked,
            authenticator_selection=structs.AuthenticatorSelectionCriteria(
                resident_key=structs.ResidentKeyRequirement.REQUIRED,
                user_verification=structs.UserVerificationRequirement.REQUIRED,
            ),
            exclude_credentials=[structs.PublicKeyCredentialDescriptor(id=_bytes(one)) for one in known],
        )
    )


def request(asked: bytes, *, at: Place) -> str:
    """What the browser needs to use any passkey of this hall (JSON of PublicKeyCredentialRequestOptions)."""
    wanted = structs.UserVerificationRequirement.REQUIRED
    return webauthn.options_to_json(
        webauthn.generate_authentication_options(rp_id=at.host, challenge=asked, user_verification=wanted)
    )


async def add_passkey(
    unit: Unit, login: str, credential: Mapping[str, Any], asked: bytes, *, name: str, at: Place, now: datetime
) -> None:
    """Keep a passkey that the browser made for this challenge. Raises Refused: passkey_wrong, passkeys_too_many."""
    body = await _body(unit, login)
    known = list(body.get("passkeys", []))
    _fresh(asked, now=now)
    try:
        proved = webauthn.verify_registration_response(
            credential=dict(credential),
            expected_challenge=asked,
            expected_rp_id=at.host,
            expected_origin=at.origin,
            require_user_verification=True,
        )
    except (WebAuthnException, ValueError, KeyError, TypeError) as error:
        raise Refused("passkey_wrong", why=str(error)[:200]) from error
    if len(known) >= PASSKEYS_MAX:
        raise Refused("passkeys_too_many", limit=PASSKEYS_MAX)
    made = {
        "id": _text(proved.credential_id),
        "key": _text(proved.credential_public_key),
        "count": proved.sign_count,
        "name": name.strip()[:NAME_CHARACTERS_MAX],
        "since": stamp(now),
    }
    await _change(unit, login, passkeys=[*known, made])


async def passkeys(unit: Unit, login: str) -> list[dict[str, Any]]:
    """The passkeys of a person: id, name, since."""
    return list((await _body(unit, login)).get("passkeys", []))


async def end_passkey(unit: Unit, login: str, id_: str) -> None:
    """Forget a passkey; one that is gone already is no error."""
    left = [one for one in await passkeys(unit, login) if one["id"] != id_]
    await _change(unit, login, passkeys=left)


async def use_passkey(unit: Unit, credential: Mapping[str, Any], asked: bytes, *, at: Place, now: datetime) -> str:
    """The login of whoever used a passkey for this challenge, once. Raises Refused("passkey_wrong")."""
    _fresh(asked, now=now)
    try:
        login = _bytes(str(credential["response"]["userHandle"])).decode()
        row = await unit.account.read(login)
        body = row["body"] if row is not None else {}
        used = [
            one
            for one in body.get("challenges", [])
            if one["at"] > stamp(now - timedelta(minutes=2 * CHALLENGE_MINUTES))
        ]
        found = next(one for one in body.get("passkeys", []) if one["id"] == credential["id"])
        proved = webauthn.verify_authentication_response(
            credential=dict(credential),
            expected_challenge=asked,
            expected_rp_id=at.host,
            expected_origin=at.origin,
            credential_public_key=_bytes(found["key"]),
            credential_current_sign_count=found["count"],
            require_user_verification=True,
        )
    except (WebAuthnException, ValueError, KeyError, TypeError, StopIteration) as error:
        raise Refused("passkey_wrong", why=type(error).__name__) from error
    name = sha256(asked).hexdigest()
    if any(one["name"] == name for one in used):
        raise Refused("passkey_wrong", why="used before")
    counted = [{**one, "count": proved.new_sign_count} if one is found else one for one in body["passkeys"]]
    await _change(unit, login, passkeys=counted, challenges=[*used, {"name": name, "at": stamp(now)}])
    return login


def _fresh(asked: bytes, *, now: datetime) -> None:
    try:
        made = datetime.fromtimestamp(int.from_bytes(asked[24:32], "big") / 1000, tz=UTC)
    except (ValueError, OverflowError, OSError) as error:
        raise Refused("passkey_wrong", why="challenge") from error
    if len(asked) != 32 or not now - timedelta(minutes=CHALLENGE_MINUTES) <= made <= now + timedelta(minutes=1):
        raise Refused("passkey_wrong", why="challenge")


def _step(secret: str, code: str, *, now: datetime) -> int | None:
    """The step whose code it is, one step of tolerance; None for a wrong code."""
    if not secret or not code.strip().isdigit():
        return None
    at = int(now.timestamp()) // STEP_SECONDS
    made = pyotp.TOTP(secret)
    return next((one for one in (at, at - 1, at + 1) if made.verify(code.strip(), for_time=one * STEP_SECONDS)), None)


def _spoken(data: bytes) -> str:
    """A recovery code as people copy it: 13 characters of base32 in groups."""
    text = base64.b32encode(data).decode().rstrip("=").lower()
    return "-".join(text[start : start + 4] for start in range(0, len(text), 4))


def _hash(code: str) -> str:
    return sha256(code.strip().lower().replace("-", "").replace(" ", "").encode()).hexdigest()


def _text(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


def _bytes(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


async def _body(unit: Unit, login: str) -> Mapping[str, Any]:
    row = await unit.account.read(login)
    body: Mapping[str, Any] = row["body"] if row is not None else {}
    return body


async def _change(unit: Unit, login: str, **fields: Any) -> None:
    row = await unit.account.read(login)
    assert row is not None, "who is signed in has an account"
    await unit.account.update({**row, "body": {**row["body"], **fields}}, expected_version=row["version"])
