"""The README's two commands where nothing is prepared: `make demo` and `make test` on a machine that was just made.

    python3 tests/fresh.py [--only demo|test] [--keep]

As root, where debootstrap is there or can be installed, that machine is a minimal Debian with python3, python3-venv,
make and ca-certificates, in a folder, entered with chroot. Where that cannot be it is a clean clone under `env -i`
with PATH and HOME. Which of the two it was is said first and last. In both, how this machine reaches its package
registries goes along (variables, pip's files, Debian's sources, own certificates): read here, written nowhere else.
"""

from __future__ import annotations

import argparse
import configparser
import os
import re
import shlex
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

HERE = Path(__file__).resolve().parent.parent
WORK = HERE / "build" / "fresh"
SUITE = "bookworm"
PACKAGES = ("python3", "python3-venv", "make", "ca-certificates")
COMMANDS = ("demo", "test")
PLACE = "srv/tradehall"
TAIL_LINES = 25
REGISTRY_VARIABLE = re.compile(
    r"(https?|no|all|ftp)_proxy|PIP_(INDEX_URL|EXTRA_INDEX_URL|FIND_LINKS|TRUSTED_HOST|CERT|PROXY|CONFIG_FILE)"
    r"|UV_(INDEX\w*|DEFAULT_INDEX|EXTRA_INDEX_URL|FIND_LINKS|NATIVE_TLS|INSECURE_HOST)|SSL_CERT_(FILE|DIR)"
    r"|REQUESTS_CA_BUNDLE|CURL_CA_BUNDLE",
    re.IGNORECASE,
)
APT_OPTION = re.compile(r"Acquire::(https?::(Proxy|CaInfo|Verify)|Check-|Retries|ForceIPv4)", re.IGNORECASE)
PIP_FILES = ("etc/pip.conf", "root/.config/pip/pip.conf", "root/.pip/pip.conf", "etc/uv/uv.toml")
OWN_CERTIFICATES = Path("usr/local/share/ca-certificates")

# The mounts belong to a namespace of their own and go with the last process in it. The folder is a mount of its own, so
# that what runs in it can have mounts of its own in turn.
ENTER = """set -e
mount --bind {root} {root}
mount -t proc proc {root}/proc
mount --rbind /dev {root}/dev
mount -t tmpfs tmpfs {root}/dev/shm
{binds}
exec chroot {root} /usr/bin/env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root {variables} sh -c {command}
"""


class Debian:
    """A minimal Debian in a folder."""

    def __init__(self) -> None:
        self.said = f"a minimal Debian ({SUITE}) made with debootstrap: {', '.join(PACKAGES)}"
        self._root = WORK / "debian"
        self._folders: list[str] = []

    def make(self) -> str:
        """Make it; returns why it cannot be, or nothing."""
        if os.geteuid() != 0:
            return "not root"
        if shutil.which("debootstrap") is None and not _apt_install("debootstrap"):
            return "debootstrap is not there and cannot be installed"
        _remove(self._root)
        debs = WORK / "debs"
        debs.mkdir(parents=True, exist_ok=True)
        make = ["debootstrap", "--variant=minbase", f"--cache-dir={debs}", f"--include={','.join(PACKAGES)}"]
        mirrors = [site for site, suite, _ in _debian_sources() if suite == SUITE]
        if _logged([*make, SUITE, str(self._root), *mirrors[:1]], WORK / "debootstrap.log") != 0:
            return "debootstrap failed: " + _tail(WORK / "debootstrap.log", 3)
        self._bring_registries()
        if self._run("true", WORK / "enter.log") != 0:
            return "the folder cannot be entered: " + _tail(WORK / "enter.log", 3)
        self._run("update-ca-certificates", WORK / "enter.log")
        return _clone(self._root / PLACE)

    def command(self, name: str) -> int:
        return self._run(f"cd /{PLACE} && make {name}", WORK / f"{name}.log")

    def close(self) -> None:
        _remove(self._root)

    def _run(self, command: str, log: Path) -> int:
        variables = {k: v for k, v in _registry_variables().items() if self._stands(k, v)}
        binds = "\n".join(
            f"mkdir -p {self._root}{each}\nmount --bind {each} {self._root}{each}" for each in self._folders
        )
        script = ENTER.format(
            root=shlex.quote(str(self._root)),
            binds=binds,
            variables=" ".join(shlex.quote(f"{k}={v}") for k, v in variables.items()),
            command=shlex.quote(command),
        )
        return _logged(["unshare", "--mount", "--fork", "sh", "-c", script], log)

    def _stands(self, name: str, value: str) -> bool:
        """A variable that names a file goes along only where that file is."""
        return not value.startswith("/") or (self._root / value.lstrip("/")).exists() or value in self._folders

    def _bring_registries(self) -> None:
        """How this machine reaches its registries, into the new one."""
        shutil.copyfile("/etc/resolv.conf", self._root / "etc/resolv.conf")
        # Debian's installer writes this file, debootstrap does not.
        (self._root / "etc/hosts").write_text("127.0.0.1 localhost\n::1 localhost\n")
        for name in PIP_FILES:
            if (Path("/") / name).exists():
                (self._root / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(Path("/") / name, self._root / name)
        own = Path("/") / OWN_CERTIFICATES
        if own.is_dir():
            shutil.copytree(own, self._root / OWN_CERTIFICATES, dirs_exist_ok=True)
        lines = [f"deb {site} {suite} {component}\n" for site, suite, component in _debian_sources()]
        if lines:
            (self._root / "etc/apt/sources.list").write_text("".join(lines))
        options = _output(["apt-config", "dump", "Acquire"]).splitlines()
        kept = [line for line in options if APT_OPTION.match(line) and not line.endswith('"";')]
        (self._root / "etc/apt/apt.conf.d/99machine").write_text("".join(f"{line}\n" for line in kept))
        self._folders = [folder for folder in _index_folders() if Path(folder).is_dir()]


class Clone:
    """A clean clone of this repository, its commands run with an empty environment."""

    said = "a clean clone under env -i, with PATH and HOME"

    def __init__(self) -> None:
        self._folder = WORK / "clone"

    def make(self) -> str:
        _remove(self._folder)
        return _clone(self._folder)

    def command(self, name: str) -> int:
        kept = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ} | _registry_variables()
        bare = ["env", "-i", *(f"{key}={value}" for key, value in kept.items())]
        return _logged([*bare, "make", "-C", str(self._folder), name], WORK / f"{name}.log")

    def close(self) -> None:
        _remove(self._folder)


def main(arguments: list[str]) -> int:
    """Make the machine, run the commands; 0 when both did."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--only", choices=COMMANDS, help="one of the two commands")
    parser.add_argument("--keep", action="store_true", help="leave the machine where it is")
    parsed = parser.parse_args(arguments)
    WORK.mkdir(parents=True, exist_ok=True)
    machine: Debian | Clone = Debian()
    why = machine.make()
    if why:
        print(f"no Debian in a folder here ({why})", flush=True)
        machine.close()
        machine = Clone()
        why = machine.make()
        if why:
            print(f"no clone either: {why}")
            return 1
    print(f"fresh machine: {machine.said}")
    print(f"registry variables that went along: {' '.join(sorted(_registry_variables())) or 'none'}", flush=True)
    told = []
    for name in [parsed.only] if parsed.only else COMMANDS:
        started = time.monotonic()
        code = machine.command(name)
        told.append((name, code, time.monotonic() - started))
        print(f"== make {name}: exit {code}; its last lines:\n{_tail(WORK / f'{name}.log', TAIL_LINES)}", flush=True)
        if code:
            break
    if not parsed.keep:
        machine.close()
    print(f"\nfresh machine: {machine.said}")
    for name, code, seconds in told:
        print(f"make {name}: exit {code} after {seconds:.0f} s")
    return max(code for _, code, _ in told)


def _registry_variables() -> dict[str, str]:
    return {name: value for name, value in sorted(os.environ.items()) if REGISTRY_VARIABLE.fullmatch(name)}


def _debian_sources() -> list[tuple[str, str, str]]:
    """(site, release, component) of Debian's own package lists as this machine has them."""
    form = "$(SITE)|$(RELEASE)|$(COMPONENT)|$(ORIGIN)"
    if shutil.which("apt-get") is None:
        return []
    rows = [line.split("|") for line in _output(["apt-get", "indextargets", "--format", form]).splitlines()]
    found = {(row[0], row[1], row[2]) for row in rows if len(row) == 4 and row[3] == "Debian"}
    return sorted(row for row in found if row[1].startswith(SUITE))


def _index_folders() -> Iterator[str]:
    """Folders of this machine that pip's files or variables name as an index or as links."""
    values = [value for name, value in _registry_variables().items() if name.startswith(("PIP_", "UV_"))]
    for name in PIP_FILES:
        parser = configparser.ConfigParser(interpolation=None)
        if name.endswith(".conf"):
            parser.read(Path("/") / name)
            values += [value for section in parser.sections() for value in parser[section].values()]
    seen: set[str] = set()
    for word in " ".join(values).replace("file://", " ").split():
        # An index refers to its files beside it, so the whole top folder goes along.
        top = "/" + word.strip("/").split("/")[0]
        if word.startswith("/") and top not in ("/etc", "/usr", "/root", *seen):
            seen.add(top)
            yield top


def _apt_install(package: str) -> bool:
    if shutil.which("apt-get") is None:
        return False
    log = WORK / "apt.log"
    return _logged(["apt-get", "update"], log) == 0 and _logged(["apt-get", "install", "-y", package], log) == 0


def _clone(folder: Path) -> str:
    """What is committed, and nothing else; returns why it cannot be had, or nothing."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    done = _logged(["git", "clone", "--quiet", "--no-hardlinks", str(HERE), str(folder)], WORK / "clone.log")
    return "" if done == 0 else _tail(WORK / "clone.log", 3)


def _logged(command: list[str], log: Path) -> int:
    with log.open("wb") as file:
        return subprocess.run(command, stdin=subprocess.DEVNULL, stdout=file, stderr=file, check=False).returncode


def _output(command: list[str]) -> str:
    return subprocess.run(command, capture_output=True, text=True, check=False).stdout


def _tail(log: Path, lines: int) -> str:
    return "\n".join(log.read_text("utf-8", "replace").splitlines()[-lines:])


def _remove(folder: Path) -> None:
    """Remove a folder, never through a mount."""
    mounted = [line.split()[1] for line in Path("/proc/mounts").read_text().splitlines()]
    assert not any(each.startswith(f"{folder}/") for each in mounted), f"something is mounted below {folder}"
    shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
