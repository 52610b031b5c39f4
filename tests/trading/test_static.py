"""Scripts and styles as they are served: the same text to all, packed for whoever takes it so, kept by readers."""

from __future__ import annotations

import base64
from hashlib import sha384
from pathlib import Path

import pytest
from litestar.testing import create_test_client

from bidding.door.sealing import scripts
from trading.counter.page import static

SHELVES = {"kit": static.KIT}
STYLE = "/static/kit/style.css"
FILES = [(STYLE, static.files_of(SHELVES)["kit/style.css"]), (scripts.ENTRY, scripts.scripts()[scripts.ENTRY])]


@pytest.mark.parametrize(("address", "data"), FILES)
def test_a_file_is_the_same_text_packed_or_not(address: str, data: bytes) -> None:
    with create_test_client([*static.routes(SHELVES), *scripts.routes()]) as client:
        plain = client.get(address, headers={"accept-encoding": "identity"})
        packed = client.get(address, headers={"accept-encoding": "gzip, br"})
        assert plain.content == packed.content == data
        assert "content-encoding" not in plain.headers and int(plain.headers["content-length"]) == len(data)
        assert packed.headers["content-encoding"] == "gzip" and int(packed.headers["content-length"]) < len(data) / 2
        assert plain.headers["vary"] == packed.headers["vary"] == "accept-encoding"
        known = client.get(address, headers={"if-none-match": packed.headers["etag"]})
        assert known.status_code == 304 and known.content == b""


def test_the_hash_that_pages_name_is_that_of_the_text() -> None:
    named = static.integrity(SHELVES)[STYLE].removeprefix("sha384-")
    assert base64.b64decode(named) == sha384((Path(static.KIT) / "style.css").read_bytes()).digest()
