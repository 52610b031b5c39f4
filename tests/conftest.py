"""What every test shares: the rule it passes or refuses goes into the report, from which docs/rules.md is made; a real
object store, started when the first test asks."""

from __future__ import annotations

import asyncio
import contextlib
import inspect
import json
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from storage import s3


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Carry each rule mark into the report; a refusing test must look at the rule in the problem it gets."""
    for item in items:
        for mark in item.iter_markers("rule"):
            rule, outcome = mark.args
            if outcome == "refuse" and isinstance(item, pytest.Function):
                text = inspect.getsource(item.function)
                assert "rule" in text.split("def ", 1)[1], f"{item.nodeid} does not look at the rule it is refused by"
            item.user_properties.append(("rule", f"{rule} {outcome}"))


def free_ports(count: int) -> list[int]:
    with contextlib.ExitStack() as held:
        sockets = [held.enter_context(socket.socket()) for _ in range(count)]
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [one.getsockname()[1] for one in sockets]


@pytest.fixture(scope="session")
def seaweed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[s3.Store]:
    """A SeaweedFS from its wheel, and the address and keys of its S3 port; the keys are an administrator's."""
    from storage import s3
    from storage.world import RealWorld

    folder = tmp_path_factory.mktemp("seaweed")
    (folder / "data").mkdir()
    keys = {"credentials": [{"accessKey": "hall", "secretKey": "hall-secret"}], "name": "hall", "actions": ["Admin"]}
    (folder / "s3.json").write_text(json.dumps({"identities": [keys]}))
    names = ("master.port", "master.port.grpc", "volume.port", "volume.port.grpc", "filer.port", "filer.port.grpc")
    names += ("s3.port", "s3.port.grpc")
    ports = dict(zip(names, free_ports(len(names)), strict=True))
    command = [
        str(Path(sys.executable).with_name("weed")), "server", f"-dir={folder / 'data'}", "-ip=127.0.0.1",
        "-ip.bind=127.0.0.1", "-filer", "-filer.disableHttp", "-s3", "-s3.iam=false",
        f"-s3.config={folder / 's3.json'}", "-s3.port.iceberg=0", "-s3.port.lance=0", "-master.telemetry=false",
        "-volume.max=80",
        "-master.volumeSizeLimitMB=64", "-volume.preStopSeconds=0",
        *(f"-{name}={port}" for name, port in ports.items()),
    ]  # fmt: skip
    with (folder / "log").open("w") as log, subprocess.Popen(command, stdout=log, stderr=log) as server:
        try:
            store = s3.Store(f"127.0.0.1:{ports['s3.port']}", "hall", "hall-secret", "segments", secure=False)
            for _ in range(200):
                try:
                    asyncio.run(s3.S3Blobs(store).prepare(entropy=RealWorld().entropy))
                    break
                except Exception:
                    assert server.poll() is None, (folder / "log").read_text()[-2000:]
                    time.sleep(0.1)
            yield store
        finally:
            server.kill()
