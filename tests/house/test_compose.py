"""docker-compose.yml has the services, commands, users and variables of portal/processes, as the local hall has.

And what no process says of itself: networks apart, nothing writable, no privileges, limits, a trust sentence each.
"""

from __future__ import annotations

import os
import re
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest
import yaml
from compose_spec import PyCompose

from crypto.refusal import Refused
from portal.processes import local, routing, settings
from portal.settings import s3_store

ROOT = Path(__file__).resolve().parents[2]
TEXT = (ROOT / "docker-compose.yml").read_text("utf-8")
FILE = yaml.safe_load(TEXT)
SERVICES: dict[str, dict[str, Any]] = FILE["services"]
NAMES = dict(local.names())
LISTENING = frozenset(
    name
    for name, kind in settings.CLASSES.items()
    if "listen" in {field.name for field in fields(kind)} and name != "clockwork-operation"
)
REHEARSAL_ONLY = {"rehearsal_clock", "authority_file"}
OURS = {"pool_max", "witnesses", "mail_url", "sms_folder", "traces_url"}
"""Settings with a default that production keeps, or that are told once there are witnesses, gateways, a collector."""


def environment(service: str) -> dict[str, str]:
    """A service's variables with every ${…} filled in."""
    given: dict[str, str] = SERVICES[service]["environment"]
    return {name: re.sub(r"\$\{[^}]*\}", "secret", str(value)) for name, value in given.items()}


def test_the_file_is_a_compose_file() -> None:
    parsed = PyCompose.from_yaml(TEXT)
    parsed.validate()
    assert set(parsed.service_names()) == set(SERVICES)


def test_a_misspelt_key_is_seen() -> None:
    with pytest.raises(ValueError, match="imagee"):
        PyCompose.from_yaml(TEXT.replace("image: valkey", "imagee: valkey"))


def test_every_process_of_the_table_is_a_service_and_no_other() -> None:
    others = {"migrate", "proxy", "database", "blobs", "broker"}
    outside = {name for name in SERVICES if name.startswith(("trustee-", "witness-"))}
    assert set(SERVICES) - others - outside == set(NAMES)
    assert len([name for name in outside if name.startswith("trustee-operation-")]) == 3
    assert len([name for name in outside if name.startswith("trustee-supervision-")]) == 3
    assert len([name for name in outside if name.startswith("witness-")]) == 3


@pytest.mark.parametrize("service", sorted(NAMES))
def test_a_process_has_the_command_user_and_variables_of_the_local_hall(service: str) -> None:
    process = NAMES[service]
    assert SERVICES[service]["command"] == [process]
    assert SERVICES[service]["user"] == "10001:10001"
    read = settings.read(process, None, environment(service))
    known = {field.name for field in fields(settings.CLASSES[process])}
    optional = REHEARSAL_ONLY | OURS | ({"listen"} if process == "clockwork-operation" else set())
    assert {name.removeprefix(settings.PREFIX).lower() for name in environment(service)} == known - optional
    assert f"//hall_{process.replace('-', '_')}:" in read.database_url
    if isinstance(read, settings.Storing):
        assert s3_store(read.blobs_url).bucket == "segments"


def test_a_variable_of_another_process_is_refused() -> None:
    with pytest.raises(Refused) as refused:
        settings.read("desk", None, {**environment("desk"), "TRADEHALL_LOG_KEY_FILE": "x"})
    assert refused.value.code == "setting_unknown"


def test_every_secret_reaches_the_one_process_that_is_its_owner() -> None:
    holders: dict[str, set[str]] = {}
    for name, service in SERVICES.items():
        for secret in service.get("secrets", []):
            holders.setdefault(secret, set()).add(name)
    for key, owner in (("log", "sequencer"), ("duty", "clockwork-operation"), ("room", "opening"),
                       ("verifier", "verifier")):  # fmt: skip
        assert holders[f"{key}_key"] == {owner}
    assert holders["inner_token"] == {"opening", "watch"}
    assert holders["tls_key"] == {"proxy"}


@pytest.mark.parametrize("service", sorted(SERVICES))
def test_every_service_is_fenced_in(service: str) -> None:
    told = SERVICES[service]
    assert told["read_only"] is True and told["cap_drop"] == ["ALL"]
    assert told["security_opt"] == ["no-new-privileges:true"]
    assert not str(told["user"]).startswith("0"), "nobody is root"
    limits = told["deploy"]["resources"]["limits"]
    assert limits["memory"] and limits["cpus"]
    assert "healthcheck" in told


def test_only_the_proxy_is_reachable_from_outside() -> None:
    assert [name for name, one in SERVICES.items() if one.get("ports")] == ["proxy"]
    inner = {name for name, network in FILE["networks"].items() if (network or {}).get("internal")}
    assert {"front", "data", "store", "jobs", "room"} <= inner
    assert set(SERVICES["sequencer"]["networks"]) == {"data"}
    for name, service in SERVICES.items():
        if name.startswith(("trustee-", "witness-")):
            assert service["networks"] == [name], "trustees and witnesses have a network of their own"
    with_blobs = {name for name, one in SERVICES.items() if "store" in one["networks"]} - {"blobs"}
    assert {NAMES[name] for name in with_blobs} == {
        name for name, kind in settings.CLASSES.items() if issubclass(kind, settings.Storing)
    }


@pytest.mark.parametrize("service", sorted(SERVICES))
def test_every_service_ends_with_its_trust_sentence(service: str) -> None:
    blocks = re.split(r"\n  (?=[a-z0-9-]+:\n)", TEXT.split("services:\n", 1)[1].split("\nnetworks:", 1)[0])
    mine = next(part for part in blocks if part.strip().startswith(f"{service}:"))
    assert re.search(r"Whoever controls this can .*; they cannot ", mine.replace("\n    # ", " "))


@pytest.mark.parametrize("process", sorted(settings.CLASSES))
def test_every_setting_has_a_trust_sentence_and_a_line_in_operations(process: str) -> None:
    kind = settings.CLASSES[process]
    operations = (ROOT / "docs" / "operations.md").read_text("utf-8")
    source = (ROOT / "portal" / "processes" / "settings.py").read_text("utf-8")
    assert f"`{process}`" in operations
    for field in fields(kind):
        found = re.search(rf'\n    {field.name}: [^\n]*\n    """(.*?)"""', source, re.S)
        assert found and re.search(r"Whoever controls .*they cannot", " ".join(found[1].split())), field.name
        assert f"`{field.name}`" in operations, field.name


def test_the_proxy_routes_as_the_table_says() -> None:
    path = ROOT / "deploy" / "nginx.conf"
    written = routing.deployment(local.names(), listening=LISTENING)
    if os.environ.get("UPDATE_GOLDEN"):
        path.write_text(written, "utf-8")
    assert path.read_text("utf-8") == written
