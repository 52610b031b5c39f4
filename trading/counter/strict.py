"""Strict JSON bodies: no duplicate names, no NaN, bounded depth and size (issue: bad input).

Litestar's decoder keeps the last of two equal names; an attacker could then show one value to a log and another to the
rule. So a guard reads the body first and refuses what RFC 8259 leaves open.
"""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any

from litestar import Request

from crypto.refusal import Refused

if TYPE_CHECKING:
    from litestar.connection import ASGIConnection
    from litestar.handlers import BaseRouteHandler

BODY_BYTES_MAX = 1 << 20
Guard = Callable[["ASGIConnection[Any, Any, Any, Any]", "BaseRouteHandler"], Awaitable[None]]
DEPTH_MAX = 24
_STRING = re.compile(r'"[^"\\]*+(?:\\.[^"\\]*+)*+(?:"|\\?\Z)', re.DOTALL)
"""A string of JSON, or what is left of one that does not end. A bid's body is 20 KB of them: nothing here may go
through it character by character."""
_BRACKET = re.compile(r"[\[\]{}]")


async def strict_json(connection: ASGIConnection[Any, Any, Any, Any], _: BaseRouteHandler) -> None:
    """Litestar guard: refuse a body that is not one strict JSON object."""
    assert isinstance(connection, Request)
    body = await connection.body()
    parse(body)


def strict_json_up_to(bytes_max: int) -> Guard:
    """The same guard for a verb whose honest bodies are larger. One such body is parsed at a time: whoever sends many
    waits in a queue of its own making, and the memory is that of one."""
    one = asyncio.Semaphore(1)

    async def guard(connection: ASGIConnection[Any, Any, Any, Any], _: BaseRouteHandler) -> None:
        assert isinstance(connection, Request)
        body = await connection.body()
        if len(body) <= BODY_BYTES_MAX:
            parse(body)
            return
        async with one:
            await asyncio.to_thread(parse, body, bytes_max=bytes_max)

    return guard


def parse(body: bytes, *, bytes_max: int = BODY_BYTES_MAX) -> dict[str, Any]:
    """Return the object in `body`; raise Refused(`body_…`) naming what is wrong."""
    if len(body) > bytes_max:
        raise Refused("body_too_large", limit=bytes_max)
    try:
        text = body.decode("utf-8")
    except UnicodeDecodeError as error:
        raise Refused("body_not_utf8", at=error.start) from error
    if _depth(text) > DEPTH_MAX:
        raise Refused("body_too_deep", limit=DEPTH_MAX)
    try:
        value = json.loads(text or "{}", object_pairs_hook=_once, parse_constant=_no_constant)
    except (ValueError, RecursionError) as error:
        raise Refused("body_malformed", why=str(error)) from error
    if not isinstance(value, dict):
        raise Refused("body_malformed", why="an object is expected")
    return value


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, value in pairs:
        if name in found:
            raise Refused("body_duplicate_name", name=name)
        found[name] = value
    return found


def _no_constant(name: str) -> Any:
    raise Refused("body_not_a_number", name=name)


def _depth(text: str) -> int:
    deepest = depth = 0
    for mark in _BRACKET.findall(_STRING.sub("", text)):
        depth += 1 if mark in "[{" else -1
        deepest = max(deepest, depth)
    return deepest
