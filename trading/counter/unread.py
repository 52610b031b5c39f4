"""What stands before the application: an answer that came before the whole body was read says that the line ends.

A body that is refused early (too large, an unknown upload) stays unread, so the server closes the connection behind its
answer. RFC 9112 §9.6: who hears "connection: close" asks the next thing on another one.
"""

from __future__ import annotations

from litestar.enums import ScopeType
from litestar.types import ASGIApp, HTTPReceiveMessage, Message, Receive, Scope, Send

CLOSE = (b"connection", b"close")


class EndsUnread:
    """An application whose answers to a body not read to its end carry "connection: close" (HTTP/1)."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, and watch how much of its body is asked for."""
        if scope["type"] != ScopeType.HTTP or not scope["http_version"].startswith("1") or not _has_body(scope):
            await self.app(scope, receive, send)
            return
        read = False

        async def asked() -> HTTPReceiveMessage:
            nonlocal read
            message = await receive()
            read = read or not (message["type"] == "http.request" and message.get("more_body", False))
            return message  # type: ignore[return-value]

        async def answered(message: Message) -> None:
            if message["type"] == "http.response.start" and not read:
                message["headers"] = [*message.get("headers", []), CLOSE]
            await send(message)

        await self.app(scope, asked, answered)


def _has_body(scope: Scope) -> bool:
    return any(
        name == b"transfer-encoding" or (name == b"content-length" and value != b"0")
        for name, value in scope["headers"]
    )
