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
from trading.counter.service import RECEIPT_SECONDS_MAX, Service
from trading.journal import Logged, Outcome
from trading.roles import Actor, Permission

IDEMPOTENT_HOURS = 24

Run = Callable[..., Awaitable[Outcome]]
Requested = Request[Any, Any, Any]


@dataclass(frozen=True, slots=True)
class Verb:
    """One command at a door. `permission` None: anybody may ask, and what is signed in the command decides.

    `bytes_max` bounds the body of a request; it is larger only where an honest command is.
    """

    permission: Permission | None
    command: type[msgspec.Struct]
    run: Run
    summary: str
    name: str = ""
    bytes_max: int = strict.BODY_BYTES_MAX

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
        bearer, key = identity.bearer(request), request.headers.get("idempotency-key")
        answer, _ = await perform(service, verb, data, actor=actor, bearer=bearer, key=key)
        return Response(msgspec.json.encode(answer), media_type="application/json")

    handle.__name__ = handle.__qualname__ = verb.path.strip("/").replace("/", "_")
    handle.__doc__ = verb.summary
    body: Any = verb.command
    small = verb.bytes_max == strict.BODY_BYTES_MAX
    handle.__annotations__ = {"request": Requested, "data": JSONBody[body], "return": Response[bytes]}  # type: ignore[misc]
    return post(
        "/api/v1" + verb.path,
        status_code=200,
        guards=[strict.strict_json if small else strict.strict_json_up_to(verb.bytes_max)],
        summary=verb.summary,
        operation_id=handle.__name__,
        request_max_body_size=verb.bytes_max,
    )(handle)


async def perform(
    service: Service, verb: Verb, command: msgspec.Struct, *, actor: Actor, bearer: str, key: str | None
) -> tuple[dict[str, Any], Outcome | None]:
    """Run one verb in one unit of work, at one instant; what the API and every page do.

    Returns the answer {"events","receipt", maybe "sign","result"} and the outcome, None where the answer is the one
    kept under the idempotency `key`. Raises Refused: permission_denied, idempotency_key_*, and the command's own.
    """
    if verb.permission is not None:
        identity.must_hold(actor, verb.permission)
    if service.errands is not None and verb.path in service.errands.paths:
        return await _handed_over(service, verb, command, actor=actor, bearer=bearer, key=key), None
    now = service.world.now()
    kept_as = _key(key, actor.person)
    asked = "" if kept_as is None else sha256(verb.path.encode() + b"\0" + msgspec.json.encode(command)).hexdigest()

    async def once(unit: Unit) -> tuple[dict[str, Any], Outcome | None]:
        if kept_as is not None:
            known = await unit.idempotency.read(kept_as)
            if known is not None:
                if known["body"]["asked"] != asked:
                    raise Refused("idempotency_key_reused")
                return known["body"]["answer"], None
        outcome = await verb.run(command, actor=actor, now=now, unit=unit, hall=service.hall)
        answer = answer_of(outcome)
        if kept_as is not None and outcome.sign is None:
            body = {"asked": asked, "answer": answer}
            row = {"key": kept_as, "actor": actor.person, "created": stamp(now), "body": body}
            await unit.idempotency.insert(row)
        return answer, outcome

    answer, outcome = await service.database.write(once, bearer=bearer)
    if outcome is not None and outcome.receipt:
        answer = {**answer, "receipt": await service.receipt(outcome.events[0], bearer=bearer)}
    return answer, outcome


async def _handed_over(
    service: Service, verb: Verb, command: msgspec.Struct, *, actor: Actor, bearer: str, key: str | None
) -> dict[str, Any]:
    """The answer to a verb that another process carries out for this door (trading/counter/errands.py)."""
    assert service.errands is not None
    told = await service.errands.ask(
        service.database, service.world, verb.path, command, actor=actor, bearer=bearer, key=key
    )
    answer: dict[str, Any] = told["answer"]
    if told["receipt"] is not None:
        await service.ledger.wait_for(told["receipt"], seconds=RECEIPT_SECONDS_MAX)
        answer = {**answer, "receipt": await service.receipt_of(told["receipt"], bearer=bearer)}
    return answer


def answer_of(outcome: Outcome) -> dict[str, Any]:
    """What the API answers: the events of the caller's own, the act to be signed, what else there is to say."""
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


def _key(given: str | None, person: str) -> str | None:
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
