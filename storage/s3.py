"""Segments in an S3 store under Object Lock: the same port as the filesystem, for a hall with several machines.

One object per segment, named by SHA-256. Clients upload straight to the store with a presigned PUT whose checksum is
part of the signature, so the store itself refuses other bytes; our own writes say If-None-Match. Every object is
locked from the start (COMPLIANCE, `default_days`) and longer once its bid is submitted. A plain DELETE in a versioned
bucket only hides an object: reads here look behind the marker.
The SDK is synchronous and runs in threads; the pool has time limits and streams are never retried.
Whoever has the keys of this store can fill it and hide objects; they cannot change or delete a locked one through S3.
Whoever reaches SeaweedFS's filer or master ports can: they belong on a closed network (docker-compose.yml).
"""

from __future__ import annotations

import asyncio
import base64
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Any, TypeVar

import urllib3
from minio import Minio
from minio.commonconfig import COMPLIANCE
from minio.error import S3Error
from minio.objectlockconfig import DAYS, ObjectLockConfig
from minio.retention import Retention

from crypto.refusal import Refused
from storage.blobs import checked, require_name
from storage.world import Entropy

T = TypeVar("T")

CONNECT_SECONDS = 3
READ_SECONDS = 60
POOL_MAX = 16
DEFAULT_LOCK_DAYS = 7
"""As long as an upload that was never submitted is kept (contract: abandoned uploads are dropped after 7 days)."""
PRESIGNED = timedelta(hours=1)
_GONE = ("NoSuchKey", "NoSuchVersion", "MethodNotAllowed")


@dataclass(frozen=True, slots=True)
class Store:
    """Where the store is: `host:port`, its keys and bucket, whether TLS is spoken (`secure`)."""

    endpoint: str
    access_key: str
    secret_key: str
    bucket: str
    secure: bool = True
    region: str = "us-east-1"


class S3Blobs:
    """Segments as objects. `prepare` once at start-up."""

    def __init__(self, store: Store, *, default_days: int = DEFAULT_LOCK_DAYS) -> None:
        self._bucket = store.bucket
        self._default_days = default_days
        self._http = urllib3.PoolManager(
            timeout=urllib3.Timeout(connect=CONNECT_SECONDS, read=READ_SECONDS),
            maxsize=POOL_MAX,
            retries=False,
            cert_reqs="CERT_REQUIRED",
        )
        self._client = Minio(
            store.endpoint,
            access_key=store.access_key,
            secret_key=store.secret_key,
            secure=store.secure,
            region=store.region,
            http_client=self._http,
        )

    async def prepare(self, *, entropy: Entropy) -> None:
        """Makes the bucket with its lock if it is new, then proves on a real object that the lock holds.

        Refuses `object_lock_missing`: such a store may not hold bids.
        """
        await asyncio.to_thread(self._prepare)
        proof = b"object lock proof " + entropy(32)
        name = sha256(proof).hexdigest()
        await self.put(name, proof)
        version = (await asyncio.to_thread(self._client.stat_object, self._bucket, name)).version_id
        try:
            await asyncio.to_thread(self._client.remove_object, self._bucket, name, version_id=version)
        except S3Error as error:
            if error.code == "AccessDenied":
                return
            raise
        raise Refused("object_lock_missing", bucket=self._bucket)

    async def put(self, name: str, data: bytes) -> None:
        checked(name, data)
        response = await asyncio.to_thread(
            self._http.request,
            "PUT",
            self.presigned_put(name),
            body=data,
            headers={"If-None-Match": "*", "Content-Type": "application/octet-stream"},
        )
        match response.status:
            case 200 | 412:  # 412: it is there already, under the same hash
                return
            case 507:
                raise Refused("store_full", needed=len(data))
            case status:
                raise OSError(f"the object store answered {status}: {response.data[:200]!r}")

    async def read(self, name: str) -> bytes | None:
        require_name(name)
        data = await asyncio.to_thread(self._behind_markers, name, self._get)
        if data is not None and sha256(data).hexdigest() != name:
            raise Refused("segment_damaged", segment=name)
        return data

    async def size(self, name: str) -> int | None:
        require_name(name)

        def ask(version: str | None) -> int:
            return self._client.stat_object(self._bucket, name, version_id=version).size or 0

        return await asyncio.to_thread(self._behind_markers, name, lambda _, version: ask(version))

    async def keep(self, name: str, until: datetime) -> None:
        require_name(name)

        def lock(_: str, version: str | None) -> bool:
            version = version or self._client.stat_object(self._bucket, name).version_id
            held = self._client.get_object_retention(self._bucket, name, version_id=version)
            if held is None or held.retain_until_date < until:
                self._client.set_object_retention(self._bucket, name, Retention(COMPLIANCE, until), version_id=version)
            return True

        if not await asyncio.to_thread(self._behind_markers, name, lock):
            raise Refused("segment_missing", segment=name)

    async def delete(self, name: str) -> bool:
        """Removes every version. Refuses `segment_locked` while the lock holds."""
        require_name(name)
        try:
            return await asyncio.to_thread(self._delete, name)
        except S3Error as error:
            if error.code == "AccessDenied":
                raise Refused("segment_locked", segment=name) from error
            raise

    async def names(self) -> AsyncIterator[str]:
        listed = await asyncio.to_thread(lambda: list(self._client.list_objects(self._bucket, include_version=True)))
        for name in sorted({one.object_name for one in listed if not one.is_delete_marker}):
            yield name

    def presigned_put(self, name: str, *, expires: timedelta = PRESIGNED) -> str:
        """A URL under which anybody may PUT exactly the bytes with this hash, until it expires."""
        digest = base64.b64encode(bytes.fromhex(require_name(name))).decode()
        return str(
            self._client.get_presigned_url(
                "PUT",
                self._bucket,
                name,
                expires=expires,
                extra_query_params={"x-amz-checksum-sha256": digest},
            )
        )

    def _prepare(self) -> None:
        if not self._client.bucket_exists(self._bucket):
            self._client.make_bucket(self._bucket, object_lock=True)
        try:
            self._client.set_object_lock_config(self._bucket, ObjectLockConfig(COMPLIANCE, self._default_days, DAYS))
        except S3Error as error:
            if error.code == "AccessDenied":
                raise
            # An existing bucket that was made without the lock can never have one.
            raise Refused("object_lock_missing", bucket=self._bucket) from error

    def _get(self, name: str, version: str | None) -> bytes:
        response = self._client.get_object(self._bucket, name, version_id=version)
        try:
            return bytes(response.data)
        finally:
            response.close()
            response.release_conn()

    def _behind_markers(self, name: str, act: Callable[[str, str | None], T]) -> T | None:
        """Runs `act` on the object, or on its newest real version when somebody hid it behind a delete marker."""
        try:
            return act(name, None)
        except S3Error as error:
            if error.code not in _GONE:
                raise
        for version in self._versions(name):
            if not version.is_delete_marker:
                return act(name, version.version_id)
        return None

    def _delete(self, name: str) -> bool:
        versions = self._versions(name)
        for version in versions:
            self._client.remove_object(self._bucket, name, version_id=version.version_id)
        return any(not version.is_delete_marker for version in versions)

    def _versions(self, name: str) -> list[Any]:
        listed = self._client.list_objects(self._bucket, prefix=name, include_version=True)
        return [version for version in listed if version.object_name == name]
