"""Refusals and errors as RFC 9457 problem details, in Chinese and English (contract: HTTP).

A stranger never sees a traceback: what nobody foresaw becomes `internal_error` with the request id to quote.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

import msgspec
from litestar import Request, Response
from litestar.exceptions import HTTPException

from crypto import words
from crypto.refusal import Refused
from storage.ports import Busy

if TYPE_CHECKING:
    from collections.abc import Mapping

log = logging.getLogger("tradehall.door")

STATUS = {
    "token_missing": 401,
    "token_unknown": 401,
    "token_expired": 401,
    "permission_denied": 403,
    "power_code_missing": 403,
    "not_found": 404,
    "method_not_allowed": 405,
    "event_erased": 410,
    "body_too_large": 413,
    "store_full": 507,
    "busy_try_again": 503,
    "internal_error": 500,
}
"""HTTP status by refusal code; every other refusal is 422: understood, and not allowed."""


def answer(refused: Refused, table: Mapping[str, words.Sentence], *, status: int | None = None) -> Response[bytes]:
    """Return the problem document for one refusal, in the words of `table`."""
    message = words.tell(refused, table)
    status = status or STATUS.get(refused.code, 422)
    body: dict[str, Any] = {
        "type": "about:blank",
        "title": message["en"],
        "status": status,
        "detail": message["zh"],
        "code": refused.code,
        "rule": refused.rule,
        "message": message,
    }
    return Response(msgspec.json.encode(body), status_code=status, media_type="application/problem+json")


def on_refused(request: Request[Any, Any, Any], refused: Refused) -> Response[bytes]:
    """Litestar exception handler for Refused."""
    return answer(refused, request.app.state.words)


def on_http(request: Request[Any, Any, Any], error: HTTPException) -> Response[bytes]:
    """Litestar exception handler for its own errors: unknown address, wrong method, a body that does not fit."""
    table = request.app.state.words
    match error.status_code:
        case 404:
            return answer(Refused("not_found"), table)
        case 405:
            return answer(Refused("method_not_allowed"), table)
        case 413:
            return answer(Refused("body_too_large", limit="1 MiB"), table)
        case _:
            return answer(Refused("body_malformed", why=_why(error)), table, status=error.status_code)


def by_browser(request: Request[Any, Any, Any]) -> bool:
    """Whether a person reads the answer: a browser asks for HTML, a program does not."""
    return "text/html" in request.headers.get("accept", "") and not request.scope["path"].startswith("/api/")


def on_error(request: Request[Any, Any, Any], error: Exception) -> Response[bytes]:
    """Litestar exception handler for what nobody foresaw: logged with its traceback, told without it."""
    if isinstance(error, Busy):
        log.warning("busy at %s: %s", request.method, error)
        return answer(Refused("busy_try_again"), request.app.state.words)
    log.error("unforeseen error at %s %s", request.method, request.url.path, exc_info=error)
    return answer(Refused("internal_error"), request.app.state.words)


def _why(error: HTTPException) -> str:
    extra = error.extra
    if isinstance(extra, list) and extra and isinstance(extra[0], dict):
        first = extra[0]
        return f"{first.get('key', '')}: {first.get('message', '')}".strip(": ")
    return str(error.detail)
