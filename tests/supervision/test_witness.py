"""A witness: what it cosigns, what it refuses by name, what it remembers (docs/spec/ledger.md §5)."""

from __future__ import annotations

import asyncio
import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from crypto import jcs, signing
from crypto.ledger import acts, merkle, note
from crypto.refusal import Refused
from crypto.terminal import Unreachable
from storage import memory, migrate
from storage.ledger import Ledger
from storage.sequencer import Sequencer
from storage.unit import Record, Unit
from storage.world import DemoWorld, SeededEntropy
from supervision import witness as witnesses
from supervision.log_links import NearLog
from supervision.witness import Witness


def again(place: Path, log: Any, clock: Any) -> Witness:
    """The witness after a restart."""
    return Witness.open(place, link=log, clock=clock)


def test_cosigns_what_follows_and_remembers_it(witness, log, keys, clock, place) -> None:
    log.add(*log.chain(3), log.private(0))
    polled = witness.poll()
    assert (polled.size, polled.leaves, polled.acts) == (4, 4, 3)
    log.accept_lines()
    (cosigned,) = note.verify_cosignatures(log.signed, keys.trust.witnesses)
    assert (cosigned.witness.name, cosigned.at) == ("supervision", clock.now)
    assert witness.poll().line == "" and len(log.lines) == 1
    assert note.verify_checkpoint(witness.latest(), keys.trust.log).size == 4
    assert (place / "latest").read_bytes() == witness.latest()


def test_an_empty_log_is_waited_for(witness) -> None:
    assert witness.poll().size == 0 and witness.latest() is None


def test_own_copy_is_the_log_file_by_file_and_keeps_no_outgrown_partials(witness, log, place) -> None:
    log.add(*log.chain(5))
    witness.poll()
    for count in (1, 250, 4_000, 1_200):
        log.add(*(log.private(len(log.leaves) + at) for at in range(count)))
        witness.poll()
    copied = {str(path.relative_to(place / "log")) for path in (place / "log").rglob("*") if path.is_file()}
    assert all((place / "log" / path).read_bytes() == log.files[path] for path in copied)
    partial = {path for path in copied if ".p/" in path}
    assert partial == {"tile/0/021.p/80", "tile/1/000.p/21", "tile/entries/021.p/80"}
    assert len(copied - partial) == 2 * 21


def test_after_a_restart_it_goes_on_from_its_own_copy(witness, log, place, clock) -> None:
    log.add(*log.chain(3))
    witness.poll()
    second = again(place, log, clock)
    tender_id = acts.parse_public(log.leaves[0])["tender_id"]
    log.add(log.act("incident", tender_id, 3, merkle.leaf_hash(log.leaves[2]).hex(), text="next"))
    assert second.poll().leaves == 1


@pytest.mark.parametrize("longer", [False, True])
def test_forked_log_is_refused_by_name_and_the_two_notes_are_kept(witness, log, keys, place, longer: bool) -> None:
    log.add(*log.chain(3), *(log.private(at) for at in range(300)))
    witness.poll()
    other = log.fork(200, log.private(9_999))
    if longer:
        other.add(other.private(7_000))
    log.become(other)
    with pytest.raises(Refused) as caught:
        witness.poll()
    assert caught.value.code == "log_forked" and len(log.lines) == 1
    kept = [path.read_bytes() for path in (place / "evidence").iterdir()]
    told = [note.verify_checkpoint(data, keys.trust.log) for data in kept]
    assert len(told) == 2 and len({checkpoint.root for checkpoint in told}) == 2


def test_rolled_back_log_is_refused_and_a_shorter_fork_is_called_a_fork(witness, log) -> None:
    log.add(*log.chain(3), *(log.private(at) for at in range(20)))
    witness.poll()
    honest = log.leaves
    log.sign(10)
    with pytest.raises(Refused) as caught:
        witness.poll()
    assert caught.value.code == "log_rolled_back"
    log.leaves = [*honest[:9], log.private(500)]
    log.sign(10)
    with pytest.raises(Refused) as caught:
        witness.poll()
    assert caught.value.code == "log_forked"


def test_log_that_forgot_everything_is_refused(witness, log) -> None:
    log.add(*log.chain(1))
    witness.poll()
    log.signed = None
    with pytest.raises(Refused) as caught:
        witness.poll()
    assert caught.value.code == "log_rolled_back"


def test_hidden_extension_leaves_a_gap_and_is_refused(witness, log) -> None:
    chain = log.chain(4)
    log.add(*chain[:2], log.private(0))
    witness.poll()
    log.add(chain[3])
    with pytest.raises(Refused) as caught:
        witness.poll()
    assert caught.value.code == "chain_gap" and witness.size == 3 and len(log.lines) == 1


def _false_signature(log: Any) -> bytes:
    act = acts.parse_public(log.chain(1, name="b")[0])
    act["signatures"][0]["sig"] = "00" * 64
    return acts.public_leaf(act)


def _other_tender_id(log: Any) -> bytes:
    act = acts.parse_public(log.chain(1, name="b")[0]) | {"tender_id": "ab" * 32}
    return acts.public_leaf(signing.sign_act(act | {"signatures": []}, signer=log.keys.duty, by="duty"))


def _impossible_day(log: Any) -> bytes:
    act = acts.parse_public(log.chain(1, name="b")[0]) | {"at": "2026-02-31T00:00:00.000Z", "signatures": []}
    act["tender_id"] = acts.tender_id(act).hex()
    return acts.public_leaf(signing.sign_act(act, signer=log.keys.duty, by="duty"))


@pytest.mark.parametrize(
    ("forge", "code"),
    [
        (lambda log: log.chain(2)[0], "chain_gap"),
        (lambda log: log.chain(2, name="b")[1], "chain_begins_otherwise"),
        (lambda log: log.act("clock", acts.HALL_TENDER_ID, 1, acts.FIRST_PREV), "chain_gap"),
        (lambda log: b"\x01" + jcs.dumps({"kind": "download"}), "act_fields"),
        (lambda log: b"\x01not json", "jcs_syntax"),
        (lambda log: b"\x02short", "leaf_kind"),
        (lambda log: b"\x03" + bytes(32), "leaf_kind"),
        (lambda log: b"", "leaf_kind"),
        (_false_signature, "signature"),
        (_other_tender_id, "chain_tender_id"),
        (_impossible_day, "act_fields"),
    ],
)
def test_leaf_that_is_no_honest_act_is_never_cosigned(witness, log, forge, code: str) -> None:
    log.add(*log.chain(1))
    witness.poll()
    log.add(forge(log))
    with pytest.raises(Refused) as caught:
        witness.poll()
    assert caught.value.code == code
    assert witness.size == 1 and len(log.lines) == 1


def test_second_tender_act_of_one_name_is_refused(witness, log) -> None:
    log.add(*log.chain(1))
    first = acts.parse_public(log.leaves[0])
    twice = {**first, "seq": 1, "prev": merkle.leaf_hash(log.leaves[0]).hex(), "signatures": []}
    log.add(acts.public_leaf(signing.sign_act(twice, signer=log.keys.duty, by="duty")))
    with pytest.raises(Refused) as caught:
        witness.poll()
    assert caught.value.code == "chain_begins_otherwise"


def test_entries_that_were_not_signed_are_not_called_a_fork(witness, log) -> None:
    log.add(*log.chain(1))
    witness.poll()
    log.add(log.private(0), log.private(1))
    log.files["tile/entries/000.p/3"] = log.files["tile/entries/000.p/3"][:-1] + b"\x00"
    with pytest.raises(Refused) as caught:
        witness.poll()
    assert caught.value.code == "entry_hash"


def test_missing_file_is_refused_and_mended_by_looking_again(witness, log) -> None:
    log.add(*log.chain(1), *(log.private(at) for at in range(300)))
    held = log.files.pop("tile/entries/000")
    with pytest.raises(Refused) as caught:
        witness.poll()
    assert caught.value.code == "log_file_missing"
    log.files["tile/entries/000"] = held
    assert witness.poll().size == 301


def test_partial_bundle_may_be_gone_once_the_full_one_is_there(witness, log) -> None:
    log.add(*log.chain(1), log.private(0))
    old = log.signed
    log.add(*(log.private(at + 1) for at in range(300)))
    del log.files["tile/entries/000.p/2"]
    log.signed = old
    assert witness.poll().size == 2


def test_checkpoint_of_another_key_or_origin_is_refused(witness, log, keys) -> None:
    log.add(*log.chain(1))
    checkpoint = note.Checkpoint.parse(log.signed.text)
    log.signed = note.sign_checkpoint(checkpoint, signer=keys.duty)
    with pytest.raises(Refused) as caught:
        witness.poll()
    assert caught.value.code == "note_not_signed"


def test_act_dated_in_the_future_waits_until_the_clock_has_come(witness, log, clock) -> None:
    log.add(log.act("tender", "0" * 64, 0, acts.FIRST_PREV, at=clock.now + timedelta(seconds=61), name="a"))
    with pytest.raises(Refused) as caught:
        witness.poll()
    assert caught.value.code == "act_from_the_future" and caught.value.code in witnesses.PASSING
    clock.now += timedelta(seconds=1)
    assert witness.poll().size == 1


def test_stamps_never_go_back(witness, log, clock, place) -> None:
    log.add(*log.chain(1))
    witness.poll()
    clock.now -= timedelta(seconds=1)
    log.add(log.private(0))
    for each in (witness, again(place, log, clock)):
        with pytest.raises(Refused) as caught:
            each.poll()
        assert caught.value.code == "clock_behind_last_stamp"


def test_killed_between_memory_and_post_it_hands_in_the_same_line_again(witness, log, place, clock) -> None:
    log.add(*log.chain(2))

    class Dying:
        fetch = staticmethod(log.fetch)

        @staticmethod
        def post(line: str) -> None:
            raise Unreachable("killed")

    dying = Witness.open(place, link=Dying(), clock=clock)
    with pytest.raises(Unreachable):
        dying.poll()
    remembered = json.loads((place / "state.json").read_text())["line"]
    clock.now += timedelta(hours=1)
    assert again(place, log, clock).poll().line == remembered == log.lines[0]


def test_nothing_leaves_before_it_is_remembered(log, place, clock) -> None:
    log.add(*log.chain(2))

    class Watching:
        fetch = staticmethod(log.fetch)

        @staticmethod
        def post(line: str) -> None:
            assert json.loads((place / "state.json").read_text())["line"] == line

    assert Witness.open(place, link=Watching(), clock=clock).poll().size == 2


def test_damaged_copy_or_state_stops_the_witness(witness, log, place, clock) -> None:
    log.add(*log.chain(2), log.private(0))
    witness.poll()
    entries = place / "log/tile/entries/000.p/3"
    good = entries.read_bytes()
    entries.write_bytes(good[:-1] + b"\x00")
    with pytest.raises(Refused) as caught:
        again(place, log, clock)
    assert caught.value.code == "witness_copy_damaged"
    entries.write_bytes(good)
    (place / "state.json").write_text("{}")
    with pytest.raises(Refused) as caught:
        again(place, log, clock)
    assert caught.value.code == "witness_state"


def test_certified_key_refuses_a_rehearsal(witness, log, place, clock, keys) -> None:
    log.add(*log.chain(1))
    witness.poll()
    rehearsal = type(keys)(keys.origin + "/rehearsal")
    (place / "trust.json").write_bytes(rehearsal.trust_bytes)
    with pytest.raises(Refused) as caught:
        again(place, log, clock)
    assert caught.value.code == "certified_key_in_rehearsal"
    (place / "trust.json").write_bytes(type(keys)("elsewhere.example/ledger").trust_bytes)
    with pytest.raises(Refused) as caught:
        again(place, log, clock)
    assert caught.value.code == "witness_of_another_log"


def test_key_that_no_anchor_names_is_no_witness(place, log, clock, keys) -> None:
    (place / "key.pem").write_bytes(keys.duty.to_pem())
    with pytest.raises(Refused) as caught:
        again(place, log, clock)
    assert caught.value.code == "witness_not_in_trust"


def test_three_witnesses_in_one_process_make_a_quorum_of_a_real_log(keys, tmp_path: Path) -> None:
    async def scenario() -> None:
        world = DemoWorld(flowing=False, entropy=SeededEntropy(5))
        database = memory.open_memory()
        await migrate.migrate(database)
        ledger = Ledger(database)
        sequencer = Sequencer(database, world=world, origin=keys.origin, signer=keys.log, cover_secret=bytes(32))
        link = NearLog(ledger, witnesses=keys.trust.witnesses, clock=world.now, loop=asyncio.get_running_loop())
        watching = {}
        for name, signer in keys.witnesses.items():
            (tmp_path / name).mkdir()
            watching[name] = Witness(tmp_path / name, signer=signer, anchors=keys.trust, link=link, clock=world.now)
        leaf = acts.cover_leaf(bytes(32), 1)

        async def record(unit: Unit) -> None:
            await unit.record(
                Record(
                    id=world.entropy(16).hex(),
                    lot="",
                    tender_id="",
                    kind="cover",
                    actor="a",
                    at=world.now(),
                    public={},
                    leaf=leaf,
                    leaf_hash=merkle.leaf_hash(leaf).hex(),
                )
            )

        for size in (1, 2):
            await database.write(record)
            await sequencer.sequence()
            for each in watching.values():
                assert (await asyncio.to_thread(each.poll)).size == size
            head = await ledger.head()
            assert head is not None and len(note.verify_quorum(head.note, keys.trust).cosigned) == 3

        async def latest() -> bytes | None:
            return watching["supervision"].latest()

        assert await sequencer.start({"supervision": latest}) == ["supervision"]
        empty = memory.open_memory()
        await migrate.migrate(empty)
        rolled_back = Sequencer(empty, world=world, origin=keys.origin, signer=keys.log, cover_secret=bytes(32))
        with pytest.raises(Refused) as caught:
            await rolled_back.start({"supervision": latest})
        assert caught.value.code == "log_behind_witness"

    asyncio.run(scenario())
