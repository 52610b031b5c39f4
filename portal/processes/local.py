"""A whole production hall on one machine: every process's settings, keys apart, ports on loopback.

`make production-local` and the production tests start what this plans. The same services, commands and variables stand
in docker-compose.yml (tests/house/test_compose.py holds both together).
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

from portal import folder as folders
from portal.folder import Folder
from portal.processes import parts, settings
from portal.processes.table import ROLES
from storage.unit import Database, Unit
from storage.world import Entropy, stamp

REPLICAS: Mapping[str, int] = {"bidders": 2}
"""How many of a process run side by side; one of every other."""


@dataclass(frozen=True, slots=True)
class Servers:
    """The servers that are there: the owner's address of the database, the store's for each process, the broker; free
    ports by name."""

    owner_url: str
    blobs_urls: Mapping[str, str]
    broker_url: str
    ports: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Plan:
    """One process to be started: what it is called, its command line, where it listens."""

    name: str
    process: str
    settings: Path
    listen: str
    inner: str

    @property
    def arguments(self) -> list[str]:
        """What follows `tradehall`."""
        return [self.process, "--settings", str(self.settings)]


@dataclass(frozen=True, slots=True)
class Production:
    """A prepared hall: its folder, and one plan a process and replica."""

    path: Path
    plans: tuple[Plan, ...]
    passwords: Mapping[str, str] = field(repr=False)

    def of(self, process: str) -> list[Plan]:
        """The plans of one process."""
        return [plan for plan in self.plans if plan.process == process]


def names() -> list[tuple[str, str]]:
    """(name, process) of everything that runs: replicas are numbered from 1."""
    found = []
    for process in settings.CLASSES:
        count = REPLICAS.get(process, 1)
        found += [(process if count == 1 else f"{process}-{number}", process) for number in range(1, count + 1)]
    return found


def port_names() -> list[str]:
    """A door's port and an inner port for every process."""
    return [f"{name} {kind}" for name, _ in names() for kind in ("listen", "inner")]


async def grant(database: Database, *, entropy: Entropy) -> dict[str, str]:
    """Give every role its rights and a fresh password; returns the passwords by process."""
    passwords = {process: entropy(24).hex() for process in ROLES}
    await parts.grant(database, passwords)
    return passwords


async def prepare(
    hall: Folder, path: Path, servers: Servers, *, passwords: Mapping[str, str], entropy: Entropy
) -> Production:
    """Write papers, keys and settings under `path`, each key where its one process reads it."""
    papers = path / "papers"
    parts.write_papers(hall, papers)
    keys = {"sequencer": "log", "clockwork-operation": "duty", "opening": "room", "verifier": "verifier"}
    for process, name in keys.items():
        folders.write_secret(path / "secrets" / process / f"{name}.pem", hall.key(name).to_pem())
    for process, reader in (("opening", "room"), ("verifier", "verifier")):
        vault = path / "secrets" / process / "vault"
        shutil.copytree(hall.path / "keys" / "opening" / reader, vault, dirs_exist_ok=True)
        vault.chmod(0o700)
    inner_token = entropy(24).hex().encode()
    for process in ("opening", "watch"):
        folders.write_secret(path / "secrets" / process / "inner", inner_token)
    if hall.card.demo:
        authority = (hall.demo / "authority.pem").read_bytes()
        folders.write_secret(path / "secrets" / "bidders" / "authority.pem", authority)
    witnesses = ",".join(f"{one.parent.name}={one}" for one in sorted(hall.demo.glob("witnesses/*/latest")))
    clock = path / "clock" if hall.card.demo else None
    plans = []
    for name, process in names():
        listen, inner = (f"127.0.0.1:{servers.ports[f'{name} {kind}']}" for kind in ("listen", "inner"))
        told: dict[str, Any] = {
            "papers": str(papers),
            "database_url": role_url(servers.owner_url, ROLES[process], passwords[process]),
            "inner": inner,
            "listen": listen,
            "blobs_url": servers.blobs_urls.get(process, ""),
            "broker_url": servers.broker_url,
            "rehearsal_clock": str(clock) if clock else "",
            "witnesses": witnesses or _expected_witnesses(hall),
            "sms_folder": str(path / "texts"),
            "bundles_url": f"http://127.0.0.1:{servers.ports['watch listen']}",
            "opening_url": f"http://127.0.0.1:{servers.ports['opening listen']}",
        }
        own = path / "secrets" / process
        told |= {
            "log_key_file": str(own / "log.pem"),
            "duty_key_file": str(own / "duty.pem"),
            "room_key_file": str(own / "room.pem"),
            "verifier_key_file": str(own / "verifier.pem"),
            "vault": str(own / "vault"),
            "inner_token_file": str(own / "inner"),
            "authority_file": str(own / "authority.pem") if hall.card.demo else "",
        }
        known = {one.name for one in fields(settings.CLASSES[process])}
        lines = [f"{key} = {json.dumps(value)}" for key, value in told.items() if key in known and value != ""]
        file = path / "settings" / f"{name}.toml"
        folders.write_secret(file, ("\n".join(lines) + "\n").encode())
        plans.append(Plan(name, process, file, listen if "listen" in known else "", inner))
    return Production(path, tuple(plans), passwords)


async def share_clock(database: Database, path: Path, *, offset_ms: int, now: Any) -> None:
    """Begin a rehearsal's shared clock: the file that processes read, the row that the database reads."""
    folders.write(path, str(offset_ms).encode())

    async def keep(unit: Unit) -> None:
        if await unit.setting.read("demo_clock") is None:
            await unit.setting.insert({"name": "demo_clock", "body": {"offset_ms": offset_ms, "now": stamp(now)}})

    await database.write(keep)


def role_url(owner: str, role: str, password: str) -> str:
    """The owner's address with another role and its password."""
    parts_ = urlsplit(owner)
    host = parts_.netloc.rpartition("@")[2]
    return parts_._replace(netloc=f"{role}:{quote(password)}@{host}").geturl()


def _expected_witnesses(hall: Folder) -> str:
    """Where a rehearsal's witnesses will keep their newest checkpoint."""
    found = sorted(one.parent for one in hall.demo.glob("witnesses/*/key.pem"))
    return ",".join(f"{one.name}={one / 'latest'}" for one in found)
