"""The Debian packages that the tests need beyond Python and make: the one place where they are listed.

    python3 tests/packages.py     installs what is missing when root; otherwise prints the one line that does, exit 1

Everything else comes as wheels. Only the standard library is used: this runs before anything is installed.
"""

from __future__ import annotations

import ctypes
import os
import shutil
import subprocess
import sys

PACKAGES: dict[str, str] = {
    "chromium-headless-shell": "chromium-headless-shell",
    "nginx-light": "nginx",
    "rabbitmq-server": "rabbitmq-server",
}
"""Debian package → a program that it brings."""
LIBRARIES: dict[str, str] = {"libatomic1": "libatomic.so.1"}
"""Debian package → a library that it brings; Playwright's own node asks for it, and a minimal Debian has it not."""


def missing() -> list[str]:
    """The packages whose program or library is not there."""
    programs = [package for package, program in PACKAGES.items() if shutil.which(program) is None]
    return programs + [package for package, library in LIBRARIES.items() if not _loads(library)]


def _loads(library: str) -> bool:
    try:
        ctypes.CDLL(library)
    except OSError:
        return False
    return True


def main() -> int:
    """0 when nothing is missing any more."""
    wanted = missing()
    if not wanted:
        return 0
    install = ["apt-get", "install", "-y", "--no-install-recommends", *wanted]
    if os.geteuid() != 0 or shutil.which("apt-get") is None:
        print(f"these Debian packages are missing; this line installs them:\n    sudo {' '.join(install)}")
        return 1
    print(f"installing {' '.join(wanted)}", flush=True)
    quiet = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    for command in (["apt-get", "update", "-qq"], [*install, "-qq"]):
        done = subprocess.run(command, env=quiet, check=False, stdout=subprocess.PIPE, text=True)
        if done.returncode != 0:
            print(done.stdout[-2000:])
    still = missing()
    if still:
        print(f"still missing: {' '.join(still)}")
    return 1 if still else 0


if __name__ == "__main__":
    sys.exit(main())
