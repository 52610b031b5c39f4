"""Reading the whole ledger from a hall's static files: every leaf, up to a checkpoint that a quorum cosigned.

docs/spec/release.md §1, ledger.md §6. The root is computed from the leaves themselves and extends what was read before,
so a hall can neither hide an act nor take one back; hash tiles are not needed for that and not fetched. The reading is
kept on the own disk: whoever can write that file decides what the program believes it saw.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from bidding.client import files
from bidding.client.server import Server
from crypto import jcs
from crypto.ledger import note, tiles
from crypto.ledger.whole_log import WholeLog
from crypto.refusal import Refused
from crypto.terminal import Told, Unreachable
from crypto.trust import Trust

READING_BYTES_MAX = 256 << 20
ASK_AGAIN_SECONDS = 0.25
PATIENCE_SECONDS = 20.0


def cosigned(server: Server, trust: Trust, *, patience_s: float = PATIENCE_SECONDS) -> note.Quorum:
    """The newest checkpoint that a quorum of the witnesses in `trust` cosigned; asks again for `patience_s` seconds.

    Raises Refused: what note.verify_quorum refuses but too few cosignatures, which become Unreachable: witnesses look
    every few seconds, so trying again is right.
    """
    waited = 0.0
    while True:
        found = _newest(server, trust)
        if found is not None:
            return found
        if waited >= patience_s:
            raise Unreachable(
                "见证方尚未为账本的检查点签名，请稍后再试 / the witnesses have not cosigned a checkpoint yet, try again"
            )
        time.sleep(ASK_AGAIN_SECONDS)
        waited += ASK_AGAIN_SECONDS


def _newest(server: Server, trust: Trust) -> note.Quorum | None:
    """The checkpoint the hall shows, if a quorum cosigned it; None where that is still to come."""
    try:
        return note.verify_quorum(server.fetch("/log/checkpoint", cosigned="true"), trust)
    except Told as told:
        if told.problem.get("code") != "log_empty":
            raise
    except Refused as refused:
        if refused.code not in ("quorum", "quorum_group"):
            raise
    return None


def advance(server: Server, before: WholeLog, quorum: note.Quorum) -> WholeLog:
    """The reading extended to a cosigned checkpoint. A checkpoint older than the reading (an answer that was overtaken)
    leaves it as it is. Raises Refused: log_forked, log_incomplete, tile."""
    size = quorum.checkpoint.size
    if size < before.size:
        return before
    return before.advance(_leaves(server, before.size, size), quorum)


def read(server: Server, trust: Trust, before: WholeLog, *, patience_s: float = PATIENCE_SECONDS) -> WholeLog:
    """The reading extended to the newest cosigned checkpoint."""
    return advance(server, before, cosigned(server, trust, patience_s=patience_s))


def remembered(path: Path, *, trustee: str = "") -> WholeLog:
    """The reading kept in a file; an empty one when there is none. Raises Refused("reading_unreadable")."""
    if not path.exists():
        return WholeLog(trustee)
    try:
        return WholeLog.of_object(jcs.loads(files.read(path, bytes_max=READING_BYTES_MAX), bytes_max=READING_BYTES_MAX))
    except (Refused, KeyError, TypeError, ValueError, AssertionError) as error:
        raise Refused("reading_unreadable", file=path) from error


def remember(path: Path, log: WholeLog) -> None:
    """Keep the reading."""
    files.write(path, jcs.dumps(log.object()))


def own_copy(server: Server, folder: Path, trust: Trust) -> WholeLog:
    """The reading in an identity folder, brought up to date and kept."""
    path = folder / "log.json"
    before = remembered(path)
    log = read(server, trust, before)
    if log.size != before.size:
        remember(path, log)
    return log


def _leaves(server: Server, first: int, end: int) -> Iterator[bytes]:
    """The raw leaves [first, end), bundle by bundle; what they are is judged by the root they give."""
    for number in range(first // tiles.WIDTH, -(-end // tiles.WIDTH)):
        start = number * tiles.WIDTH
        width = min(tiles.WIDTH, end - start)
        yield from _bundle(server, number, width)[max(first - start, 0) : width]


def _bundle(server: Server, number: int, width: int) -> list[bytes]:
    if width < tiles.WIDTH:
        try:
            return tiles.split_entries(server.fetch("/log/" + tiles.entries_path(number, width)), width)
        except Told as told:
            # A log may drop a partial bundle once the full one is there (tlog-tiles).
            if told.problem.get("code") not in ("not_found", "http_error"):
                raise
    full: Any = server.fetch("/log/" + tiles.entries_path(number))
    return tiles.split_entries(full, tiles.WIDTH)
