"""The sealed file and its self-test: what decays, is cut or swapped is found on the bidder's own machine."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from bidding.client import bidfile, identity, ledger, lotfolder, preparing, recovering, sealing, world
from crypto.refusal import Refused
from crypto.sealing import recovery
from crypto.terminal import Unreadable

PASSPHRASE = "正确 马 电池 订书钉"


@pytest.fixture(scope="module")
def made(served: Any) -> Iterator[Path]:
    yield served.sealed("11")


def copy_of(path: Path, to: Path, change: dict[int, int] | None = None, cut: int | None = None) -> Path:
    data = bytearray(path.read_bytes())
    for at, bit in (change or {}).items():
        data[at] ^= bit
    to.write_bytes(bytes(data[:cut]))
    return to


def test_a_file_cut_short_is_unreadable(made: Path, tmp_path: Path) -> None:
    for cut in (0, 7, 100, made.stat().st_size - 1):
        with pytest.raises(Unreadable):
            bidfile.read(copy_of(made, tmp_path / "cut.bid", cut=cut))


def test_a_flipped_bit_of_the_index_never_passes(made: Path, tmp_path: Path) -> None:
    size = made.stat().st_size
    length = int.from_bytes(made.read_bytes()[-12:-8], "big")
    for at in range(size - 44 - length, size, max(1, length // 60)):
        with pytest.raises((Refused, Unreadable)):
            bidfile.read(copy_of(made, tmp_path / "flipped.bid", {at: 1}))


def test_a_body_that_decayed_is_found_before_it_is_sent(made: Path, tmp_path: Path) -> None:
    bid = bidfile.read(copy_of(made, tmp_path / "decayed.bid", {5000: 1}))
    with pytest.raises(Refused) as refused:
        list(bid.segments(bid.envelopes[0]))
    assert refused.value.code == "bid_file_changed"


def test_bytes_between_bodies_and_index_are_refused(made: Path, tmp_path: Path) -> None:
    data = made.read_bytes()
    length = int.from_bytes(data[-12:-8], "big")
    at = len(data) - 44 - length
    (tmp_path / "longer.bid").write_bytes(data[:at] + b"x" + data[at:])
    with pytest.raises(Refused) as refused:
        bidfile.read(tmp_path / "longer.bid")
    assert refused.value.code == "bid_file_length"


def test_the_self_test_opens_the_file_and_not_what_it_remembers(served: Any, made: Path, tmp_path: Path) -> None:
    me = identity.load(served.identity("11"))
    log = ledger.remembered(me.folder / "log.json")
    notice = lotfolder.proved(made.with_suffix(""), log, me.trust, clarified=True)
    kept = recovery.read(made.with_suffix(".recovery").read_bytes(), PASSPHRASE)
    assert sealing.self_test(made, notice, me, kept=kept).version == 1
    decayed = copy_of(made, tmp_path / "decayed.bid", {5000: 1})
    with pytest.raises(Refused) as refused:
        sealing.self_test(decayed, notice, me, kept=kept)
    assert (refused.value.code, refused.value.facts["problem"]) == ("self_test_failed", "body_root")


def test_what_the_disk_spoils_while_it_is_sealed_is_no_bid(served: Any, made: Path, tmp_path: Path) -> None:
    me = identity.load(served.identity("11"))
    folder = made.with_suffix("")
    notice = lotfolder.proved(folder, ledger.remembered(me.folder / "log.json"), me.trust, clarified=True)
    prepared = preparing.check(folder, notice.document, me.bidder)
    out = tmp_path / "F.bid"
    whole, told = sum(each.size for each in bidfile.read(made).envelopes), [0]

    def spoil(count: int) -> None:
        told[0] += count
        if told[0] > whole:
            # Everything is sealed and on the disk, the self-test has begun.
            with (tmp_path / "F.bid.part").open("r+b") as stream:
                stream.seek(whole - 5000)
                stream.write(b"spoilt")

    with pytest.raises(Refused) as refused:
        sealing.seal(
            prepared, notice, me, out=out, version=9, passphrase=PASSPHRASE, entropy=world.entropy, moved=spoil
        )
    assert refused.value.code == "self_test_failed"
    assert list(tmp_path.iterdir()) == []


def test_a_file_that_changes_while_it_is_sealed_leaves_nothing_behind(served: Any, made: Path, tmp_path: Path) -> None:
    me = identity.load(served.identity("11"))
    folder = made.with_suffix("")
    notice = lotfolder.proved(folder, ledger.remembered(me.folder / "log.json"), me.trust, clarified=True)
    prepared = preparing.check(folder, notice.document, me.bidder)
    grown = prepared.planned[0].path
    before, out = grown.read_bytes(), tmp_path / "F.bid"

    def entropy(count: int) -> bytes:
        # Drawn after the manifest's hashes were taken and before the files are sealed.
        grown.write_bytes(before + b"more")
        return world.entropy(count)

    drawn: list[int] = []

    def after_the_first(count: int) -> bytes:
        drawn.append(count)
        return entropy(count) if len(drawn) > 6 else world.entropy(count)

    try:
        with pytest.raises(Refused) as refused:
            sealing.seal(prepared, notice, me, out=out, version=9, passphrase=PASSPHRASE, entropy=after_the_first)
    finally:
        grown.write_bytes(before)
    assert refused.value.code in ("file_hash", "file_place")
    assert list(tmp_path.iterdir()) == []


def test_a_short_passphrase_is_refused_before_the_work(served: Any, made: Path, tmp_path: Path) -> None:
    with pytest.raises(Refused) as refused:
        sealing.passphrase_of(None, {"TRADEHALL_PASSPHRASE": "short"})
    assert refused.value.code == "passphrase_short"


def test_a_recovery_file_of_another_sealing_opens_nothing(served: Any, made: Path, tmp_path: Path) -> None:
    other = made.with_name("other.bid")
    told = served.bidder("11", "seal", made.with_suffix(""), "-o", other)
    assert told.code == 0, told.err
    (tmp_path / "x.bid").write_bytes(made.read_bytes())
    (tmp_path / "x.recovery").write_bytes(other.with_suffix(".recovery").read_bytes())
    with pytest.raises(Refused) as refused:
        recovering.recover(tmp_path / "x.bid", tmp_path / "to", passphrase=PASSPHRASE)
    assert refused.value.code == "recovery_of_another_bid"


def test_two_sealings_share_no_secret_and_no_name(served: Any, made: Path) -> None:
    other = made.with_name("third.bid")
    assert served.bidder("11", "seal", made.with_suffix(""), "-o", other).code == 0
    bids = [bidfile.read(each) for each in (made, other)]
    kept = [recovery.read(each.with_suffix(".recovery").read_bytes(), PASSPHRASE) for each in (made, other)]
    secrets = [secret for each in kept for of_envelope in each.secrets for secret in of_envelope]
    assert len(set(secrets)) == len(secrets) == 8
    assert bids[0].salt != bids[1].salt and bids[0].bid_id != bids[1].bid_id
