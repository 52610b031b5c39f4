"""Errands: verbs that a door hands over, because its database role may not do what they do (storage/grants.sql).

A bidder's objection changes the tender, a trustee's release opens it, a draw is signed with the duty key: none of that
may a door do by itself. It writes down what was asked and under which session; the operation's clockwork, which may,
runs the very command in one transaction with its answer, and the door gives the answer on. The rules upheld:
- who asks is read from the session's row by whoever runs the errand; a door is not believed;
- PostgreSQL lets a door write errands of live sessions that it can name, and read those alone;
- asking twice is one errand; an errand that nobody took in time is told as "busy" and done later.

Whoever controls a door can withhold an errand; they cannot ask in the name of somebody who did not sign in there.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import sha256
from typing import TYPE_CHECKING, Any

import msgspec

from crypto.refusal import Refused
from storage.ports import Below, Conflict, Row
from storage.unit import Database, Unit
from storage.world import new_id, stamp
from trading.people.tokens import token_hash
from trading.roles import MATRIX, Actor, Role

if TYPE_CHECKING:
    from storage.world import World
    from trading.counter.verbs import Verb
    from trading.hall import Hall
    from trading.journal import Outcome

WAITING, DONE, REFUSED, FAILED = "waiting", "done", "refused", "failed"
ANSWER_SECONDS_MAX = 20.0
LOOK_SECONDS = 0.03
AT_ONCE = 50
KEPT_HOURS = 24
ANONYMOUS = "anonymous"
log = logging.getLogger("tradehall.errands")


@dataclass(frozen=True, slots=True)
class Errands:
    """A door's side: which verbs (by path) it hands over, and how long it waits for an answer."""

    paths: frozenset[str]
    seconds_max: float = ANSWER_SECONDS_MAX

    async def ask(
        self, database: Database, world: World, path: str, command: msgspec.Struct, *, actor: Actor, bearer: str,
        key: str | None,
    ) -> dict[str, Any]:  # fmt: skip
        """Hand over one verb and wait for its answer, {"answer","receipt"}. Raises what the command refuses, and
        Refused("busy_try_again") when nobody answered in time."""
        told = msgspec.to_builtins(command)
        asked = sha256(f"{path}\0".encode() + msgspec.json.encode(command)).hexdigest()
        id_ = sha256(f"{actor.person}\0{key}\0{asked}".encode()).hexdigest() if key else new_id(world.entropy)
        body = {"verb": path, "command": told, "address": actor.address, "device": actor.device}
        row = {"id": id_, "token": token_hash(bearer) if bearer else "", "state": WAITING, "at": stamp(world.now())}

        async def write(unit: Unit) -> None:
            if await unit.errand.read(id_) is None:
                await unit.errand.insert({**row, "body": body})

        await database.write(write, bearer=bearer)
        until = world.monotonic() + self.seconds_max
        while world.monotonic() < until:
            found = await database.read(lambda unit: unit.errand.read(id_), bearer=bearer)
            if found is not None and found["state"] != WAITING:
                return _answer_of(found)
            await asyncio.sleep(LOOK_SECONDS)
        raise Refused("busy_try_again")


class Runner:
    """The clockwork's side: runs what waits, one after the other. Two runners do no harm: an errand is done once."""

    def __init__(
        self,
        database: Database,
        verbs: Sequence[Verb],
        *,
        world: World,
        hall: Hall,
        answer: Callable[[Outcome], dict[str, Any]],
    ) -> None:
        self._database = database
        self._verbs: Mapping[str, Verb] = {verb.path: verb for verb in verbs}
        self._world = world
        self._hall = hall
        self._answer = answer

    async def run_waiting(self) -> int:
        """Do every errand that waits; returns how many were answered."""
        waiting = await self._database.read(
            lambda unit: unit.errand.find({"state": WAITING}, order=("at",), limit=AT_ONCE)
        )
        return sum([await self._run(row["id"]) for row in waiting])

    async def forget(self, *, now: datetime) -> int:
        """Delete errands that were answered a day ago; how many."""

        async def work(unit: Unit) -> int:
            old = await unit.errand.find({"at": Below(stamp(now - timedelta(hours=KEPT_HOURS)))}, limit=1000)
            done = [row for row in old if row["state"] != WAITING]
            for row in done:
                await unit.errand.delete(row["id"])
            return len(done)

        return await self._database.write(work)

    async def _run(self, id_: str) -> bool:
        try:
            return await self._database.write(lambda unit: self._do(unit, id_))
        except Conflict:
            return False  # It waits on; whoever was in the way is done by the next look.
        except Refused as refused:
            facts = {name: str(value) for name, value in refused.facts.items()}
            told = {"code": refused.code, "rule": refused.rule, "facts": facts}
            return await self._database.write(lambda unit: self._end(unit, id_, REFUSED, {"problem": told}))
        except Exception as error:
            log.exception("errand %s failed", id_, exc_info=error)
            return await self._database.write(lambda unit: self._end(unit, id_, FAILED, {}))

    async def _do(self, unit: Unit, id_: str) -> bool:
        row = await unit.errand.read(id_)
        if row is None or row["state"] != WAITING:
            return False
        verb = self._verbs.get(row["body"]["verb"])
        if verb is None:
            raise Refused("not_found")
        now = self._world.now()
        actor = await _actor(unit, row, now=now)
        if verb.permission is not None and verb.permission not in MATRIX[actor.role]:
            raise Refused("permission_denied", permission=verb.permission.value, role=actor.role.value)
        if actor.person == ANONYMOUS and verb.permission is not None:
            raise Refused("token_missing")
        command = msgspec.convert(row["body"]["command"], verb.command)
        outcome = await verb.run(command, actor=actor, now=now, unit=unit, hall=self._hall)
        event = outcome.events[0].recorded.event if outcome.receipt else None
        changed = {**row["body"], "answer": self._answer(outcome), "receipt": event}
        await unit.errand.update({**row, "state": DONE, "body": changed}, expected_version=row["version"])
        return True

    async def _end(self, unit: Unit, id_: str, state: str, told: Mapping[str, Any]) -> bool:
        row = await unit.errand.read(id_)
        if row is None or row["state"] != WAITING:
            return False
        body = {**row["body"], **told}
        await unit.errand.update({**row, "state": state, "body": body}, expected_version=row["version"])
        return True


async def _actor(unit: Unit, row: Row, *, now: datetime) -> Actor:
    """Who asks, by the session's row. Raises Refused: token_unknown, token_expired."""
    address, device = str(row["body"]["address"]), str(row["body"]["device"])
    if not row["token"]:
        return Actor(ANONYMOUS, "", Role.PUBLIC, address, device)
    session = await unit.token.read(row["token"])
    if session is None:
        raise Refused("token_unknown")
    if session["expires"] <= stamp(now):
        raise Refused("token_expired")
    return Actor(session["person"], session["organisation"], Role(session["body"]["role"]), address, device)


def _answer_of(row: Row) -> dict[str, Any]:
    body = row["body"]
    if row["state"] == REFUSED:
        problem = body["problem"]
        raise Refused(problem["code"], rule=problem["rule"], **problem["facts"])
    if row["state"] == FAILED:
        raise Refused("internal_error")
    return {"answer": body["answer"], "receipt": body["receipt"]}
