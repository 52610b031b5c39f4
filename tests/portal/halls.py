"""A served rehearsal for tests, somebody in every role, and every route of its OpenAPI document asked plausibly."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

from portal.demo import rehearsal, script
from portal.demo.backstage import Beside, until_witnessed
from portal.demo.cast import Cast
from portal.demo.hall_thread import HallThread
from portal.demo.stage import Stage
from portal.demo.stage_bids import Bidders
from portal.demo.watchers import Watchers
from portal.running import Running
from portal.settings import Settings
from storage.world import SeededEntropy
from trading.commands import parties
from trading.roles import Role

ROOT = Path(__file__).parents[2]
EXAMPLE = ROOT / "tests/examples/other-road"
VERBS = frozenset({"get", "post", "put", "delete", "patch"})
NOBODY = "nobody"
HASH = "0" * 64
WITNESSED_SECONDS_MAX = 30
WORKS_FOR = {Role.OWNER: "owner", Role.CENTRE: "centre", Role.SUPERVISOR: "supervisor", Role.BIDDER: "bidder:01"}


@dataclass
class Hall:
    """A rehearsal over HTTP with a tender open for bids; its clock stands still unless it is moved."""

    url: str
    thread: HallThread
    data: Path
    stage: Stage
    bidders: Bidders
    watchers: Watchers
    tokens: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.http = httpx.Client(base_url=self.url, timeout=60, trust_env=False)
        self.document: dict[str, Any] = self.http.get("/schema/openapi.json").json()

    def close(self) -> None:
        """End the witnesses, then the hall."""
        self.watchers.stop()
        self.http.close()
        self.thread.stop()

    @property
    def lot(self) -> str:
        return self.stage.lot

    def ask(self, method: str, path: str, *, who: str = NOBODY, **options: Any) -> httpx.Response:
        """One request as the holder of a role (or a login of the cast), or as nobody."""
        headers = dict(options.pop("headers", {}))
        if who != NOBODY:
            headers["authorization"] = f"Bearer {self.tokens[who]}"
        return self.http.request(method, path, headers=headers, **options)

    def until_witnessed(self) -> None:
        """Wait until all that was recorded has its place in the log and a quorum of witnesses cosigned it."""
        assert until_witnessed(Beside(self.thread), seconds_max=WITNESSED_SECONDS_MAX)

    def step(self, who: str, does: str, **fields: Any) -> script.Step:
        """A line of a script, now."""
        return script.Step(self.stage.now, who, does, None, None, fields)

    def routes(self) -> list[tuple[str, str]]:
        """(method, path template) of the whole OpenAPI document, in order."""
        paths = self.document["paths"]
        return sorted((m.upper(), path) for path in paths for m in paths[path] if m in VERBS)

    def request(self, method: str, path: str, *, power: str | None = None, **hints: Any) -> dict[str, Any]:
        """Plausible arguments of `ask` for a route: every parameter and field typed as the document says, the lot this
        lot; `hints` give fields by name. Optional fields stay out, but for the power."""
        operation = self.document["paths"][path][method.lower()]
        known = {"lot": self.lot, "number": 0, "path": "0/000", **hints}
        query: dict[str, Any] = {}
        for one in operation.get("parameters", []):
            name = one["name"]
            value = known[name] if name in known else self._value(name, one["schema"], known)
            if one["in"] == "path":
                path = path.replace("{" + name + "}", str(value))
            elif one["required"] or name in hints:
                query[name] = value
            elif name == "power" and power is not None:
                query[name] = power
        asked: dict[str, Any] = {"method": method, "path": path, "params": query}
        body = operation.get("requestBody")
        if body is not None:
            schema = body["content"]["application/json"]["schema"]
            value = self._value("", schema, known)
            if power is not None and "power" in self._resolved(schema).get("properties", {}):
                value["power"] = power
            asked["json"] = value
        elif method in ("PUT", "POST"):
            asked["content"] = b"plain bytes"
        return asked

    def power_of(self, role: Role, permission: str) -> str | None:
        """The code under which a role exercises a permission, from the public list."""
        for power in self.http.get("/api/v1/powers").json():
            if permission in power["permissions"] and role.value in power["holders"]:
                return str(power["code"])
        return None

    def _resolved(self, schema: Mapping[str, Any]) -> Mapping[str, Any]:
        reference = schema.get("$ref")
        return self.document["components"]["schemas"][reference.rsplit("/", 1)[1]] if reference else schema

    def _value(self, name: str, schema: Mapping[str, Any], known: Mapping[str, Any]) -> Any:
        schema = self._resolved(schema)
        for either in ("oneOf", "anyOf"):
            if either in schema:
                return self._value(name, schema[either][0], known)
        if "enum" in schema or "const" in schema:
            return schema.get("const", schema.get("enum", [None])[0])
        kind = schema.get("type")
        kind = kind[0] if isinstance(kind, list) else kind
        if kind == "object":
            wanted = schema.get("required", [])
            return {
                each: known[each] if each in known else self._value(each, schema["properties"][each], known)
                for each in wanted
            }
        if kind == "array":
            return [self._value(name, schema.get("items", {}), known)]
        plain = {"integer": 1, "number": 1, "boolean": True, "null": None}
        return plain[kind] if kind in plain else _text(name, schema)


def _text(name: str, schema: Mapping[str, Any]) -> str:
    if schema.get("pattern") or "hash" in name or name in ("sha256", "leaf", "header", "event", "request", "salt"):
        return HASH
    given = {"advance": "PT1S", "deadline": "2026-04-20T02:00:00.000Z", "name": "one.csv", "data": "eA=="}
    return given.get(name, "x")


def open_hall(
    home: Path,
    *,
    example: Path = EXAMPLE,
    seed: str = "tests",
    settings: Settings | None = None,
    flowing: bool = False,
) -> Hall:
    """Make and serve a rehearsal of an example folder, its tender published, its witnesses looking; every role gets
    somebody."""
    casts: list[Cast] = []

    async def open_() -> Running:
        running, cast = await rehearsal.make(
            home / "hall", example, entropy=SeededEntropy(seed), flowing=flowing, settings=settings or Settings()
        )
        casts.append(cast)
        return running

    thread = HallThread(open_)
    url = thread.start()
    try:
        cast = casts[0]
        tokens = {row["login"]: row["token"] for row in json.loads((cast.home / "accounts.json").read_text("utf-8"))}
        stage = Stage(cast, example, url, home / "work", tokens, lambda at, zh, en: None)
        stage.publish_tender(next(step for step in script.load(example) if step.does == "publish_tender"))
        watchers = Watchers(cast, url, entropy=SeededEntropy(f"{seed} watchers"))
        watchers.start(trustees=False)
        hall = Hall(url, thread, home / "hall", stage, Bidders(stage), watchers, dict(tokens))
        hall.tokens |= thread.call(somebody_in_every_role)
        for role, part in WORKS_FOR.items():
            hall.tokens[role.value] = tokens[cast.of(part).login]
    except BaseException:
        thread.stop()
        raise
    return hall


async def somebody_in_every_role(running: Running) -> dict[str, str]:
    """Appoint a person of an own organisation to each role; their tokens by role."""

    async def work(unit: Any) -> dict[str, str]:
        return {
            role.value: await parties.appoint(
                unit,
                login=f"test-{role.value}",
                name=role.value,
                organisation=f"TEST-{role.value}",
                role=role,
                lot=None,
                now=running.world.now(),
                hall=running.hall,
            )
            for role in Role
        }

    return await running.database.write(work)


def files_under(*tops: Path) -> Iterator[Path]:
    """Every file under some folders."""
    for top in tops:
        yield from (path for path in sorted(top.rglob("*")) if path.is_file())
