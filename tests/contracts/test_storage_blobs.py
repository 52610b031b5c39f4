"""Segments on a filesystem and on a real SeaweedFS keep the same promises."""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable, Iterator
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
import urllib3

from crypto.refusal import Refused
from storage import blobs, s3
from storage.world import RealWorld

DATA = b"segment" * 1000
NAME = sha256(DATA).hexdigest()
Scenario = Callable[[Any], Awaitable[None]]


def free_ports(count: int) -> list[int]:
    with contextlib.ExitStack() as held:
        sockets = [held.enter_context(socket.socket()) for _ in range(count)]
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [one.getsockname()[1] for one in sockets]


@pytest.fixture(scope="module")
def seaweed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[s3.Store]:
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
        "-volume.max=8",
        "-master.volumeSizeLimitMB=64", "-volume.preStopSeconds=0",
        *(f"-{name}={port}" for name, port in ports.items()),
    ]  # fmt: skip
    with (folder / "log").open("w") as log, subprocess.Popen(command, stdout=log, stderr=log) as server:
        try:
            store = s3.Store(f"127.0.0.1:{ports['s3.port']}", "hall", "hall-secret", "segments", secure=False)
            for _ in range(200):
                try:
                    asyncio.run(s3.S3Blobs(store, default_days=1).prepare(entropy=RealWorld().entropy))
                    break
                except Exception:
                    assert server.poll() is None, (folder / "log").read_text()[-2000:]
                    time.sleep(0.1)
            yield store
        finally:
            server.kill()


@pytest.fixture(params=["filesystem", pytest.param("seaweedfs", marks=pytest.mark.servers)])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> blobs.Blobs:
    if request.param == "filesystem":
        return blobs.FileBlobs(tmp_path)
    return s3.S3Blobs(request.getfixturevalue("seaweed"), default_days=1)


def test_a_segment_comes_back_and_may_be_stored_again(store: blobs.Blobs) -> None:
    async def scenario() -> None:
        data = DATA + bytes(str(type(store)), "ascii")
        name = sha256(data).hexdigest()
        assert await store.read(name) is None and await store.size(name) is None
        await asyncio.gather(*(store.put(name, data) for _ in range(4)))
        assert await store.read(name) == data and await store.size(name) == len(data)
        assert name in [one async for one in store.names()]
        await store.keep(name, datetime.now(UTC) + timedelta(days=30))
        with pytest.raises(Refused, match="segment_missing"):
            await store.keep(NAME[::-1], datetime.now(UTC) + timedelta(days=30))

    asyncio.run(scenario())


def test_bytes_that_do_not_match_their_name_are_refused(store: blobs.Blobs) -> None:
    with pytest.raises(Refused, match="segment_hash_differs"):
        asyncio.run(store.put(NAME, DATA + b"!"))
    big = bytes(blobs.SEGMENT_BYTES_MAX + 1)
    with pytest.raises(Refused, match="segment_too_large"):
        asyncio.run(store.put(sha256(big).hexdigest(), big))


@pytest.mark.servers
def test_a_presigned_upload_takes_these_bytes_and_no_others(seaweed: s3.Store) -> None:
    store = s3.S3Blobs(seaweed)
    data = b"presigned" * 99
    name = sha256(data).hexdigest()
    url = store.presigned_put(name)
    assert urllib3.request("PUT", url, body=data + b"!").status == 400
    assert asyncio.run(store.read(name)) is None
    assert urllib3.request("PUT", url.replace("sha256=", "sha256=A"), body=data).status == 403
    assert urllib3.request("PUT", url, body=data).status == 200
    assert asyncio.run(store.read(name)) == data


@pytest.mark.servers
def test_a_locked_segment_is_neither_deleted_nor_hidden(seaweed: s3.Store) -> None:
    async def scenario() -> None:
        store = s3.S3Blobs(seaweed)
        data = b"locked" * 77
        name = sha256(data).hexdigest()
        await store.put(name, data)
        with pytest.raises(Refused, match="segment_locked"):
            await store.delete(name)
        # What somebody with the store's keys would try: a plain delete puts a marker in front.
        await asyncio.to_thread(store._client.remove_object, seaweed.bucket, name)
        assert await store.read(name) == data and await store.size(name) == len(data)
        await store.keep(name, datetime.now(UTC) + timedelta(days=30))
        assert name in [one async for one in store.names()]

    asyncio.run(scenario())


@pytest.mark.servers
def test_a_store_without_object_lock_may_not_hold_bids(seaweed: s3.Store) -> None:
    plain = s3.Store(seaweed.endpoint, "hall", "hall-secret", "plain", secure=False)
    store = s3.S3Blobs(plain)
    store._client.make_bucket("plain")
    with pytest.raises(Refused, match="object_lock_missing"):
        asyncio.run(store.prepare(entropy=RealWorld().entropy))
