"""Segments on a filesystem and on a real SeaweedFS keep the same promises."""

from __future__ import annotations

import asyncio
import io
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
import urllib3
from minio.commonconfig import COMPLIANCE, GOVERNANCE
from minio.error import S3Error
from minio.retention import Retention

from crypto.refusal import Refused
from storage import blobs, s3
from storage.world import RealWorld

DATA = b"segment" * 1000
NAME = sha256(DATA).hexdigest()
Scenario = Callable[[Any], Awaitable[None]]


@pytest.fixture(params=["filesystem", pytest.param("seaweedfs", marks=pytest.mark.servers)])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> blobs.Blobs:
    if request.param == "filesystem":
        return blobs.FileBlobs(tmp_path)
    return s3.S3Blobs(request.getfixturevalue("seaweed"))


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
def test_a_presigned_upload_takes_these_bytes_once_and_no_others(seaweed: s3.Store) -> None:
    store = s3.S3Blobs(seaweed)
    data = b"presigned" * 99
    name = sha256(data).hexdigest()
    target = store.direct(name, len(data))

    def put(body: bytes, url: str = target.url, **headers: str) -> int:
        return urllib3.request("PUT", url, body=body, headers={**target.headers, **headers}).status

    assert put(b"!" + data[1:]) == 400, "other bytes of the same length"
    assert put(data + b"!") == 403, "longer than announced"
    assert put(data, target.url.replace("sha256=", "sha256=A")) == 403, "another checksum"
    assert put(data, target.url.replace(name[:8], NAME[:8])) == 403, "another name"
    assert urllib3.request("PUT", target.url, body=data).status == 403, "without If-None-Match"
    assert asyncio.run(store.read(name)) is None and asyncio.run(store.size(name)) is None
    assert put(data) == 200 and put(data) == 412
    assert asyncio.run(store.read(name)) == data and asyncio.run(store.first(name, 9)) == b"presigned"
    versions = store._client.list_objects(seaweed.bucket, prefix=name, include_version=True)
    assert len(list(versions)) == 1, "the second PUT left nothing"


@pytest.mark.servers
def test_an_address_that_has_expired_takes_nothing(seaweed: s3.Store) -> None:
    data = b"late" * 99
    name = sha256(data).hexdigest()
    then = datetime.now(UTC) - timedelta(hours=2)
    target = s3.S3Blobs(seaweed, clock=lambda: then).direct(name, len(data))
    assert urllib3.request("PUT", target.url, body=data, headers=target.headers).status == 403


@pytest.mark.servers
def test_administrator_cannot_delete_a_submitted_segment(seaweed: s3.Store, capsys: pytest.CaptureFixture[str]) -> None:
    """The keys used here have every right that the store gives (action Admin)."""
    until = datetime.now(UTC) + timedelta(days=365 * 15)
    store = s3.S3Blobs(seaweed)
    data = b"submitted" * 77
    name = sha256(data).hexdigest()

    async def submit() -> Any:
        await store.put(name, data)
        assert await store.kept_until(name) is None, "not submitted: no lock"
        await store.keep(name, until)
        await store.keep(name, until - timedelta(days=1))  # a lock is only ever lengthened
        kept = await store.kept_until(name)
        assert kept is not None and abs(kept - until) < timedelta(seconds=2)
        return store._client.stat_object(seaweed.bucket, name).version_id

    version = asyncio.run(submit())
    client, said = store._client, []
    for asked in (
        lambda: client.remove_object(seaweed.bucket, name, version_id=version),
        lambda: client.set_object_retention(
            seaweed.bucket, name, Retention(COMPLIANCE, datetime.now(UTC) + timedelta(minutes=1)), version_id=version
        ),
        lambda: client.set_object_retention(
            seaweed.bucket, name, Retention(GOVERNANCE, until + timedelta(days=1)), version_id=version
        ),
    ):
        with pytest.raises(S3Error) as refused:
            asked()
        said.append(refused.value)
    with pytest.raises(S3Error) as refused:
        client.remove_bucket(seaweed.bucket)
    said.append(refused.value)
    with capsys.disabled():
        for who, error in zip(("delete", "shorten", "weaken", "remove bucket"), said, strict=True):
            print(f"\n  {who} {name[:12]}…: the store answered {error.response.status} {error.code}: {error.message}")
    assert [error.code for error in said] == ["AccessDenied"] * 3 + ["BucketNotEmpty"]
    assert asyncio.run(store.read(name)) == data


@pytest.mark.servers
def test_a_locked_segment_is_neither_deleted_nor_hidden_nor_laid_over(seaweed: s3.Store) -> None:
    async def scenario() -> None:
        store = s3.S3Blobs(seaweed)
        data = b"locked" * 77
        name = sha256(data).hexdigest()
        await store.put(name, data)
        await store.keep(name, datetime.now(UTC) + timedelta(days=30))
        with pytest.raises(Refused, match="segment_locked"):
            await store.delete(name)
        # What somebody with the store's keys would try: other bytes on top, then a plain delete, which hides all.
        await asyncio.to_thread(store._client.put_object, seaweed.bucket, name, io.BytesIO(b"junk"), 4)
        assert await store.read(name) == data and await store.size(name) == len(data)
        await asyncio.to_thread(store._client.remove_object, seaweed.bucket, name)
        assert await store.read(name) == data and await store.size(name) == len(data)
        await store.keep(name, datetime.now(UTC) + timedelta(days=60))
        assert name in [one async for one in store.names()]

    asyncio.run(scenario())


@pytest.mark.servers
def test_what_was_never_submitted_can_be_dropped(seaweed: s3.Store) -> None:
    async def scenario() -> None:
        store = s3.S3Blobs(seaweed)
        data = b"abandoned" * 77
        name = sha256(data).hexdigest()
        await store.put(name, data)
        assert await store.delete(name) and not await store.delete(name)
        assert await store.read(name) is None and name not in [one async for one in store.names()]

    asyncio.run(scenario())


@pytest.mark.servers
def test_each_start_sweeps_the_proofs_of_earlier_ones(seaweed: s3.Store) -> None:
    later = datetime.now(UTC) - s3.PROOF_LOCKED + timedelta(seconds=4)
    short = s3.S3Blobs(seaweed, clock=lambda: later)
    client, entropy = short._client, RealWorld().entropy

    def proofs() -> set[str]:
        listed = client.list_objects(seaweed.bucket, prefix=s3.PROOFS, recursive=True, include_version=True)
        return {str(one.object_name) for one in listed}

    asyncio.run(short.prepare(entropy=entropy))
    before = proofs()
    time.sleep(4.5)
    asyncio.run(s3.S3Blobs(seaweed).prepare(entropy=entropy))
    assert len(before - proofs()) == 1, "the one whose lock has ended"


@pytest.mark.servers
def test_a_store_without_object_lock_may_not_hold_bids(seaweed: s3.Store) -> None:
    plain = s3.Store(seaweed.endpoint, "hall", "hall-secret", "plain", secure=False)
    store = s3.S3Blobs(plain)
    store._client.make_bucket("plain")
    with pytest.raises(Refused, match="object_lock_missing"):
        asyncio.run(store.prepare(entropy=RealWorld().entropy))


def test_the_address_of_a_store_is_read_strictly() -> None:
    store = s3.store_at("s3+http://key:a%2Fb@store:8333/segments?public=https://hall.example/")
    assert store == s3.Store("store:8333", "key", "a/b", "segments", secure=False, public="https://hall.example")
    assert s3.S3Blobs(store).direct(NAME, 9).url.startswith(f"https://hall.example/segments/{NAME}?X-Amz-Algorithm=")
    for wrong in ("s3://store/segments", "s3://k:s@store", "s3://k:s@store/b?lock=off", "s3://k:s@store/b?x"):
        with pytest.raises(ValueError):
            s3.store_at(wrong)
