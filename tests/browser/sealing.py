"""A page with the browser's sealing modules, served from the folder they lie in, and asked in plain JSON."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bidding.door.sealing import scripts

if TYPE_CHECKING:
    from playwright.sync_api import BrowserContext, Page

HERE = Path(__file__).parent
TYPES = {".js": "text/javascript", ".html": "text/html; charset=utf-8"}
POLICY = "default-src 'none'; script-src 'self'; worker-src 'self'; connect-src 'self'"
ASK = "([name, given]) => window.ask(name, ...JSON.parse(given))"


class Refusal(Exception):
    """What the page refused: `code` and `facts`."""

    def __init__(self, code: str, facts: dict[str, Any]) -> None:
        super().__init__(code)
        self.code, self.facts = code, facts


@contextmanager
def served(change: Callable[[str, bytes], bytes] = lambda _, data: data) -> Iterator[str]:
    """The address of a server of the modules (`/sealing/…`) and of the tests' page, under the page kit's policy."""
    files = {
        **scripts.scripts(),
        "/tests/sealing_page.js": (HERE / "sealing_page.js").read_bytes(),
        "/": (HERE / "sealing_page.html").read_bytes(),
    }

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            data = files.get(self.path)
            self.send_response(200 if data is not None else 404)
            self.send_header("content-type", TYPES.get(Path(self.path).suffix, TYPES[".html"]))
            self.send_header("content-security-policy", POLICY)
            self.end_headers()
            self.wfile.write(change(self.path, data) if data is not None else b"")

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}/"
    finally:
        server.shutdown()
        server.server_close()


def open_page(context: BrowserContext, address: str) -> Page:
    """A page that can be asked."""
    page = context.new_page()
    page.goto(address)
    page.wait_for_function("window.ask", timeout=60_000)
    return page


def ask(page: Page, name: str, *given: Any) -> Any:
    """What the page's modules answer. Raises Refusal; asserts that nothing failed in another way."""
    # As ASCII text: lone surrogates are among what is asked.
    answer = page.evaluate(ASK, [name, json.dumps(given)])
    if "code" in answer:
        raise Refusal(answer["code"], answer["facts"])
    assert "failed" not in answer, answer["failed"]
    return answer["value"]
