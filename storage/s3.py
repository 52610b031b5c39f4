"""Segments in an S3 store under Object Lock: the same port as the filesystem, for a hall with several machines.

One object per segment, named by SHA-256. Clients upload straight to the store with a presigned PUT (storage/presign.py)
that takes these bytes once and no others, so no door ever carries a body. A segment has no lock until its bid is
submitted; then it is locked (COMPLIANCE) until the archive period ends, and nobody shortens that through S3. What was
never submitted is dropped after seven days. A plain DELETE in a versioned bucket only hides an object, and whoever has
the keys may lay other bytes over it: reads here look behind both, for the version whose checksum is the name.
The SDK is synchronous and runs in threads of its own, so that a store that hangs keeps nobody from anything else; the
pool has time limits and streams are never retried. A store that is away, refuses with 5xx or takes longer than
`READ_SECONDS` over a byte is Busy: nothing was changed, trying again is safe.
Whoever has the keys of this store can fill it and hide objects; they cannot change or delete a locked one through S3.
Whoever reaches SeaweedFS's filer or master ports can: they belong on a closed network (docker-compose.yml).
"""

from __future__ import annotations

import asyncio
import base64
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from hashlib import sha256
from typing import Any, ParamSpec, TypeVar
from urllib.parse import parse_qs, unquote, urlsplit

import urllib3
from minio import Minio
from minio.commonconfig import COMPLIANCE
from minio.error import InvalidResponseError, S3Error, ServerError
from minio.objectlockconfig import ObjectLockConfig
from minio.retention import Retention

from crypto.refusal import Refused
from storage import presign
from storage.blobs import Direct, checked, is_name, require_name
from storage.ports import Busy
from storage.world import Entropy, RealWorld

P = ParamSpec("P")
T = TypeVar("T")

CONNECT_SECONDS = 3
READ_SECONDS = 10
"""Between two bytes of an answer: whoever waits for the store waits for a bidder."""
POOL_MAX = 16
PRESIGNED = timedelta(hours=1)
PROOF_LOCKED = timedelta(minutes=5)
PROOFS = "proof/"
"""Under this prefix lie the objects with which each start proved that the lock holds; later starts sweep them away."""
PROVED = ("wrong_body_refused", "right_body_taken", "second_put_refused", "checksum_told", "locked_delete_refused")
"""What every start proves of a store: other bytes than announced are refused, the right ones are taken once, the store
tells the checksum that it computed, and a locked object is not deleted."""
ONCE = {"If-None-Match": "*"}
CHECKSUM_MODE = {"x-amz-checksum-mode": "ENABLED"}
_CHECKSUM = "x-amz-checksum-sha256"
_GONE = ("NoSuchKey", "NoSuchVersion", "MethodNotAllowed")
_DENIED = "AccessDenied"
_AWAY = ("InternalError", "ServiceUnavailable", "SlowDown", "RequestTimeout")


@dataclass(frozen=True, slots=True)
class Store:
    """Where the store is: `host:port`, its keys and bucket, whether TLS is spoken (`secure`).

    `public` is the address under which clients reach it (`https://hall.example`), '' for the same; a reverse proxy
    there must leave the Host header and the path as they are, because both are signed.
    """

    endpoint: str
    access_key: str
    secret_key: str
    bucket: str
    secure: bool = True
    region: str = "us-east-1"
    public: str = ""

    @property
    def base(self) -> str:
        """Scheme, host and port as this process reaches the store."""
        return f"{'https' if self.secure else 'http'}://{self.endpoint}"


def store_at(url: str) -> Store:
    """The store that `s3://key:secret@host:port/bucket[?public=https://host&region=name]` names (`s3+http://` without
    TLS). Raises ValueError when a part is missing or unknown."""
    parts = urlsplit(url)
    bucket, asked = parts.path.strip("/"), parse_qs(parts.query, strict_parsing=bool(parts.query))
    if not (parts.hostname and parts.username and parts.password and bucket) or set(asked) - {"public", "region"}:
        raise ValueError("an object store is s3://key:secret@host:port/bucket")
    given = {name: values[-1].rstrip("/") for name, values in asked.items()}
    return Store(
        endpoint=f"{parts.hostname}:{parts.port}" if parts.port else parts.hostname,
        access_key=unquote(parts.username),
        secret_key=unquote(parts.password),
        bucket=bucket,
        secure=parts.scheme == "s3",
        **given,
    )


class S3Blobs:
    """Segments as objects. `prepare` once at start-up. `clock` is the real one whatever time a hall lives in: the
    store compares it with its own."""

    def __init__(self, store: Store, *, clock: Callable[[], datetime] | None = None) -> None:
        self._store = store
        self._bucket = store.bucket
        self._clock = clock or RealWorld().now
        self._threads = ThreadPoolExecutor(POOL_MAX, thread_name_prefix="store")
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

    async def prepare(self, *, entropy: Entropy) -> bool:
        """Makes the bucket with its lock if it is new (True), then proves on a real object what bids rely on (PROVED).

        Refuses `object_lock_missing`, `store_not_conforming` (naming what failed): such a store may not hold bids.
        Raises Busy while the store does not answer, as everything here does.
        """
        made = await self._ask(self._prepare)
        await self._ask(self._prove, b"object lock proof " + entropy(32))
        return made

    async def check(self, *, entropy: Entropy) -> None:
        """Proves the same of a bucket that is there, and changes nothing but the proof's own object.

        Refuses `bucket_missing`, `object_lock_missing`, `store_not_conforming`.
        """
        if not await self._ask(self._client.bucket_exists, self._bucket):
            raise Refused("bucket_missing", bucket=self._bucket)
        await self._ask(self._prove, b"object lock proof " + entropy(32))

    async def put(self, name: str, data: bytes) -> None:
        checked(name, data)
        status, said = await self._ask(self._put, name, data, data)
        match status:
            case 200 | 412:  # 412: it is there already, under the same hash
                return
            case 507:
                raise Refused("store_full", needed=len(data))
            case _:
                raise OSError(f"the object store answered {status}: {said!r}")

    def direct(self, name: str, size: int) -> Direct:
        """Where a client PUTs exactly the `size` bytes with this hash, once, within an hour (412: it is there)."""
        return Direct(self._url(self._store.public or self._store.base, require_name(name), name, size), ONCE)

    async def read(self, name: str) -> bytes | None:
        return await self._ask(self._read, require_name(name))

    async def first(self, name: str, count: int) -> bytes | None:
        """The first `count` bytes, unchecked."""

        def get(version: str, _: int) -> bytes:
            return self._get(name, version, length=count)

        return await self._ask(self._first_version, require_name(name), get)

    async def size(self, name: str) -> int | None:
        require_name(name)
        return await self._ask(self._first_version, name, lambda _, size: size)

    async def keep(self, name: str, until: datetime) -> None:
        require_name(name)

        def lock(version: str, _: int) -> bool:
            try:
                self._client.set_object_retention(self._bucket, name, Retention(COMPLIANCE, until), version_id=version)
            except S3Error as error:
                held = self._retained(name, version) if error.code == _DENIED else None
                if held is None or held < until - timedelta(seconds=1):
                    raise
            return True

        if not await self._ask(self._first_version, name, lock):
            raise Refused("segment_missing", segment=name)

    async def kept_until(self, name: str) -> datetime | None:
        """The instant until which a stored segment is locked, or None without a lock."""
        return await self._ask(
            self._first_version, require_name(name), lambda version, _: self._retained(name, version)
        )

    async def delete(self, name: str) -> bool:
        """Removes every version. Refuses `segment_locked` while the lock holds."""
        require_name(name)
        try:
            return await self._ask(self._delete, name)
        except S3Error as error:
            if error.code == _DENIED:
                raise Refused("segment_locked", segment=name) from error
            raise

    async def names(self) -> AsyncIterator[str]:
        listed = await self._ask(lambda: list(self._client.list_objects(self._bucket, include_version=True)))
        for name in sorted({str(one.object_name) for one in listed if not one.is_delete_marker}):
            if is_name(name):
                yield name

    async def _ask(self, fn: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """What `fn` returns, from a thread of the store's own. Raises Busy when the store is away."""
        try:
            return await asyncio.get_running_loop().run_in_executor(self._threads, partial(fn, *args, **kwargs))
        except (urllib3.exceptions.HTTPError, ServerError, InvalidResponseError) as error:
            raise Busy(f"the object store does not answer: {type(error).__name__}") from error
        except S3Error as error:
            if error.code not in _AWAY:
                raise
            raise Busy(f"the object store refuses: {error.code}") from error

    def _prepare(self) -> bool:
        made = not self._client.bucket_exists(self._bucket)
        if made:
            self._client.make_bucket(self._bucket, object_lock=True)
        try:
            # No lock by default: what was never submitted is nobody's record and goes after seven days.
            self._client.set_object_lock_config(self._bucket, ObjectLockConfig(None, None, None))
        except S3Error as error:
            if error.code == _DENIED:
                raise
            # An existing bucket that was made without the lock can never have one.
            raise Refused("object_lock_missing", bucket=self._bucket) from error
        return made

    def _prove(self, proof: bytes) -> None:
        name = PROOFS + sha256(proof).hexdigest()
        for other in self._client.list_objects(self._bucket, prefix=PROOFS, recursive=True, include_version=True):
            try:
                self._client.remove_object(self._bucket, str(other.object_name), version_id=other.version_id)
            except S3Error as error:
                if error.code != _DENIED:  # a start of the last minutes; a later one sweeps it
                    raise
        wrong = bytes([proof[0] ^ 1]) + proof[1:]
        wrong_body, right_body, second_put, told_sum, _ = PROVED
        self._conforms(wrong_body, self._put(name, proof, wrong)[0] in (400, 403))
        self._conforms(right_body, self._put(name, proof, proof)[0] == 200)
        self._conforms(second_put, self._put(name, proof, proof)[0] == 412)
        told = self._client.stat_object(self._bucket, name, extra_headers=dict(CHECKSUM_MODE))
        self._conforms(told_sum, _checksum(told) == sha256(proof).hexdigest())
        until = self._clock() + PROOF_LOCKED
        lock = Retention(COMPLIANCE, until)
        try:
            self._client.set_object_retention(self._bucket, name, lock, version_id=told.version_id)
        except S3Error as error:
            # Whoever may not lock has proved nothing; what knows no lock says so in words of its own.
            if error.code == _DENIED or error.code in _AWAY:
                raise
            raise Refused("object_lock_missing", bucket=self._bucket) from error
        try:
            self._client.remove_object(self._bucket, name, version_id=told.version_id)
        except S3Error as error:
            if error.code == _DENIED:
                return
            raise
        raise Refused("object_lock_missing", bucket=self._bucket)

    def _conforms(self, what: str, does: bool) -> None:
        if not does:
            raise Refused("store_not_conforming", bucket=self._bucket, what=what)

    def _url(self, base: str, key: str, name: str, size: int) -> str:
        return presign.put(
            base,
            f"/{self._bucket}/{key}",
            access_key=self._store.access_key,
            secret_key=self._store.secret_key,
            region=self._store.region,
            digest=bytes.fromhex(name),
            size=size,
            now=self._clock(),
            expires=PRESIGNED,
        )

    def _put(self, key: str, announced: bytes, data: bytes) -> tuple[int, bytes]:
        """PUTs `data` where `announced` was signed for; the store's status and the beginning of what it said."""
        url = self._url(self._store.base, key, sha256(announced).hexdigest(), len(announced))
        response = self._http.request("PUT", url, body=data, headers=ONCE)
        if response.status >= 500 and response.status != 507:
            raise Busy(f"the object store answered {response.status}: {response.data[:200]!r}")
        return response.status, response.data[:200]

    def _read(self, name: str) -> bytes | None:
        data = None
        try:
            data = self._get(name, None)
        except S3Error as error:
            if error.code not in _GONE:
                raise
        if data is not None and sha256(data).hexdigest() == name:
            return data
        below = self._first_version(name, lambda version, _: self._get(name, version))
        if below is None and data is None:
            return None
        if below is None or sha256(below).hexdigest() != name:
            raise Refused("segment_damaged", segment=name)
        return below

    def _get(self, name: str, version: str | None, *, length: int = 0) -> bytes:
        response = self._client.get_object(self._bucket, name, version_id=version, length=length)
        try:
            return bytes(response.data)
        finally:
            response.close()
            response.release_conn()

    def _retained(self, name: str, version: str) -> datetime | None:
        try:
            held = self._client.get_object_retention(self._bucket, name, version_id=version)
        except S3Error as error:
            if error.code in ("ObjectLockConfigurationNotFoundError", "NoSuchObjectLockConfiguration"):
                return None
            raise
        return None if held is None else held.retain_until_date

    def _first_version(self, name: str, act: Callable[[str, int], T]) -> T | None:
        """Runs `act` (version, size) on the newest version whose checksum is the name: not on a delete marker, nor on
        what somebody laid over it. None when there is none."""
        for version in self._candidates(name):
            try:
                told = self._client.stat_object(
                    self._bucket, name, version_id=version, extra_headers=dict(CHECKSUM_MODE)
                )
            except S3Error as error:
                if error.code in _GONE:
                    continue
                raise
            if _checksum(told) == name:
                return act(str(told.version_id), told.size or 0)
        return None

    def _candidates(self, name: str) -> Iterator[str | None]:
        yield None
        for version in self._versions(name):
            if not version.is_delete_marker:
                yield version.version_id

    def _delete(self, name: str) -> bool:
        versions = self._versions(name)
        for version in versions:
            self._client.remove_object(self._bucket, name, version_id=version.version_id)
        return any(not version.is_delete_marker for version in versions)

    def _versions(self, name: str) -> list[Any]:
        listed = self._client.list_objects(self._bucket, prefix=name, include_version=True)
        return [version for version in listed if version.object_name == name]


def _checksum(told: Any) -> str:
    """The SHA-256 (hex) that the store computed over an object's bytes, '' when it tells none."""
    said = (told.metadata or {}).get(_CHECKSUM, "")
    return base64.b64decode(said).hex()
