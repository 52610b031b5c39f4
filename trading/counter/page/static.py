"""Scripts, styles and pictures that pages name: `/static/<shelf>/<file>`, from folders of the rooms.

Only plain names are served, so no path can lead out of a shelf. A reader keeps a file and asks whether it changed; a
page names the hash of what it loads (SRI), so that nothing between hall and reader can put another file in its place.
What is text goes compressed to whoever takes it so; the hash is that of the text. Pages themselves are not compressed:
they hold secrets beside what a stranger may have written.
"""

from __future__ import annotations

import base64
import gzip
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256, sha384
from pathlib import Path
from typing import Any

from litestar import Request, Response, get
from litestar.handlers import BaseRouteHandler
from litestar.params import FromPath

from crypto.refusal import Refused

KIT = Path(__file__).parent / "static"
TYPES = {
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
    ".json": "application/json",
    ".woff2": "font/woff2",
}


@dataclass(frozen=True, slots=True)
class Kept:
    """A file as it is served as long as the process lives."""

    data: bytes
    kind: str
    tag: str
    packed: bytes

    @classmethod
    def of(cls, data: bytes, kind: str) -> Kept:
        """`kind` is the media type."""
        packed = b"" if kind.startswith("font/") else gzip.compress(data, mtime=0)
        return cls(data, kind, f'W/"{sha256(data).hexdigest()[:32]}"', packed)

    def answer(self, request: Request[Any, Any, Any]) -> Response[bytes]:
        """The file, or that it is still what the reader keeps."""
        headers = {"etag": self.tag, "cache-control": "no-cache", "x-content-type-options": "nosniff"}
        if self.packed:
            headers["vary"] = "accept-encoding"
        if request.headers.get("if-none-match") == self.tag:
            return Response(b"", status_code=304, headers=headers, media_type=self.kind)
        if self.packed and "gzip" in request.headers.get("accept-encoding", ""):
            return Response(self.packed, headers={**headers, "content-encoding": "gzip"}, media_type=self.kind)
        return Response(self.data, headers=headers, media_type=self.kind)


def files_of(shelves: Mapping[str, Path]) -> dict[str, bytes]:
    """`<shelf>/<file>` → bytes, of every shelf; read once: what changes under a running hall is not served."""
    return {
        f"{shelf}/{path.name}": path.read_bytes()
        for shelf, folder in shelves.items()
        for path in folder.iterdir()
        if path.suffix in TYPES
    }


def integrity(shelves: Mapping[str, Path]) -> dict[str, str]:
    """Address → the `integrity` of a script or style there (SRI, SHA-384)."""
    return {
        f"/static/{name}": "sha384-" + base64.b64encode(sha384(data).digest()).decode()
        for name, data in files_of(shelves).items()
    }


def routes(shelves: Mapping[str, Path]) -> list[BaseRouteHandler]:
    """The handler of all shelves, by name."""
    files = {name: Kept.of(data, TYPES[Path(name).suffix]) for name, data in files_of(shelves).items()}

    @get("/static/{shelf:str}/{name:str}", include_in_schema=False)
    async def static(request: Request[Any, Any, Any], shelf: FromPath[str], name: FromPath[str]) -> Response[bytes]:
        file = files.get(f"{shelf}/{name}")
        if file is None:
            raise Refused("not_found")
        return file.answer(request)

    return [static]
