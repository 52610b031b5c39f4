"""Where the roots' own machines fetch the act that is next and hand in their signature (`tradehall root certify`).

Public: what waits here becomes public once it is signed, and only a root's signature changes anything. In a rehearsal
the routes do not exist.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import msgspec
from litestar import get, post
from litestar.handlers import BaseRouteHandler
from litestar.params import JSONBody

from trading.counter import identity, strict
from trading.counter.identity import Requested
from trading.counter.service import RECEIPT_SECONDS_MAX, Service
from trading.people import certification
from trading.people.certification import Next
from trading.roles import Actor, Role

if TYPE_CHECKING:
    from portal.running import Running

PATH = "/api/v1/certification"


class Signed(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """An act with a root's signature under it."""

    act: dict[str, Any]


def routes(service: Service, keys: Mapping[str, bytes]) -> list[BaseRouteHandler]:
    """The two handlers; `keys` are the public keys of the hall's own machinery, by purpose."""
    database, world, hall = service.database, service.world, service.hall

    @get(PATH, summary="The act that waits for the roots, if any")
    async def waiting() -> dict[str, Any]:
        now = world.now()
        return _told(await database.write(lambda unit: certification.upcoming(unit, keys, now=now, hall=hall)))

    @post(
        PATH,
        status_code=200,
        guards=[strict.strict_json],
        request_max_body_size=strict.BODY_BYTES_MAX,
        summary="Hand in a root's signature",
    )
    async def signed(request: Requested, data: JSONBody[Signed]) -> dict[str, Any]:
        now = world.now()
        address = request.client.host if request.client else ""
        actor = Actor(identity.ANONYMOUS, "", Role.PUBLIC, address, request.headers.get("user-agent", "")[:200])
        next_ = await database.write(
            lambda unit: certification.hand_in(unit, data.act, keys, hall=hall, actor=actor, now=now)
        )
        if next_.logged is not None:
            # Nothing is left to sign: so it is in the log, and the next look of a witness sees it.
            await service.ledger.wait_for(next_.logged, seconds=RECEIPT_SECONDS_MAX)
        return _told(next_)

    return [waiting, signed]


def own_keys(running: Running) -> dict[str, bytes]:
    """The public keys of the hall's own machinery that roots certify, by purpose."""
    return {purpose: running.folder.key(purpose).key for purpose in certification.PURPOSES}


def _told(next_: Next) -> dict[str, Any]:
    return {"act": next_.act, "lacks": list(next_.lacks), "left": next_.left}
