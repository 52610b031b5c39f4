"""A hall as its clients see it: JSON verbs, acts to be signed, segments to be put, problems in the server's own words.

Used by the command lines of bidders and trustees and by whoever acts for a person. A refusal is raised as the server
told it; silence and "busy" are raised as Unreachable, because then trying again is right (exit code 3).
"""

from __future__ import annotations

import functools
import ssl
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any
from urllib.parse import quote

import httpx

from crypto import signing
from crypto.refusal import Refused
from crypto.signing import Signer
from crypto.terminal import Told, Unreachable

TIMEOUT_SECONDS = 60.0
BUSY = frozenset({502, 503, 504})
THERE_ALREADY, EXPIRED = 412, 403
ADDRESS_EXPIRED = "address_expired"
STORE_AWAY = (
    "存储暂不接收分段，已到达的不会丢失，请稍后再次运行同一命令 / "
    "the store takes no segments now; what arrived is kept: run the same command again"
)


class Server:
    """One hall under one address, asked as one person (or nobody). Not for use by several threads at once."""

    def __init__(
        self, url: str, *, token: str | None = None, device: str = "tradehall", http: httpx.Client | None = None
    ) -> None:
        headers = {"user-agent": device}
        if token:
            headers["authorization"] = f"Bearer {token}"
        self.url = url.rstrip("/")
        self._http = http or httpx.Client(timeout=TIMEOUT_SECONDS, trust_env=False, verify=_tls())
        self._headers = headers

    def twin(self) -> Server:
        """The same hall asked as the same person over a connection of its own, for another thread."""
        made = Server(self.url)
        made._headers = dict(self._headers)
        return made

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def get(self, path: str, **query: str) -> Any:
        """The JSON at `path`. Raises Told or Unreachable."""
        return self._json(self._send("GET", path, params=query))

    def fetch(self, path: str, **query: str) -> bytes:
        """The bytes at `path`. Raises Told or Unreachable."""
        return self._send("GET", path, params=query).content

    @contextmanager
    def stream(self, path: str) -> Iterator[Iterator[bytes]]:
        """The bytes at `path`, piece by piece, for what is too big for the memory. Raises Told or Unreachable."""
        url = self.url + path
        try:
            with self._http.stream("GET", url, headers=self._headers) as response:
                if response.is_error:
                    response.read()
                    self._check(response)
                yield response.iter_bytes()
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise Unreachable(f"{self.url}: {error or type(error).__name__}") from error

    def post(self, path: str, body: Mapping[str, Any], *, key: str | None = None) -> Any:
        """Post one JSON body; `key` is the Idempotency-Key. Raises Told or Unreachable."""
        headers = {"idempotency-key": key} if key else {}
        return self._json(self._send("POST", path, json=dict(body), headers=headers))

    def verb(self, verb: str, body: Mapping[str, Any], *, key: str | None = None) -> Any:
        """Run `<room>/<verb>`; the answer is {"events","receipt"[,"sign"][,"result"]}."""
        return self.post(f"/api/v1/{verb}", body, key=key)

    def act(
        self, verb: str, body: Mapping[str, Any], *, signer: Signer, by: str, expect: Mapping[str, Any] | None = None
    ) -> Any:
        """Run a verb whose act a person signs: ask for the exact act, check it is of this request, sign, post again.

        `expect` are the fields that the act must have for the signer to mean it. Raises Refused("act_not_asked_for")
        when the server shows an act that is not what `signed` would stand for.
        """
        first = self.verb(verb, body)
        act = first.get("sign") if isinstance(first, dict) else None
        if act is None:
            return first
        if not isinstance(act, dict) or act.get("signatures") or not isinstance(act.get("kind"), str):
            raise Refused("act_not_asked_for", verb=verb)
        if any(name not in act or act[name] != value for name, value in (expect or {}).items()):
            raise Refused("act_not_asked_for", verb=verb)
        return self.verb(verb, {**body, "signed": signing.sign_act(act, signer=signer, by=by)})

    def put(self, url: str, data: bytes, headers: Mapping[str, str]) -> None:
        """Put one segment to where the hall said: a path of its own, or a whole address, which is that of its store.

        A store gets nothing but the headers that the hall named, never the token. Its 412 says that these very bytes
        are there already; what else it refuses is tried again: 403 (Told, `address_expired`) with a new address.
        """
        if url.startswith("/"):
            self._send("PUT", self.url + url, content=data, headers={**self._headers, **headers})
            return
        try:
            response = self._http.put(url, content=data, headers=dict(headers))
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise Unreachable(f"{_origin(url)}: {error or type(error).__name__}. {STORE_AWAY}") from error
        if response.is_success or response.status_code == THERE_ALREADY:
            return
        if response.status_code == EXPIRED:
            raise Told(_words(f"HTTP {response.status_code}", code=ADDRESS_EXPIRED))
        raise Unreachable(f"{_origin(url)}: HTTP {response.status_code}. {STORE_AWAY}")

    def now(self) -> str:
        """The hall's clock as text; only for a rehearsal, where clients have no clock of their own. A hall that calls
        itself unwell (503) still tells the time."""
        try:
            response = self._http.get(self.url + "/health", headers=self._headers)
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise Unreachable(f"{self.url}: {error or type(error).__name__}") from error
        told = self._json(response)
        if not isinstance(told, dict) or not isinstance(told.get("now"), str):
            self._check(response)
            raise Unreachable(f"{self.url}: /health tells no time")
        return str(told["now"])

    def _send(self, method: str, path: str, **options: Any) -> httpx.Response:
        url = path if path.startswith("http") else self.url + path
        headers = {**self._headers, **options.pop("headers", {})}
        try:
            response = self._http.request(method, url, headers=headers, **options)
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise Unreachable(f"{self.url}: {error or type(error).__name__}") from error
        self._check(response)
        return response

    def _check(self, response: httpx.Response) -> None:
        if response.status_code in BUSY:
            raise Unreachable(f"{self.url}: HTTP {response.status_code}. {_said(response)}")
        if response.is_error:
            raise Told(_problem(response))

    @staticmethod
    def _json(response: httpx.Response) -> Any:
        try:
            return response.json()
        except ValueError as error:
            raise Unreachable(f"{response.url}: not JSON") from error


@functools.cache
def _tls() -> ssl.SSLContext:
    """Read once in a process: making one reads every certificate of the system, which costs more than most requests."""
    return httpx.create_ssl_context(trust_env=False)


def segment(text: str) -> str:
    """One segment of an address, whatever the text holds."""
    return quote(text, safe="") or "-"


def _problem(response: httpx.Response) -> dict[str, Any]:
    try:
        problem = response.json()
    except ValueError:
        problem = None
    if not isinstance(problem, dict) or "code" not in problem:
        return _words(f"HTTP {response.status_code}", code="http_error")
    return problem


def _said(response: httpx.Response) -> str:
    """The words of whoever is busy, Chinese and English; '' when it has none."""
    message = _problem(response).get("message")
    return f"{message['zh']} / {message['en']}" if isinstance(message, dict) and {"zh", "en"} <= set(message) else ""


def _words(text: str, *, code: str) -> dict[str, Any]:
    return {"code": code, "rule": None, "message": {"zh": text, "en": text}}


def _origin(url: str) -> str:
    """Scheme and host of an address: what stands behind them would let whoever reads a log put a segment."""
    return "/".join(url.split("/", 3)[:3])
