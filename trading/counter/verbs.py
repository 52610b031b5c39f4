"""Verbs as routes: one POST per command, `/api/v1/<room>/<verb>`, the same manners at every door (contract: HTTP).

A verb is run in one unit of work with one `now`, taken after the last byte of the request. With an `Idempotency-Key`
the answer is kept with the transaction that made it, so a double click or a retry after a lost answer has one effect.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Any

import msgspec
from litestar import Request, Response, post
from litestar.handlers import HTTPRouteHandler
from litestar.params import JSONBody

from crypto.refusal import Refused
from storage.ports import Below
from storage.unit import Unit
from storage.world import stamp
from trading.counter import identity, strict
from trading.counter.service import Service
from trading.journal import Logged, Outcome
from trading.roles import Permission

IDEMPOTENT_HOURS = 24

Run = Callable[..., Awaitable[Outcome]]
Requested = Request[Any, Any, Any]


@dataclass(frozen=True, slots=True)
class Verb:
    """One command at a door. `permission` None: anybody may ask, and what is signed in the command decides."""

    permission: Permission | None
    command: type[msgspec.Struct]
    run: Run
    summary: str
    name: str = ""

    @property
    def path(self) -> str:
        """`/<room>/<verb>`, from the permission or the given name `<room>.<verb>`."""
        return "/" + (self.permission.value if self.permission else self.name).replace(".", "/")


def routes(verbs: Sequence[Verb], service: Service) -> list[HTTPRouteHandler]:
    """The Litestar handlers of these verbs, under /api/v1."""
    return [_route(verb, service) for verb in verbs]


def _route(verb: Verb, service: Service) -> HTTPRouteHandler:
    async def handle(request: Requested, data: Any) -> Response[bytes]:
        actor = await identity.of(request, service, anonymous=verb.permission is None)
        if verb.permission is not None:
            identity.must_hold(actor, verb.permission)
        now = service.world.now()
        key = _key(request, actor.person)
        asked = sha256(verb.path.encode() + b"\0" + await request.body()).hexdigest()

        async def once(unit: Unit) -> tuple[dict[str, Any], Outcome | None]:
            if key is not None:
                known = await unit.idempotency.read(key)
                if known is not None:
                    if known["body"]["asked"] != asked:
                        raise Refused("idempotency_key_reused")
                    return known["body"]["answer"], None
            outcome = await verb.run(data, actor=actor, now=now, unit=unit, hall=service.hall)
            answer = _answer(outcome)
            if key is not None and outcome.sign is None:
                body = {"asked": asked, "answer": answer}
                await unit.idempotency.insert({"key": key, "actor": actor.person, "created": stamp(now), "body": body})
            return answer, outcome

        bearer = identity.bearer(request)
        answer, outcome = await service.database.write(once, bearer=bearer)
        if outcome is not None and outcome.receipt:
            answer = {**answer, "receipt": await service.receipt(outcome.events[0], bearer=bearer)}
        return Response(msgspec.json.encode(answer), media_type="application/json")

    handle.__name__ = handle.__qualname__ = verb.path.strip("/").replace("/", "_")
    handle.__doc__ = verb.summary
    body: Any = verb.command
    handle.__annotations__ = {"request": Requested, "data": JSONBody[body], "return": Response[bytes]}  # type: ignore[misc]
    return post(
        "/api/v1" + verb.path,
        status_code=200,
        guards=[strict.strict_json],
        summary=verb.summary,
        operation_id=handle.__name__,
        request_max_body_size=strict.BODY_BYTES_MAX,
    )(handle)


def _answer(outcome: Outcome) -> dict[str, Any]:
    answer: dict[str, Any] = {"events": [_event(logged) for logged in outcome.events], "receipt": None}
    if outcome.sign is not None:
        answer["sign"] = dict(outcome.sign)
    if outcome.result:
        answer["result"] = dict(outcome.result)
    return answer


def _event(logged: Logged) -> Mapping[str, Any]:
    """What the actor gets of its own event: of a private act also the salts; nobody else has them before the freeze."""
    event: dict[str, Any] = {"id": logged.recorded.event, "leaf": logged.leaf, "act": dict(logged.act)}
    if logged.salt_p:
        event |= {"salt_p": logged.salt_p.hex(), "salt_c": logged.salt_c.hex()}
    return event


def _key(request: Requested, person: str) -> str | None:
    given = request.headers.get("idempotency-key")
    if given is None:
        return None
    if not 1 <= len(given) <= 200:
        raise Refused("idempotency_key_malformed")
    return sha256(f"{person}\0{given}".encode()).hexdigest()


async def forget_answers(unit: Unit, *, now: datetime) -> int:
    """Delete the answers kept longer than a day; return how many."""
    old = await unit.idempotency.find({"created": Below(stamp(now - timedelta(hours=IDEMPOTENT_HOURS)))}, limit=1000)
    for row in old:
        await unit.idempotency.delete(row["key"])
    return len(old)
