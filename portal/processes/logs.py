"""Structured logs: one JSON object a line, with the request it belongs to, and no secret in it.

What is logged is an event's name and numbers; never a body, a token, a header, nor which lot a bidder's request was
about: a log file leaves the process, and E-39 does not end there. A value that looks like a secret is blotted out.
"""

from __future__ import annotations

import contextvars
import json
import logging
import re
import sys
import traceback

from storage.world import World, stamp

request_id: contextvars.ContextVar[str] = contextvars.ContextVar("request_id", default="")
"""The request under way in this task; '' outside one."""
_SECRET = re.compile(r"(?i)(bearer\s+|://[^/\s:@]*:|token[\"'=: ]+|password[\"'=: ]+)[^\s@\"',;]+")
_LONG_HEX = re.compile(r"\b[0-9a-f]{48,}\b")
MESSAGE_CHARACTERS_MAX = 2000


class Lines(logging.Formatter):
    """A record as one line of JSON: at, process, level, logger, request, message, and error where there is one."""

    def __init__(self, process: str, world: World) -> None:
        super().__init__()
        self._process = process
        self._world = world

    def format(self, record: logging.LogRecord) -> str:
        told = {
            "at": stamp(self._world.now()),
            "process": self._process,
            "level": record.levelname.lower(),
            "logger": record.name,
            "request": request_id.get(),
            "message": blotted(record.getMessage())[:MESSAGE_CHARACTERS_MAX],
        }
        if record.exc_info is not None and record.exc_info[1] is not None:
            error = record.exc_info[1]
            told["error"] = blotted(f"{type(error).__name__}: {error}")[:MESSAGE_CHARACTERS_MAX]
            frames = traceback.extract_tb(error.__traceback__)[-6:]
            told["where"] = " < ".join(f"{frame.name}:{frame.lineno}" for frame in reversed(frames))
        return json.dumps(told, ensure_ascii=False)


def blotted(text: str) -> str:
    """The text without what must not stand in a log: tokens, passwords, long hexadecimal values."""
    return _LONG_HEX.sub("…", _SECRET.sub(lambda found: found.group(1) + "…", text))


def begin(process: str, world: World) -> None:
    """Send every record of this process to stdout as lines of JSON."""
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(Lines(process, world))
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.INFO)
    for noisy in ("httpx", "httpcore", "pika", "dramatiq", "piccolo", "urllib3"):
        logging.getLogger(noisy).setLevel(logging.WARNING)
