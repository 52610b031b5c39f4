"""One production hall for all tests here, started from wheels and packages; the tests play its tender in order."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from portal.demo import script
from portal.demo.performance import Performance
from portal.demo.script import Step
from portal.demo.stage import Stage
from storage.world import SeededEntropy
from tests.production import servers
from tests.production.hall import EXAMPLE, ProductionHall, opened
from tests.production.line import Line

BIDDERS = frozenset({"bidder:01", "bidder:03", "bidder:05", "bidder:07"})
"""Who takes part: fewer than in the demo, so that the whole fits its purse."""
LEFT_OUT = frozenset({("bidder:05", "download"), ("bidder:05", "ask")})


@dataclass
class Played:
    """The hall, its servers, and the performance that the tests take step by step."""

    hall: ProductionHall
    postgres: servers.Postgres
    broker: servers.Valkey
    store: Line
    weed: servers.Weed
    stage: Stage
    show: Performance
    steps: list[Step]
    folder: Path

    def until(self, does: str, *, who: str | None = None) -> Step:
        """Play every step before the first that does this; returns that one, not yet played."""
        while (self.steps[0].does, self.steps[0].who) != (does, who or self.steps[0].who):
            self.take()
        return self.steps[0]

    def take(self) -> Step:
        """Play the next step."""
        step = self.steps[0]
        self.show.take(step)
        return self.steps.pop(0)


def steps() -> list[Step]:
    """The script of the example, without the bidders and steps left out and without the large attachment."""
    taken = [script.without(step, "grow") for step in script.load(EXAMPLE)]
    first = {step.who for step in taken if step.does == "submit" and "folder" not in step.fields}
    assert first >= BIDDERS
    return [
        step
        for step in taken
        if (step.part != "bidder" or step.who in BIDDERS)
        and (step.who, step.does) not in LEFT_OUT
        and "folder" not in step.fields
    ]


@pytest.fixture(scope="session")
def played(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Played]:
    """A running hall with nothing published yet."""
    folder = tmp_path_factory.mktemp("production")
    with opened(folder, seed="production") as all_:
        script_ = steps()
        show = Performance(all_.stage, all_.running, script_, entropy=SeededEntropy("people"))
        show.begin()
        yield Played(
            all_.running, all_.postgres, all_.broker, all_.line, all_.weed, all_.stage, show, list(script_), folder
        )
        show.watchers.stop()
