"""Object store: 1 MiB objects by presigned PUT, 8 MiB ones, and parts of one object, on a SeaweedFS from its wheel.

`python bench/object_store.py http://host:port key secret bucket` prints MB/s for the same bytes put by three lines.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from hashlib import sha256

import urllib3
from minio import Minio
from minio.datatypes import Part

from storage import presign

MIB = 1 << 20
LINES = 3
TOTAL_MIB = 96
ROUNDS = 2


def main(base: str, key: str, secret: str, bucket: str) -> int:
    """Run the three ways twice; the second round is the one to read."""
    http = urllib3.PoolManager(maxsize=LINES * 2, retries=False)
    client = Minio(
        base.split("//")[1], access_key=key, secret_key=secret, secure=base.startswith("https"), region="us-east-1"
    )
    if not client.bucket_exists(bucket):
        client.make_bucket(bucket, object_lock=True)

    def put(data: bytes) -> None:
        digest = sha256(data)
        url = presign.put(
            base, f"/{bucket}/{digest.hexdigest()}", access_key=key, secret_key=secret, region="us-east-1",
            digest=digest.digest(), size=len(data), now=datetime.now(UTC), expires=timedelta(hours=1),
        )  # fmt: skip
        answer = http.request("PUT", url, body=data, headers={"If-None-Match": "*"})
        assert answer.status == 200, answer.data

    def parts(data: Sequence[bytes]) -> None:
        """One object of 8 MiB parts; the SDK sends each part's hash in its signature."""
        name = f"whole-{os.urandom(8).hex()}"
        id_ = client._create_multipart_upload(bucket, name, {})

        def one(number: int) -> Part:
            tag = client._upload_part(bucket, name, data[number], {}, id_, number + 1)
            return Part(number + 1, tag)

        with ThreadPoolExecutor(LINES) as pool:
            client._complete_multipart_upload(bucket, name, id_, list(pool.map(one, range(len(data)))))

    def spread(pieces: Sequence[bytes]) -> None:
        with ThreadPoolExecutor(LINES) as pool:
            list(pool.map(put, pieces))

    def timed(name: str, size: int, way: Callable[[Sequence[bytes]], None]) -> None:
        pieces = [os.urandom(size) for _ in range(TOTAL_MIB * MIB // size)]
        begun = time.perf_counter()
        way(pieces)
        took = time.perf_counter() - begun
        print(f"{name:<28} {TOTAL_MIB / took:7.1f} MiB/s  {len(pieces) / took:7.1f} requests/s", flush=True)

    for _ in range(ROUNDS):
        timed("1 MiB objects", MIB, spread)
        timed("8 MiB objects", 8 * MIB, spread)
        timed("one object, 8 MiB parts", 8 * MIB, parts)
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
