"""Signed S3 requests that anybody may send: AWS Signature Version 4 in the query, pinned to bytes, length and newness.

The `minio` SDK signs the host alone, so whoever held such an address could put something longer, or a second version.
Here three more things are under the signature: the SHA-256 of the bytes (query `x-amz-checksum-sha256`, which the store
recomputes), their number (`content-length`) and `if-none-match: *`, so that one address means one object, written once.
Source: AWS, "Authenticating Requests: Using Query Parameters (AWS Signature Version 4)"; the service is `s3`, the
payload `UNSIGNED-PAYLOAD`. Whoever sees an address can put these very bytes until it expires, and do nothing else.
"""

from __future__ import annotations

import hmac
from base64 import b64encode
from datetime import datetime, timedelta
from hashlib import sha256
from urllib.parse import quote

ALGORITHM = "AWS4-HMAC-SHA256"
SECONDS_MAX = 7 * 24 * 3600


def put(
    base: str,
    path: str,
    *,
    access_key: str,
    secret_key: str,
    region: str,
    digest: bytes,
    size: int,
    now: datetime,
    expires: timedelta,
) -> str:
    """The address under which exactly `size` bytes with this SHA-256 may be PUT once, with header `If-None-Match: *`.

    `base` is scheme, host and port as the client will send them; `path` starts with a slash (bucket and object).
    """
    scheme, _, host = base.partition("://")
    seconds = int(expires.total_seconds())
    assert scheme in ("http", "https") and host and "/" not in host, "a base is scheme://host[:port]"
    assert 0 < seconds <= SECONDS_MAX and path.startswith("/")
    stamp = now.strftime("%Y%m%dT%H%M%SZ")
    scope = f"{stamp[:8]}/{region}/s3/aws4_request"
    headers = {"content-length": str(size), "host": host, "if-none-match": "*"}
    names = ";".join(headers)
    asked = {
        "X-Amz-Algorithm": ALGORITHM,
        "X-Amz-Credential": f"{access_key}/{scope}",
        "X-Amz-Date": stamp,
        "X-Amz-Expires": str(seconds),
        "X-Amz-SignedHeaders": names,
        "x-amz-checksum-sha256": b64encode(digest).decode(),
    }
    query = "&".join(f"{_quoted(name)}={_quoted(value)}" for name, value in sorted(asked.items()))
    given = "".join(f"{name}:{value}\n" for name, value in headers.items())
    request = "\n".join(("PUT", quote(path), query, given, names, "UNSIGNED-PAYLOAD"))
    text = "\n".join((ALGORITHM, stamp, scope, sha256(request.encode()).hexdigest()))
    key = f"AWS4{secret_key}".encode()
    for part in scope.split("/"):
        key = hmac.digest(key, part.encode(), "sha256")
    return f"{base}{quote(path)}?{query}&X-Amz-Signature={hmac.digest(key, text.encode(), 'sha256').hex()}"


def _quoted(text: str) -> str:
    return quote(text, safe="-_.~")
