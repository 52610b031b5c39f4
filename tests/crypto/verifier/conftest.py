"""The verifier's tests import their own helpers by full name; one honest tender is played once for all of them."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

sys.path.insert(0, str(Path(__file__).parents[3]))

if TYPE_CHECKING:
    from tests.crypto.verifier.world import World


@pytest.fixture(scope="session")
def honest() -> World:
    """The honest tender, played."""
    from tests.crypto.verifier.world import World

    return World().run()


@pytest.fixture(scope="session")
def folder(honest: World, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with public.zip, full.zip and trust.json of the honest tender."""
    made = tmp_path_factory.mktemp("honest")
    for view in ("public", "full"):
        honest.bundle(made / f"{view}.zip", view)
    (made / "trust.json").write_bytes(honest.hall.trust())
    return made
