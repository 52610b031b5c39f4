"""No field of a bundle goes unchecked: a seeded share of all mutations here, all of them by `mutations.run`."""

from __future__ import annotations

from pathlib import Path

import pytest


@pytest.mark.parametrize("view", ["public", "full"])
def test_every_mutation_is_noticed(folder: Path, view: str) -> None:
    from tests.crypto.verifier import mutations

    done = mutations.tally(folder / f"{view}.zip", folder / "trust.json", 1, flips=60, share=0.06)
    assert done.survivors == []
    assert sum(done.found.values()) > 150


def test_a_change_that_nobody_checks_would_be_named(folder: Path) -> None:
    """The harness itself: with the anchors alone, changed acts survive."""
    from crypto.verifier import checks
    from tests.crypto.verifier import mutations

    done = mutations.tally(
        folder / "public.zip", folder / "trust.json", 1, flips=0, share=0.01, numbered=checks.CHECKS[:1]
    )
    assert done.survivors
