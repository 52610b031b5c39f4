"""One look for all who watch: openings are read once every 300 ms per process, however many people listen.

A watcher gets server-sent events: `scene` with the parts that changed, `clock` with the hall's time. An event's id is
the fingerprint of the scene it leads to; whoever comes back with the last one it saw gets what changed since, or the
whole scene. Nothing is kept that a restart would lose: the scene is drawn from the acts (scene.py).

Whoever listens costs one connection and no question to the database.
"""

from __future__ import annotations

import asyncio
import json
import logging
from collections import deque
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from hashlib import sha256
from weakref import WeakKeyDictionary, WeakSet

from bidding.opening_hall import scene as scenes
from bidding.opening_hall.scene import Scene
from crypto.refusal import Refused
from storage.unit import Database, Unit
from storage.world import World, instant, stamp
from trading import tenders
from trading.counter.page.language import Lang
from trading.hall import Hall

POLL_SECONDS = 0.3
CLOCK_SECONDS = 10.0
CLOCK_JUMP_SECONDS = 1.0
LISTENERS_MAX = 10_000
KEPT = 64
LANGUAGES: tuple[Lang, ...] = ("zh", "en")
RETRY = b"retry: 2000\n\n"

Render = Callable[[Scene, Lang], Mapping[str, str]]

log = logging.getLogger("tradehall.opening_hall")


@dataclass(slots=True)
class Message:
    """One event as bytes for each language; `id` is the scene it leads to, '' for one that leads nowhere."""

    number: int
    id: str
    data: Mapping[Lang, bytes]


@dataclass(slots=True)
class Watch:
    """One lot that somebody watches."""

    lot: str
    tender_id: str
    listeners: int = 0
    acts: int = -1
    again_at: datetime | None = None
    settled: bool = False
    id: str = ""
    parts: dict[Lang, Mapping[str, str]] = field(default_factory=dict)
    messages: deque[Message] = field(default_factory=lambda: deque(maxlen=KEPT))
    number: int = 0
    changed: asyncio.Event = field(default_factory=asyncio.Event)

    def tell(self, id: str, data: Mapping[Lang, bytes]) -> None:
        """Hand a message to everybody who listens."""
        self.number += 1
        self.messages.append(Message(self.number, id, data))
        self.changed.set()
        self.changed = asyncio.Event()

    def after(self, number: int) -> list[Message] | None:
        """The messages after one; None when it is too long ago to know them all."""
        if self.messages and self.messages[0].number > number + 1:
            return None
        return [each for each in self.messages if each.number > number]


class Broadcaster:
    """The watches of one process. `render` gives the parts of a scene in a language."""

    def __init__(
        self, database: Database, *, world: World, hall: Hall, render: Render, listeners_max: int = LISTENERS_MAX
    ) -> None:
        self._database, self._world, self._hall, self._render = database, world, hall, render
        self._listeners_max = listeners_max
        self._closed = False
        self._watches: dict[str, Watch] = {}
        self._task: asyncio.Task[None] | None = None
        self.polls = 0
        """How often the database was asked so far."""

    @property
    def listeners(self) -> int:
        """How many listen now."""
        return sum(watch.listeners for watch in self._watches.values())

    async def check(self, lot: str) -> str:
        """Whether one more may listen to a lot; returns its tender_id.

        Raises Refused: lot_unknown, opening_hall_full.
        """
        if self.listeners >= self._listeners_max:
            raise Refused("opening_hall_full", limit=self._listeners_max)
        known = self._watches.get(lot)
        if known is not None:
            return known.tender_id
        return (await self._database.read(lambda unit: tenders.load(unit, lot))).tender.tender_id

    async def listen(self, lot: str, tender_id: str, lang: Lang, last: str) -> AsyncIterator[bytes]:
        """The events of a checked lot for one listener, who saw the scene `last` before ('' for none)."""
        # Joined here and not before: a generator that nobody begins to read is never finished either.
        watch = self._join(lot, tender_id)
        try:
            yield RETRY
            while not watch.id and not self._closed:
                await watch.changed.wait()
            if self._closed:
                return
            seen = next((each.number for each in reversed(watch.messages) if each.id and each.id == last), None)
            if seen is None:
                seen = watch.number
                yield self._whole(watch, lang)
            while True:
                # The event is taken before looking, so that nothing told in between is slept through.
                changed = watch.changed
                coming = watch.after(seen)
                if coming is None:
                    seen = watch.number
                    yield self._whole(watch, lang)
                for message in coming or ():
                    seen = message.number
                    yield message.data[lang]
                if not coming:
                    await changed.wait()
                if self._closed:
                    return
        finally:
            self._leave(watch)

    def close(self) -> None:
        """End every stream, so that a server that stops need not wait for people who watch; they come back later."""
        self._closed = True
        if self._task is not None:
            self._task.cancel()
        for watch in self._watches.values():
            watch.changed.set()

    def _join(self, lot: str, tender_id: str) -> Watch:
        _OPEN.setdefault(asyncio.get_running_loop(), WeakSet()).add(self)
        watch = self._watches.setdefault(lot, Watch(lot, tender_id))
        watch.listeners += 1
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._run(), name="opening hall")
        return watch

    def _leave(self, watch: Watch) -> None:
        watch.listeners -= 1
        if watch.listeners <= 0 and self._watches.get(watch.lot) is watch:
            del self._watches[watch.lot]

    def _whole(self, watch: Watch, lang: Lang) -> bytes:
        return _event("scene", {"parts": watch.parts[lang], "now": stamp(self._world.now())}, watch.id)

    async def _run(self) -> None:
        spoken, offset = float("-inf"), self._offset()
        while self._watches:
            try:
                await self._look()
                jumped = abs(self._offset() - offset) > CLOCK_JUMP_SECONDS
                if jumped or self._world.monotonic() - spoken >= CLOCK_SECONDS:
                    spoken, offset = self._world.monotonic(), self._offset()
                    told = _event("clock", {"now": stamp(self._world.now())})
                    for watch in self._watches.values():
                        watch.tell("", dict.fromkeys(LANGUAGES, told))
            except Exception:
                # A busy database or one that went away: the next look tries again, the listeners stay.
                log.exception("the opening hall could not look")
            await asyncio.sleep(POLL_SECONDS)

    async def _look(self) -> None:
        """One question to the database for every watched lot, and a new scene for those that moved."""
        self.polls += 1
        now = self._world.now()
        watches = list(self._watches.values())

        async def look(unit: Unit) -> list[tuple[Watch, Scene, int]]:
            moved = []
            for watch in watches:
                acts = await scenes.count(unit, watch.tender_id)
                late = watch.again_at is not None and now >= watch.again_at
                if acts != watch.acts or late or not watch.settled:
                    moved.append((watch, await scenes.draw(unit, watch.lot, now=now, hall=self._hall), acts))
            return moved

        for watch, scene, acts in await self._database.read(look):
            watch.acts, watch.settled = acts, scene.settled
            ends = [instant(at) for _, mark, at in scene.steps if at and mark != "done"]
            ends += [instant(scene.until)] if scene.until else []
            watch.again_at = min((end for end in ends if end > now), default=now + timedelta(minutes=1))
            self._show(watch, {lang: self._render(scene, lang) for lang in LANGUAGES}, now)

    def _show(self, watch: Watch, parts: dict[Lang, Mapping[str, str]], now: datetime) -> None:
        id = fingerprint(parts)
        if id == watch.id:
            return
        before, watch.parts, watch.id = watch.parts, parts, id
        data = {}
        for lang in LANGUAGES:
            old = before.get(lang, {})
            fresh = {name: text for name, text in parts[lang].items() if old.get(name) != text}
            data[lang] = _event("scene", {"parts": fresh, "now": stamp(now)}, id)
        watch.tell(id, data)

    def _offset(self) -> float:
        return self._world.now().timestamp() - self._world.monotonic()


_OPEN: WeakKeyDictionary[asyncio.AbstractEventLoop, WeakSet[Broadcaster]] = WeakKeyDictionary()


def close_all() -> None:
    """Close every broadcaster of the running loop: what a server calls before it stops."""
    for one in list(_OPEN.get(asyncio.get_running_loop(), ())):
        one.close()


def fingerprint(parts: Mapping[Lang, Mapping[str, str]]) -> str:
    """The name of a scene: the same in every process that shows the same."""
    told = json.dumps(parts, ensure_ascii=False, sort_keys=True, default=str)
    return sha256(told.encode()).hexdigest()[:24]


def _event(kind: str, data: object, id: str = "") -> bytes:
    told = json.dumps(data, ensure_ascii=False, separators=(",", ":"), default=str)
    return f"{f'id: {id}{chr(10)}' if id else ''}event: {kind}\ndata: {told}\n\n".encode()
