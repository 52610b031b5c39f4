"""The portal's tests import their own helpers by full name; a served rehearsal is made once for each module."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

sys.path.insert(0, str(Path(__file__).parents[2]))

if TYPE_CHECKING:
    from tests.portal.halls import Hall


@pytest.fixture(scope="module")
def hall(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hall]:
    """A rehearsal of tests/examples/other-road, open for bids, its clock standing still."""
    from tests.portal.halls import open_hall

    opened = open_hall(tmp_path_factory.mktemp("hall"))
    yield opened
    opened.close()
