"""The command `tradehall`: a process of production loads its own rooms only, every other command all of them."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from portal.processes import commands as processes


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code."""
    given = list(sys.argv[1:] if argv is None else argv)
    if given and given[0] in processes.NAMES:
        return processes.main(given)
    from portal import commands  # The whole hall: seconds of loading that a single process does not need.

    return commands.main(given)


if __name__ == "__main__":
    sys.exit(main())
