"""The pages of the split processes: the embedded hall's, each at one process, and the proxy's way to it.

Nothing is asked of a database here: what stands at a door is read from the applications themselves.
"""

from __future__ import annotations

import asyncio
import dataclasses
import re
from collections.abc import Iterable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from litestar import Litestar

from bidding.opening_keys import Desk, FileVault
from crypto import words
from crypto.signing import Ed25519Signer
from portal import app, certifying, doors
from portal import folder as folders
from portal.demo import cast
from portal.doors import Means
from portal.processes import build, local, routing, settings
from portal.rooms import ROOMS
from storage import memory
from storage.ledger import Ledger
from storage.world import DemoWorld, SeededEntropy
from trading.counter.page.pages import Sign
from trading.counter.page.session import DOORS
from trading.counter.service import Service
from trading.hall import Hall
from trading.markets import construction

Place = tuple[str, str]
"""Method and address of a page."""
SHARED = frozenset(
    {
        ("GET", "/account"),
        ("GET", "/account/sign-in"),
        ("POST", "/account/sign-in"),
        ("POST", "/account/sign-out"),
        ("POST", "/account/passkey"),
        ("POST", "/account/passkey/options"),
        ("GET", "/static/{shelf:str}/{name:str}"),
    }
)
"""What every door has for itself: the way in and out, scripts and styles."""
METHODS = frozenset({"GET", "POST", "PUT"})
ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def means(tmp_path_factory: pytest.TempPathFactory) -> Means:
    """A hall of which nothing is asked."""
    entropy = SeededEntropy("doors")
    world, database = DemoWorld(flowing=False, entropy=entropy), memory.open_memory()
    key = Ed25519Signer.generate(entropy=entropy)
    hall = Hall(
        name="演练", uscc="", region="", platform="", origin="x/rehearsal", duty=key, trust=None,  # type: ignore[arg-type]
        rulebooks=(construction.NATIONAL,), entropy=entropy,
    )  # fmt: skip
    service = Service(world=world, database=database, ledger=Ledger(database), blobs=None, hall=hall)  # type: ignore[arg-type]
    room = Desk("room", key, FileVault(tmp_path_factory.mktemp("vault")))
    return Means(service, Sign("演练", True), words.load(*ROOMS), room)


def pages_of(handlers: Iterable[Any], accounts: Iterable[str]) -> list[Place]:
    """What these handlers answer."""
    return routes_of(Litestar(list(handlers), openapi_config=None), accounts)


def routes_of(application: Litestar, accounts: Iterable[str]) -> list[Place]:
    """What an application answers, HEAD and OPTIONS aside; a page of an account once for every door it is shown at."""
    found = []
    for route in application.routes:
        for method in METHODS & set(getattr(route, "methods", ())):
            if "/account/{door:str}" in route.path:
                found += [(method, route.path.replace("{door:str}", door)) for door in accounts]
            else:
                found.append((method, route.path))
    return sorted(found)


@pytest.fixture(scope="module")
def embedded(means: Means) -> list[Place]:
    return pages_of(doors.routes(means), DOORS)


@pytest.fixture(scope="module")
def served(means: Means) -> dict[str, list[Place]]:
    own = {process: [door] if (door := doors.DOORS.get(process)) else [] for process in doors.WIRED}
    return {process: pages_of(doors.of(process, means), own[process]) for process in doors.WIRED}


def test_every_page_of_the_embedded_hall_is_served_by_exactly_one_process(
    embedded: list[Place], served: dict[str, list[Place]]
) -> None:
    assert len(embedded) > 100
    everywhere = [place for places in served.values() for place in places]
    by_place = {place: [name for name, places in served.items() if place in places] for place in everywhere}
    assert {place for place in embedded if place not in SHARED} == set(by_place) - SHARED
    assert not {place: names for place, names in by_place.items() if place not in SHARED and len(names) != 1}
    for place in SHARED & {("GET", "/account/sign-in"), ("GET", "/static/{shelf:str}/{name:str}")}:
        assert set(by_place[place]) == {"public", *doors.DOORS}, "each door for itself; the public shows the way"
    assert ("POST", "/account/sign-in") not in served["public"], "nobody signs in where no account is known"


@pytest.fixture(scope="module")
def apart(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[Place]]:
    """Every process built from its settings; none of them reaches a server."""
    folder, entropy = tmp_path_factory.mktemp("apart"), SeededEntropy("apart")
    hall = folders.create(
        folder / "hall", name="演练", uscc="12139900259796191P", region="139900", demo=True, entropy=entropy
    )
    cast.make(hall, ROOT / "tests" / "examples" / "other-road", entropy=entropy, now=DemoWorld(flowing=False).now())
    for reader in ("room", "verifier"):
        (hall.path / "keys" / "opening" / reader).mkdir(parents=True)
    ports = {name: 40_000 + at for at, name in enumerate(local.port_names())}
    servers = local.Servers(
        "postgresql://owner@localhost/none",
        dict.fromkeys(settings.CLASSES, str(folder / "blobs")),
        "redis://localhost:1",
        ports,
    )

    async def build_all() -> dict[str, list[Place]]:
        told = await local.prepare(
            hall, folder / "production", servers, passwords=dict.fromkeys(settings.CLASSES, "x"), entropy=entropy
        )
        (folder / "production" / "clock").write_text("0")
        found = {}
        for plan in told.plans:
            built, _, _ = await build.build(plan.process, settings.read(plan.process, plan.settings, {}))
            door = doors.DOORS.get(plan.process)
            found[plan.process] = pages_of(built.routes, [door] if door else [])
        # The same papers as a real hall has them: no rehearsal in the log's name, no shared clock.
        card = folder / "production" / "papers" / "hall.json"
        card.write_text(card.read_text("utf-8").replace("/rehearsal", ""), "utf-8")
        real = dataclasses.replace(settings.read("centre", told.of("centre")[0].settings, {}), rehearsal_clock="")
        built, _, _ = await build.build("centre", real)
        found["centre of a real hall"] = pages_of(built.routes, ["centre"])
        return found

    return asyncio.run(build_all())


def test_every_route_of_the_embedded_hall_is_behind_the_proxy(means: Means, apart: dict[str, list[Place]]) -> None:
    """Pages and API: what the one process answers some process answers, and the proxy leads there at some entry."""
    card = SimpleNamespace(name="演练", demo=True)
    papers = SimpleNamespace(card=card, trust_bytes=b"", demo=Path("none"))
    running: Any = SimpleNamespace(
        folder=papers, service=means.service, ledger=means.service.ledger, room=means.room, world=means.service.world,
        database=means.service.database, wake=None, practice="",
    )  # fmt: skip
    whole = routes_of(app.build(running), DOORS)
    places_at = places_of(proxy(rehearsal=True))
    assert len(whole) > 200
    for method, path in whole:
        if path.startswith("/schema"):
            continue
        plain = re.sub(r"\{(\w+):\w+\}", "x", path)
        at = {next(to for pattern, to in places_at[entry] if pattern.search(plain)) for entry in routing.ENTRIES}
        assert [name for name in at if (method, path) in apart.get(name.replace("_", "-"), [])], (method, path, at)


def test_a_real_halls_roots_hand_in_at_the_centre_and_a_rehearsals_nowhere(apart: dict[str, list[Place]]) -> None:
    wanted = {("GET", certifying.PATH), ("POST", certifying.PATH)}
    assert wanted <= set(apart["centre of a real hall"])
    assert not wanted & {place for name, places in apart.items() if name != "centre of a real hall" for place in places}
    places_at = places_of(proxy())
    for entry in routing.ENTRIES:
        assert next(to for pattern, to in places_at[entry] if pattern.search(certifying.PATH)) == "centre"


def test_doors_are_those_of_sessions_and_of_the_proxy() -> None:
    assert set(doors.DOORS.values()) == set(DOORS)
    assert set(routing.ENTRIES) == {"public", *doors.DOORS}


def test_a_door_of_the_database_lets_in_the_roles_of_its_pages() -> None:
    """storage/grants.sql repeats which roles go in by which door; both must say the same."""
    told = (ROOT / "storage" / "grants.sql").read_text("utf-8")
    found = dict(re.findall(r"WHEN 'hall_(\w+)' THEN ARRAY\[([^\]]*)\]", told))
    assert {name: set(re.findall(r"'(\w+)'", roles)) for name, roles in found.items()} == {
        process: {role.value for role in DOORS[door]} for process, door in doors.DOORS.items()
    }


def proxy(*, rehearsal: bool = False) -> str:
    upstreams = {name: ["127.0.0.1:1"] for name in (*routing.ENTRIES, "opening", "clockwork-operation")}
    return routing.nginx(
        upstreams,
        dict.fromkeys(routing.ENTRIES, "127.0.0.1:2"),
        addresses={entry: f"https://{entry}.example" for entry in routing.ENTRIES},
        tls=None,
        rehearsal=rehearsal,
    )


def places_of(text: str) -> dict[str, list[tuple[re.Pattern[str], str]]]:
    """The configuration's locations by entry, in order: what matches, and the process or `→ entry` it goes to."""
    found: dict[str, list[tuple[re.Pattern[str], str]]] = {}
    for entry, server in zip(routing.ENTRIES, text.split("server { ")[1:], strict=True):
        found[entry] = []
        for pattern, inside in re.findall(r'location ~ "([^"]+)" \{ ((?:if [^}]*\} |[^{}])*)\}', server):
            leads = re.search(r"^return 302 https://(\w+)\.example", inside)
            to = f"→ {leads[1]}" if leads else re.findall(r"proxy_pass http://(\w+);", inside)[0]
            found[entry].append((re.compile(pattern), to))
        assert "location / { proxy_pass http://public; }" in server
        found[entry].append((re.compile(""), "public"))
    return found


def test_the_proxy_sends_every_page_to_its_process_and_none_to_another(served: dict[str, list[Place]]) -> None:
    places_at = places_of(proxy())
    entry_of = {door: entry for entry, door in doors.DOORS.items()}
    for process, places in served.items():
        for _, place in places:
            plain = re.sub(r"\{(\w+):\w+\}", "x", place)
            for address in (plain, plain if plain.startswith(("/static/", "/sealing/")) else f"/en{plain}".rstrip("/")):
                for entry in routing.ENTRIES:
                    sent = next(to for pattern, to in places_at[entry] if pattern.search(address))
                    if any(place == shared for _, shared in SHARED):
                        assert sent == entry, (entry, address)
                    elif process == "public" or place.startswith("/trustees"):
                        assert sent == process, (entry, address)
                    elif place.startswith("/sealing/"):
                        assert sent == (process if entry == process else "public"), (entry, address)
                    else:
                        door = next(part for part in place.split("/") if part in (*entry_of, "sign-up"))
                        home = entry_of.get(door, routing.SIGNING_UP)
                        assert sent == (process if entry == home else f"→ {home}"), (entry, address)


def test_the_proxy_lets_nobody_write_who_asks_from_where() -> None:
    text = proxy()
    for name in ("X-Real-IP $remote_addr", "X-Forwarded-For $remote_addr", "X-Forwarded-Proto $scheme", 'Forwarded ""'):
        assert f"proxy_set_header {name};" in text
