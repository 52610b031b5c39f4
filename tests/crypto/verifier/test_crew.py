"""Work shared out over processes: the same answer as one process gives, and never an acceptance by accident."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import pytest

from crypto import trust
from crypto.refusal import Refused
from crypto.verifier import archive, checks, crew
from crypto.verifier.crew import Crew, Unfinished
from crypto.verifier.findings import Failed, Result, finding

if TYPE_CHECKING:
    from tests.crypto.verifier.world import World

T = TypeVar("T")
R = TypeVar("R")
ROOT = Path(__file__).parents[3]
CHEATS = ["late_bid", "two_bids", "dropped_bid", "resurrected_bid", "changed_price", "killed_bid"]


def squared(number: int) -> int:
    return number * number


def stumbling(at: dict[int, Exception], number: int) -> int:
    if number in at:
        raise at[number]
    return number


def dying(number: int) -> int:
    if number == 60:
        os.kill(os.getpid(), signal.SIGKILL)
    return number


def process(_: int) -> int:
    time.sleep(0.001)
    return os.getpid()


def killed(work: Callable[[T], R], item: T) -> R:
    """The work of a process that is killed at its first item."""
    os.kill(os.getpid(), signal.SIGKILL)
    return work(item)


class Dying(Crew):
    """A crew whose processes are killed once they are at their task number `at`."""

    def __init__(self, at: int) -> None:
        super().__init__(2, items_min=1)
        self.left = at

    def each(self, work: Callable[[T], R], items: Iterable[T]) -> Iterator[R]:
        self.left -= 1
        return super().each(work if self.left else partial(killed, work), items)


def test_results_come_in_order_from_several_processes() -> None:
    with Crew(2, items_min=1) as many:
        assert list(many.each(squared, range(333))) == [number * number for number in range(333)]
        assert len(set(many.each(process, range(200)))) == 2
        assert os.getpid() not in set(many.each(process, range(50)))


def test_a_few_items_and_one_processor_stay_in_this_process() -> None:
    with Crew(2) as many, Crew(1, items_min=1) as alone:
        assert set(many.each(process, range(crew.ITEMS_MIN - 1))) == {os.getpid()}
        assert set(alone.each(process, range(300))) == {os.getpid()}


@pytest.mark.parametrize(
    "wrong",
    [
        Failed(finding("too_many_bids", event="e", culprit="platform")),
        Refused("signature", rule="E-36", scheme="p256"),
        KeyError("bid"),
    ],
    ids=["failed", "refused", "unforeseen"],
)
def test_what_is_wrong_first_in_order_is_told_after_all_that_came_before(wrong: Exception) -> None:
    at = {41: wrong, 42: ValueError("later in the same share"), 3 * crew.SHARE_ITEMS: ValueError("in a later share")}
    for processes in (1, 2):
        taken = []
        with Crew(processes, items_min=1) as many, pytest.raises(type(wrong)) as err:
            for number in many.each(partial(stumbling, at), range(200)):
                taken.append(number)
        assert taken == list(range(41))
        assert str(err.value) == str(wrong)
        assert vars(err.value) == vars(wrong)


def test_a_process_that_dies_ends_the_verification_and_is_no_result() -> None:
    with Crew(2, items_min=1) as many:
        with pytest.raises(Unfinished):
            list(many.each(dying, range(200)))
        with pytest.raises(Unfinished):
            list(many.each(squared, range(200)))


def results(path: Path, anchors: trust.Trust, helpers: Crew) -> list[Result]:
    with helpers:
        return checks.run(archive.read(path), anchors, helpers)[0]


@pytest.mark.parametrize("view", ["public", "full"])
def test_an_honest_bundle_is_judged_alike_by_one_process_and_by_two(folder: Path, view: str) -> None:
    anchors = trust.load((folder / "trust.json").read_bytes())
    alone = results(folder / f"{view}.zip", anchors, Crew(1))
    assert [each.outcome for each in alone] == ["passed"] * 10
    assert results(folder / f"{view}.zip", anchors, Crew(2, items_min=1)) == alone


@pytest.mark.parametrize("cheat", CHEATS)
def test_a_cheat_on_a_bid_is_told_alike_by_one_process_and_by_two(cheat: str, tmp_path: Path) -> None:
    from tests.crypto.verifier.world import World

    world = World(cheat=cheat).run()
    path, anchors = world.bundle(tmp_path / "b.zip", "full"), trust.load(world.hall.trust())
    alone = results(path, anchors, Crew(1))
    assert "failed" in {each.outcome for each in alone}
    assert results(path, anchors, Crew(2, items_min=1)) == alone


@pytest.mark.parametrize("part", ["header-0", "header-1", "submission.json", "body-0"])
def test_a_spoilt_member_is_told_alike_by_one_process_and_by_two(honest: World, tmp_path: Path, part: str) -> None:
    from tests.crypto.verifier import bundles

    parts, top = bundles.unpack(honest.bundle(tmp_path / "public.zip", "public"))
    for bid in sorted({name.split("/")[1] for name in parts if name.startswith("bids/")})[1:3]:
        name = f"bids/{bid}/{part}"
        parts[name] = parts[name][:-1] + bytes([parts[name][-1] ^ 1])
    path, anchors = bundles.pack(tmp_path / "b.zip", parts, top), trust.load(honest.hall.trust())
    alone = results(path, anchors, Crew(1))
    assert "failed" in {each.outcome for each in alone}
    assert results(path, anchors, Crew(2, items_min=1)) == alone


@pytest.mark.parametrize("at", [1, 2, 3, 4], ids=["submissions", "certificates", "admissions", "openings"])
def test_a_process_killed_at_any_task_leaves_nothing_judged(folder: Path, at: int) -> None:
    anchors = trust.load((folder / "trust.json").read_bytes())
    with pytest.raises(Unfinished):
        results(folder / "public.zip", anchors, Dying(at))


def test_processes_end_when_the_one_that_began_them_is_killed() -> None:
    program = (
        "import os, sys, time\n"
        "from crypto.verifier.crew import Crew\n"
        "from tests.crypto.verifier.test_crew import process\n"
        "if __name__ == '__main__':\n"
        "    with Crew(2, items_min=1) as many:\n"
        "        print(*sorted(set(many.each(process, range(200)))), flush=True)\n"
        "        time.sleep(60)\n"
    )
    with subprocess.Popen([sys.executable, "-c", program], cwd=ROOT, stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        children = [int(word) for word in parent.stdout.readline().split()]
        assert len(children) == 2
        parent.kill()
    until = time.monotonic() + 10
    while any(alive(child) for child in children) and time.monotonic() < until:
        time.sleep(0.05)
    assert not any(alive(child) for child in children)


def alive(number: int) -> bool:
    """Whether a process runs; one that ended and that nobody has asked about yet does not."""
    try:
        return Path(f"/proc/{number}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


SCRIPT = """
import multiprocessing, sys
from crypto.verifier.crew import Crew
from tests.crypto.verifier.test_crew import process, squared

if __name__ == "__main__":
    multiprocessing.set_start_method("spawn")
    with Crew(2, items_min=1) as many:
        assert list(many.each(squared, range(60))) == [number * number for number in range(60)]
        print(len(set(many.each(process, range(50))) - {multiprocessing.current_process().pid}))
"""


def test_work_is_shared_out_where_processes_cannot_be_forked(tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text(SCRIPT, "utf-8")
    given = {**os.environ, "PYTHONPATH": str(ROOT)}
    ended = subprocess.run(
        [sys.executable, script], env=given, cwd=tmp_path, capture_output=True, text=True, check=True
    )
    assert int(ended.stdout) >= 1


def test_a_system_that_lends_no_processes_is_no_obstacle() -> None:
    program = (
        "import os, resource\n"
        "from crypto.verifier.crew import Crew\n"
        "from tests.crypto.verifier.test_crew import process\n"
        "have = len(os.listdir('/proc/self/fd'))\n"
        "resource.setrlimit(resource.RLIMIT_NOFILE, (have, have))\n"
        "with Crew(2, items_min=1) as many:\n"
        "    assert set(many.each(process, range(50))) == {os.getpid()}\n"
        "print('done')\n"
    )
    ended = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=False)
    assert ended.stdout == "done\n", ended.stderr


@pytest.fixture(scope="module")
def crowded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with public.zip and trust.json of a tender with enough bids to be shared out."""
    from tests.crypto.verifier.world import PRICES, World

    more = {f"bidder{number}": 600_000_000 + number for number in range(crew.ITEMS_MIN)}
    world = World(prices={**PRICES, **more}).run()
    folder = tmp_path_factory.mktemp("crowded")
    world.bundle(folder / "public.zip", "public")
    (folder / "trust.json").write_bytes(world.hall.trust())
    return folder


def command(folder: Path, *more: object) -> list[str]:
    given = [folder / "public.zip", "--trust", folder / "trust.json", "--lang", "en", *more]
    return [sys.executable, "-m", "crypto.verifier", *map(str, given)]


def test_the_command_says_the_same_with_one_process_and_with_two(crowded: Path, tmp_path: Path) -> None:
    told = []
    for processes in (1, 2):
        out = tmp_path / f"{processes}.json"
        ended = subprocess.run(
            command(crowded, "--processes", processes, "--json", out), cwd=ROOT, capture_output=True, check=False
        )
        assert ended.returncode == 0, ended.stderr
        told.append((ended.stdout, out.read_bytes()))
    assert told[0] == told[1]


def test_the_command_whose_process_is_killed_answers_2_with_a_sentence(crowded: Path) -> None:
    begun = subprocess.Popen(
        command(crowded, "--processes", 2), cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    children = Path(f"/proc/{begun.pid}/task/{begun.pid}/children")
    while begun.poll() is None and not (found := children.read_text().split()):
        time.sleep(0.002)
    os.kill(int(found[0]), signal.SIGKILL)
    told, error = begun.communicate(timeout=60)
    assert begun.returncode == 2, told
    assert told == "" and "not judged to the end" in error
