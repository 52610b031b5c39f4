"""The browser's modules as they are served: `/sealing/<path>`, with the hashes that pages, list and log name.

docs/spec/bundle.md §8. There is no build step: what lies in this folder is what an auditor reads and what runs. The
files are read once, when the process starts, so a file that is changed under a running hall is not served.

Whoever runs the hall can serve another script; they cannot do so and keep the list in the log true.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping
from hashlib import sha256, sha384
from pathlib import Path
from typing import Any, Final

from litestar import Request, Response, get
from litestar.handlers import BaseRouteHandler
from litestar.params import FromPath

from crypto.refusal import Refused
from trading.counter.page.static import Kept

FOLDER: Final = Path(__file__).parent
ADDRESS: Final = "/sealing/"
ENTRY: Final = ADDRESS + "seal.js"
WORKER: Final = ADDRESS + "worker.js"


def scripts() -> dict[str, bytes]:
    """Every module by its address, ascending."""
    found = sorted(path.relative_to(FOLDER).as_posix() for path in FOLDER.rglob("*.js"))
    return {ADDRESS + name: (FOLDER / name).read_bytes() for name in found}


def integrity(data: bytes) -> str:
    """The `integrity` attribute of a script (SRI): sha384."""
    return "sha384-" + base64.b64encode(sha384(data).digest()).decode()


def tags() -> list[tuple[str, str]]:
    """(address, integrity) of every module that a page loads: one `<link rel="modulepreload">` each, so that imports
    are held to their hashes too; the entry's own `<script type="module">` takes the same pair."""
    return [(address, integrity(data)) for address, data in scripts().items() if address != WORKER]


def hashes(served: Mapping[str, bytes]) -> dict[str, str]:
    """Address → SHA-256 (hex), as the list of the hall names them."""
    return {address: sha256(data).hexdigest() for address, data in sorted(served.items())}


def routes() -> list[BaseRouteHandler]:
    """The handler that serves the modules."""
    served = {address: Kept.of(data, "text/javascript; charset=utf-8") for address, data in scripts().items()}

    @get(ADDRESS + "{path:path}", include_in_schema=False)
    async def module(request: Request[Any, Any, Any], path: FromPath[str]) -> Response[bytes]:
        file = served.get(ADDRESS + path.removeprefix("/"))
        if file is None:
            raise Refused("not_found")
        return file.answer(request)

    return [module]
