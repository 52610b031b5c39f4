"""The five forgeries: every one passes all checks before the one that was made for it, and most of those after it."""

from __future__ import annotations

import sys
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

import pytest

from crypto import jcs, trust
from crypto.refusal import Refused
from crypto.verifier import __main__ as verify
from crypto.verifier import archive
from portal.demo import forgeries
from portal.demo.cast import Cast, Member, TrusteeSeat
from portal.demo.forgeries import Forgery
from portal.demo.forging import Book, Keys
from portal.folder import Card, Folder
from trading.roles import Role

sys.path.insert(0, str(Path(__file__).parents[2]))

if TYPE_CHECKING:
    from tests.crypto.verifier.world import World

WITNESSES = ("witness.operation", "witness.supervision", "witness.notary")


class Rehearsal(SimpleNamespace):
    """A played tender with its keys lying where a rehearsal's lie: cast, folder, public, full, out, made."""

    cast: Cast
    folder: Folder
    public: Path
    full: Path
    made: list[Forgery]


@pytest.fixture(scope="module")
def rehearsal(tmp_path_factory: pytest.TempPathFactory) -> Rehearsal:
    from tests.crypto.verifier.world import World

    home = tmp_path_factory.mktemp("hall")
    world = World(rehearsal=True).run()
    played = Rehearsal(cast=_cast(world, home), folder=_folder(world, home))
    for view in ("public", "full"):
        setattr(played, view, world.bundle(home / f"{view}.zip", view))
    played.made = forgeries.make(
        played.public, played.full, cast=played.cast, folder=played.folder, out=home / "forged"
    )
    return played


def test_the_honest_bundles_pass(rehearsal: Rehearsal) -> None:
    for file in (rehearsal.public, rehearsal.full):
        assert _judged(rehearsal, file).exit == 0


@pytest.mark.parametrize(
    ("number", "found", "culprit"),
    [
        # The extension that is gone is missed by more than one check; the ledger misses it first.
        (1, 2, "platform"),
        (2, 5, "clockwork"),
        (3, 6, "room"),
        (4, 7, "clockwork"),
        (5, 8, "expert seat 1"),
    ],
    ids=["extension_removed", "bid_dropped", "price_changed", "other_panel", "score_changed"],
)
def test_a_forgery_is_caught_where_it_was_made_to_be(
    rehearsal: Rehearsal, number: int, found: int, culprit: str
) -> None:
    forged = rehearsal.made[number - 1]
    assert forged.file.name == f"{number:02d}.zip" and forged.expected_check == found
    report = _judged(rehearsal, forged.file)
    failed = [result for result in report.results if result.outcome == "failed"]
    assert report.exit == 1 and failed[0].id == found
    assert failed[0].detail.culprit == culprit and failed[0].detail.event
    assert number == 1 or len(failed) == 1, "it was tidied up: nothing else gives it away"


def test_every_forgery_is_told_in_both_languages(rehearsal: Rehearsal) -> None:
    told = [sentence for forged in rehearsal.made for sentence in (forged.zh, forged.en)]
    assert all(told) and len(set(told)) == 10


def test_a_forgery_gains_what_its_maker_wants(rehearsal: Rehearsal) -> None:
    """A dropped bid and changed marks give the award to somebody else; a changed price is the one announced."""
    honest = _awarded(rehearsal.public)
    assert [_awarded(rehearsal.made[number - 1].file) == honest for number in (1, 2, 4, 5)] == [
        True,
        False,
        True,
        False,
    ]
    assert _prices(rehearsal.made[2].file) != _prices(rehearsal.public)


def test_a_bundle_that_nobody_changed_is_written_as_it_was(rehearsal: Rehearsal, tmp_path: Path) -> None:
    """The workshop adds nothing of its own: without a change every check passes."""
    for source in (rehearsal.public, rehearsal.full):
        book = Book(source, Keys.of(rehearsal.cast, rehearsal.folder, WITNESSES))
        again = book.write(tmp_path / source.name)
        assert _judged(rehearsal, again).exit == 0
        was, now = archive.read(source), archive.read(again)
        assert was.read("log/acts.jsonl").count(b"\n") == now.read("log/acts.jsonl").count(b"\n")
        assert {name for name in was.members if name.startswith("objects/")} == {
            name for name in now.members if name.startswith("objects/")
        }


def test_a_tender_without_award_gives_no_forgeries(rehearsal: Rehearsal, tmp_path: Path) -> None:
    book = Book(rehearsal.public, Keys.of(rehearsal.cast, rehearsal.folder, WITNESSES))
    for act in book.of("award", "contract"):
        book.remove(act)
    short = book.write(tmp_path / "short.zip")
    with pytest.raises(Refused) as err:
        forgeries.make(short, short, cast=rehearsal.cast, folder=rehearsal.folder, out=tmp_path / "out")
    assert err.value.code == "forgeries_need_an_award"


def _judged(rehearsal: Rehearsal, file: Path) -> verify.Report:
    anchors = trust.load((rehearsal.folder.path / "trust.json").read_bytes())
    return verify.verify(file, anchors, rehearsal=True)


def _awarded(file: Path) -> str:
    return str(_act(file, "award")["bidder"]["uscc"])


def _prices(file: Path) -> dict[str, int]:
    record = jcs.loads(archive.read(file).read(f"objects/{_act(file, 'opened')['record_hash']}"))
    return {row["bid"]: row["price_fen"] for row in record}


def _act(file: Path, kind: str) -> dict[str, Any]:
    acts = [jcs.loads(line)["act"] for line in archive.read(file).read("log/acts.jsonl").splitlines()]
    return next(act for act in acts if act["kind"] == kind)


def _folder(world: World, home: Path) -> Folder:
    hall = world.hall
    for name, signer in (("log", hall.log), ("duty", hall.duty), ("room", hall.room), ("verifier", hall.verifier)):
        _keep(home / "keys" / f"{name}.pem", signer)
    (home / "trust.json").write_bytes(hall.trust())
    return Folder(home, Card("演练大厅", hall.centre.uscc, "420100", "00000000000", hall.origin))


def _cast(world: World, home: Path) -> Cast:
    hall, demo = world.hall, home / "demo"
    people = [hall.owner, hall.agent, hall.centre, hall.supervisor, *world.bidders.values()]
    for person in people:
        _keep(demo / "identities" / person.uscc / "identity.pem", person.signer)
    for side, root in hall.roots.items():
        _keep(demo / "roots" / f"{side}.pem", root)
    for trustee in hall.trustees:
        _keep(demo / "trustees" / trustee.name / "key.pem", trustee.signer)
    for name, _, signer in hall.witnesses:
        _keep(demo / "witnesses" / name / "key.pem", signer)
    members = [Member(each.person, each.person, Role.OWNER, each.person, each.name, each.uscc) for each in people]
    seats = [
        TrusteeSeat(each.name, number // 3, number % 3 + 1, each.seat, each.group, *each.organisation.values())
        for number, each in enumerate(hall.trustees)
    ]
    return Cast(demo, members, seats)


def _keep(path: Path, signer: Any) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(cast(bytes, signer.to_pem()))
