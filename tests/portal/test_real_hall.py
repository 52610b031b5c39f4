"""A real hall: TLS towards everybody else, and no key of a trustee in its own folder."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from crypto.refusal import Refused
from crypto.signing import Ed25519Signer
from portal import folder, serve
from storage import memory
from storage.world import SeededEntropy
from trading import rosters


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "hall.example", "192.0.2.7", "localhost.example", ""])
def test_a_real_hall_is_not_served_to_others_without_tls(host: str) -> None:
    with pytest.raises(Refused) as err:
        serve.check_tls(host, tls=False, demo=False)
    assert err.value.code == "tls_required"
    assert serve.check_tls(host, tls=True, demo=False) == serve.check_tls(host, tls=False, demo=True) == host


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "127.0.0.9", "::1"])
def test_on_its_own_machine_it_needs_none(host: str) -> None:
    assert serve.check_tls(host, tls=False, demo=False) == host


def made(home: Path) -> folder.Folder:
    return folder.create(
        home / "hall", name="青岚", uscc="12139900259796191P", region="510100", demo=False, entropy=SeededEntropy(1)
    )


def test_keys_of_trustees_in_the_halls_folder_are_found(tmp_path: Path) -> None:
    hall = made(tmp_path)
    own = {hall.key(name).key.hex() for name in folder.KEYS}
    assert hall.trustees_here() == own
    signer = Ed25519Signer.generate(entropy=SeededEntropy(2))
    kept = hall.path / "spare" / "notary"
    kept.mkdir(parents=True)
    (kept / "trustee.json").write_text(json.dumps({"trustee": "t-notary", "batches": {}}))
    (kept / "key.pem").write_bytes(signer.to_pem())
    (hall.path / "spare" / "other.pem").write_bytes(b"not a key")
    assert hall.trustees_here() == own | {"t-notary", signer.key.hex()}


@pytest.mark.parametrize("by", ["id", "key", "nothing", "rehearsal"])
def test_a_real_tender_whose_roster_has_a_key_of_the_hall_is_refused(by: str) -> None:
    key = "ab" * 32
    here = {"id": frozenset({"t-notary"}), "key": frozenset({key}), "rehearsal": frozenset({key})}.get(by, frozenset())
    hall: Any = SimpleNamespace(rehearsal=by == "rehearsal", trustees_here=lambda: here)
    chosen: Any = SimpleNamespace(seats=[["t-owner", "t-notary"], ["t-regulator"]])

    async def scenario() -> None:
        database = memory.open_memory()
        await database.write(lambda unit: certify(unit, key))
        check = rosters.check_keys_elsewhere
        if by in ("nothing", "rehearsal"):
            assert await database.read(lambda unit: check(unit, chosen, hall=hall)) is chosen
        else:
            with pytest.raises(Refused) as err:
                await database.read(lambda unit: check(unit, chosen, hall=hall))
            assert (err.value.code, err.value.facts) == ("roster_key_held_by_the_hall", {"trustee": "t-notary"})
        await database.close()

    asyncio.run(scenario())


async def certify(unit: Any, key: str) -> None:
    for id_, own in (("t-owner", "00" * 32), ("t-notary", key), ("t-regulator", "11" * 32)):
        act = {
            "trustee": id_,
            "organisation": {"name": id_, "uscc": "12139900259796191P"},
            "seat": "notary",
            "group": "operation",
            "key": own,
            "signatures": [{"by": "root_centre"}, {"by": "root_supervision"}],
        }
        await unit.trustee.insert(
            {"id": id_, "organisation": "12139900259796191P", "state": "certified", "body": {"act": act}}
        )
