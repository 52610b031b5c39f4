"""docker-compose.yml says what portal/settings.py reads: the same variables, values it accepts, trust sentences."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml
from compose_spec import PyCompose

from crypto.refusal import Refused
from portal import settings

ROOT = Path(__file__).resolve().parents[2]
TEXT = (ROOT / "docker-compose.yml").read_text("utf-8")
SERVICES = yaml.safe_load(TEXT)["services"]


def hall_environment() -> dict[str, str]:
    """The hall's variables with every ${…} filled in."""
    given: dict[str, str] = SERVICES["hall"]["environment"]
    return {name: re.sub(r"\$\{[^}]*\}", "secret", value) for name, value in given.items()}


def test_the_file_is_a_compose_file() -> None:
    parsed = PyCompose.from_yaml(TEXT)
    parsed.validate()
    assert set(parsed.service_names()) == set(SERVICES)


def test_a_misspelt_key_is_seen() -> None:
    with pytest.raises(ValueError, match="imagee"):
        PyCompose.from_yaml(TEXT.replace("image: valkey", "imagee: valkey"))


def test_the_hall_is_given_every_setting_and_no_other() -> None:
    read = settings.read(hall_environment())
    assert all(getattr(read, field) for field in read.__slots__)
    assert settings.s3_store(read.blobs_url).bucket == "segments"


def test_a_variable_that_is_no_setting_is_refused() -> None:
    with pytest.raises(Refused) as refused:
        settings.read({**hall_environment(), "TRADEHALL_DATABASE": "x"})
    assert refused.value.code == "setting_unknown"


@pytest.mark.parametrize("field", ["DATABASE_URL", "BLOBS_URL", "BROKER_URL"])
def test_a_value_of_the_wrong_kind_is_refused(field: str) -> None:
    with pytest.raises(Refused) as refused:
        settings.read({f"TRADEHALL_{field}": "ftp://somewhere"})
    assert refused.value.code == "setting_wrong"


@pytest.mark.parametrize("service", sorted(SERVICES))
def test_every_service_ends_with_its_trust_sentence(service: str) -> None:
    block = re.split(r"\n  (?=[a-z]+:\n)", TEXT.split("services:\n", 1)[1].split("\nnetworks:", 1)[0])
    mine = next(part for part in block if part.strip().startswith(f"{service}:"))
    assert re.search(r"Whoever controls this can .*; they cannot ", mine.replace("\n    # ", " "))


def test_only_the_hall_is_reachable_from_outside() -> None:
    assert [name for name, one in SERVICES.items() if one.get("ports")] == ["hall"]
