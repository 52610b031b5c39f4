"""Everybody around a hall that is being set up: an authority, two roots, witnesses, trustees, each with its own program
and folder; and a thread that serves the first run."""

from __future__ import annotations

import contextlib
import io
import json
import threading
from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding

from bidding.client import trustee
from crypto import certificates
from crypto.certificates import Authority
from crypto.signing import P256Signer
from portal import commands
from portal.demo.hall_thread import ServingThread
from portal.first_run import doorway
from portal.first_run.desk import FirstRun
from portal.settings import Settings
from storage.world import RealWorld
from supervision import witness

CENTRE = ("青岚市公共资源交易中心", "12139900259796191P")
SUPERVISION = ("青岚市住房和城乡建设局", "111399007970301774")
OWNER = ("青岚市交通运输局", "11139900MB1AUDXTJ8")
NOTARY = ("青岚市公证处", "12139900MB1NTARY1F")
LAW = ("青岚大学法学院", "12139900MB1LAWXCH6")
TRUSTEES = (
    ("t-owner", *OWNER, "owner", "operation"),
    ("t-centre", *CENTRE, "centre", "operation"),
    ("t-notary", *NOTARY, "notary", "operation"),
    ("t-regulator", *SUPERVISION, "regulator", "supervision"),
    ("t-inspector", *OWNER, "inspector", "supervision"),
    ("t-law", *LAW, "independent", "supervision"),
)
"""id, organisation, code, seat, group. For a set-up alone one body may sit twice: a notice would refuse it."""
WITNESSES = (("w-centre", "operation"), ("w-watch", "supervision"))
Told = dict[str, Any]


class Outsiders:
    """The machines that are not the hall's, under one folder."""

    def __init__(self, home: Path) -> None:
        self.home = home
        now = datetime.now(UTC)
        self.since, self.until = now - timedelta(days=1), now + timedelta(days=3650)
        self.authority = Authority.create(
            "测试证书机构", key=_key(), serial=7, not_before=self.since, not_after=self.until
        )

    def authority_file(self) -> Path:
        """The authority's certificate as PEM."""
        return self._written("authority.pem", pem(self.authority.certificate))

    def certificate_file(self, name: str, uscc: str) -> Path:
        """An organisation's signing certificate as PEM; its key lies beside it in identity.pem."""
        key = _key()
        der = self.authority.issue(
            certificates.request(name, uscc, key=key),
            serial=int(uscc[2:8]) + 1,
            not_before=self.since,
            not_after=self.until - timedelta(days=1),
        )
        self._written(f"{uscc}/identity.pem", P256Signer(key, der).to_pem())
        return self._written(f"{uscc}/certificate.pem", pem(der))

    def root_card(self, side: str) -> Path:
        """What `tradehall root make` writes."""
        command(commands.main, "root", "--keys", self.home / f"root-{side}", "make", "--side", side)
        return self.home / f"root-{side}" / "root.json"

    def witness_key(self, name: str) -> str:
        """What `tradehall-witness keys` prints."""
        told = command(witness.main, "--log", "http://none", "--data", self.home / name, "keys", "--name", name)
        return str(told["key"])

    def trustee_card(self, row: Sequence[str], trust: Path) -> Path:
        """What `tradehall-trustee enrol` writes."""
        id_, name, uscc, seat, group = row
        given = ["--trustee", id_, "--name", name, "--uscc", uscc, "--seat", seat, "--group", group, "--trust", trust]
        command(trustee.main, "--server", "http://none", "--keys", self.home / id_, "enrol", *given)
        return self.home / id_ / "enrolment.json"

    def certify(self, url: str, trust: Path) -> list[Told]:
        """Both roots at the same time, as two people would."""
        told: list[Told] = []
        given = ("certify", "--server", url, "--trust", trust, "--yes", "--wait", "30")

        def run(side: str) -> None:
            told.append(command(commands.main, "root", "--keys", self.home / f"root-{side}", *given))

        threads = [threading.Thread(target=run, args=(side,)) for side in ("centre", "supervision")]
        for each in threads:
            each.start()
        for each in threads:
            each.join()
        return told

    def witnesses_look(self, url: str, trust: Path) -> None:
        """Every witness enrols, if it has not, and looks once."""
        for name, _ in WITNESSES:
            at = ("--log", url, "--data", self.home / name)
            command(witness.main, *at, "enrol", "--trust", trust)
            command(witness.main, *at, "watch", "--once")

    def hand_in_keys(self, url: str, id_: str, count: int = 2) -> None:
        """`tradehall-trustee keys`."""
        command(trustee.main, "--server", url, "--keys", self.home / id_, "keys", "--count", str(count))

    def _written(self, name: str, data: bytes) -> Path:
        path = self.home / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
        return path


class Served(ServingThread):
    """A first run served from a thread of its own."""

    def __init__(self, data: Path) -> None:
        super().__init__()
        self.data = data
        self.first: FirstRun | None = None

    @contextlib.asynccontextmanager
    async def _opened(self) -> AsyncIterator[str]:
        made = doorway.serving(self.data, world=RealWorld(), given=Settings(), host="localhost", port=self.port)
        async with made as (address, self.first):
            yield address


_OUT = threading.Lock()


def command(main: Any, *arguments: Any) -> Told:
    """Run a command line in this process; its last line as JSON. Fails with what it said unless it ends with 0."""
    given = [*map(str, arguments), "--json"]
    out = _Lines()
    with out:
        code = main(given)
    lines = out.mine()
    assert code == 0, f"{given}: {code}: {lines[-3:]}"
    return dict(json.loads(lines[-1]))


class _Lines(io.TextIOBase):
    """What this thread prints; others' lines go where theirs go."""

    _local = threading.local()
    _real: Any = None
    _users = 0

    def __enter__(self) -> _Lines:
        import sys

        with _OUT:
            if _Lines._users == 0:
                _Lines._real, sys.stdout = sys.stdout, _Router()
            _Lines._users += 1
        _Lines._local.text = io.StringIO()
        return self

    def __exit__(self, *_: object) -> None:
        import sys

        with _OUT:
            _Lines._users -= 1
            if _Lines._users == 0:
                sys.stdout = _Lines._real

    def mine(self) -> list[str]:
        """The lines of this thread."""
        return str(_Lines._local.text.getvalue()).strip().splitlines()


class _Router(io.TextIOBase):
    def write(self, text: str) -> int:
        target = getattr(_Lines._local, "text", None) or _Lines._real
        return int(target.write(text))


def init(data: Path, *given: str) -> Told:
    """`tradehall init`."""
    with contextlib.suppress(FileExistsError):
        data.parent.mkdir(parents=True)
    return command(commands.main, "init", "--data", data, *given)


def pem(der: bytes) -> bytes:
    """A certificate as PEM."""
    return x509.load_der_x509_certificate(der).public_bytes(Encoding.PEM)


def _key() -> ec.EllipticCurvePrivateKey:
    return ec.generate_private_key(ec.SECP256R1())
