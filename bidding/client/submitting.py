"""Handing in a sealed file: segments that survive a cut line, one submission, a receipt verified before it is believed.

docs/contract.md (HTTP, Uploads). Four words, never mixed up:
    uploaded    every segment is at the hall, nothing is handed in yet
    received    the hall answered with the submission's event
    submitted   the event is sequenced: a receipt signed by the log was verified on this machine (grade A)
    witnessed   a quorum of witnesses cosigned the tree that holds it (grade B)

F.bid.state beside the sealed file says how far it came; running the same command again goes on from there. The hall
knows the same segments and the same headers again, so nothing is done twice.
"""

from __future__ import annotations

import base64
import json
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from queue import SimpleQueue
from typing import Any, Literal

from bidding.client import bidfile, files
from bidding.client.bidfile import BidFile, Envelope
from bidding.client.server import ADDRESS_EXPIRED, Server, segment
from crypto.ledger import receipt
from crypto.ledger.receipt import ReceiptProved
from crypto.refusal import Refused
from crypto.sealing import header
from crypto.terminal import Told, Unreachable
from crypto.trust import Trust

Stage = Literal["sealed", "uploaded", "received", "submitted", "witnessed"]
UPLOADS = "/api/v1/bidding/uploads"
WORKERS = 3
PAUSES_SECONDS = (0.2, 0.5, 1.0, 2.0, 4.0)
"""How long a segment or a submission waits before it is tried again; after the last one the line counts as cut."""
SEQUENCED_TRIES = 20
STATE_SUFFIX = ".state"
# A segment that was damaged on its way is sent again; any other refusal is the hall's word.
DAMAGED = frozenset({"segment_hash_differs", "upload_segment_length"})

Moved = Callable[[int], object]


@dataclass(frozen=True, slots=True)
class Handed:
    """How far a sealed file came: its stage, the hall's event, the receipt as verified (None before `submitted`)."""

    stage: Stage
    event: str | None = None
    receipt: bytes | None = None
    proved: ReceiptProved | None = None


def submit(server: Server, path: Path, trust: Trust, *, moved: Moved = lambda _: None) -> Handed:
    """Upload what is missing, submit, and verify the receipt. `moved` is told the bytes that reached the hall, those
    that were there already included.

    Raises Unreachable when the line stays cut (the state is kept), Refused: bid_file_changed, answer_unexpected,
    receipt_of_another_act, what receipt.verify refuses; Told: what the hall refuses.
    """
    bid = bidfile.read(path)
    uploads = [_upload(server, bid, each, moved=moved) for each in bid.envelopes]
    _keep(bid, "uploaded", uploads)
    return hand_in(server, bid, uploads, trust)


def hand_in(server: Server, bid: BidFile, uploads: Sequence[str], trust: Trust) -> Handed:
    """Post the submission, or the same one again: the hall answers both with the same event."""
    body = {
        "headers": [base64.b64encode(each.encode()).decode() for each in bid.headers],
        "signature": bid.signature.hex(),
        "salt": bid.salt.hex(),
        "certificate": base64.b64encode(bid.certificate).decode(),
        "uploads": list(uploads),
    }
    answer = _retried(lambda: server.verb("bidding/submit", body))
    event, data = event_of(answer, "bidding/submit")
    _keep(bid, "received", uploads, event=event)
    data = data or receipt_of(server, event)
    handed = judged(data, event, bid, trust)
    _keep(bid, handed.stage, uploads, event=event)
    return handed


def event_of(answer: Any, verb: str) -> tuple[str, bytes | None]:
    """The id of the event in an answer, and its receipt where it is sequenced already. Raises answer_unexpected."""
    try:
        return str(answer["events"][0]["id"]), _proof(answer.get("receipt"))
    except (AttributeError, IndexError, KeyError, TypeError) as error:
        raise Refused("answer_unexpected", verb=verb) from error


def receipt_of(server: Server, event: str, *, tries: int = SEQUENCED_TRIES) -> bytes | None:
    """The newest receipt of an own event; None when it was not sequenced while this asked."""
    for number in range(tries):
        if number:
            time.sleep(PAUSES_SECONDS[1])
        data = _proof(_retried(lambda: server.get(f"/api/v1/bidding/receipts/{segment(event)}")))
        if data is not None:
            return data
    return None


def judged(data: bytes | None, event: str, bid: BidFile, trust: Trust) -> Handed:
    """How far a bid came, by the receipt there is. Raises what `verify` refuses."""
    if data is None:
        return Handed("received", event)
    proved = verify(data, bid, trust)
    return Handed("witnessed" if proved.grade == "B" else "submitted", event, data, proved)


def verify(data: bytes, bid: BidFile, trust: Trust) -> ReceiptProved:
    """The receipt proves that this very bid stands in the log. Raises Refused: receipt_of_another_act, what
    receipt.verify refuses."""
    proved = receipt.verify(data, trust)
    expected = {
        "kind": "submit",
        "tender_id": bid.tender_id.hex(),
        "lot": bid.lot,
        "version": bid.version,
        "headers": [each.hash().hex() for each in bid.headers],
        "d": bid.digest.hex(),
        "bid": bid.bid_id.hex(),
    }
    return require_fields(proved, expected)


def require_fields(proved: ReceiptProved, expected: Mapping[str, Any]) -> ReceiptProved:
    """The private act in a receipt says this, and not something else. Raises Refused("receipt_of_another_act")."""
    public = proved.event.get("public")
    for name, right in expected.items():
        if not isinstance(public, Mapping) or public.get(name) != right:
            raise Refused("receipt_of_another_act", field=name)
    return proved


def state(path: Path) -> dict[str, Any]:
    """What F.bid.state says, empty when there is none or it is damaged: everything in it can be asked for again."""
    try:
        value = json.loads(_state_path(path).read_text("utf-8"))
    except (OSError, ValueError):
        return {}
    return value if isinstance(value, dict) else {}


def _upload(server: Server, bid: BidFile, each: Envelope, *, moved: Moved) -> str:
    """Announce a body, put what is missing, and see that all of it is there; returns the upload's id."""
    body = {"lot": bid.lot, "size": each.size, "leaves": [leaf.hex() for leaf in each.leaves]}
    told: set[int] = set()

    def told_once(number: int) -> None:
        if number not in told:
            told.add(number)
            moved(_length(each, number))

    while True:
        before = len(told)
        id_, targets = _announced(_retried(lambda: server.post(UPLOADS, body)), len(each.leaves))
        for number in set(range(len(each.leaves))) - {target.index for target in targets}:
            told_once(number)
        try:
            _put_all(server, bid, each, targets, put=told_once)
            break
        except Told as refused:
            # A slow line outlives the addresses that the hall signed: it signs new ones for what is still missing.
            if refused.problem.get("code") != ADDRESS_EXPIRED or len(told) == before:
                raise
    left = _missing(_retried(lambda: server.get(f"{UPLOADS}/{segment(id_)}")))
    if left:
        raise Unreachable(
            f"{server.url}：还有 {len(left)} 段未到达，请再次运行 submit / {len(left)} segments did not arrive"
        )
    return id_


@dataclass(frozen=True, slots=True)
class _Target:
    index: int
    url: str
    headers: Mapping[str, str]


def _announced(answer: Any, count: int) -> tuple[str, list[_Target]]:
    try:
        targets = [
            _Target(int(row["index"]), str(row["url"]), {str(k): str(v) for k, v in (row.get("headers") or {}).items()})
            for row in answer["targets"]
        ]
        if any(not 0 <= target.index < count for target in targets):
            raise ValueError("index")
        return str(answer["id"]), targets
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise Refused("answer_unexpected", verb="bidding/uploads") from error


def _missing(answer: Any) -> list[int]:
    try:
        return [int(number) for number in answer["missing"]]
    except (KeyError, TypeError, ValueError) as error:
        raise Refused("answer_unexpected", verb="bidding/uploads") from error


def _put_all(server: Server, bid: BidFile, each: Envelope, targets: Sequence[_Target], *, put: Moved) -> None:
    """Put segments by several hands; the first that fails for good ends all, and what arrived stays."""
    lines: SimpleQueue[Server] = SimpleQueue()
    twins = [server.twin() for _ in range(WORKERS)]
    for twin in twins:
        lines.put(twin)

    def send(target: _Target) -> int:
        with bid.path.open("rb") as stream:
            data = bid.segment(stream, each, target.index)
        with _borrowed(lines) as line:
            _retried(lambda: line.put(target.url, data, target.headers))
        return target.index

    pool = ThreadPoolExecutor(WORKERS)
    try:
        waiting = [pool.submit(send, target) for target in targets]
        for done in as_completed(waiting):
            put(done.result())
    finally:
        pool.shutdown(cancel_futures=True)
        for twin in twins:
            twin.close()


@contextmanager
def _borrowed(lines: SimpleQueue[Server]) -> Iterator[Server]:
    line = lines.get()
    try:
        yield line
    finally:
        lines.put(line)


def _retried(ask: Callable[[], Any]) -> Any:
    """The answer, asked for again after growing pauses while the hall is silent or busy."""
    for pause in PAUSES_SECONDS:
        try:
            return ask()
        except Unreachable:
            time.sleep(pause)
        except Told as told:
            if told.problem.get("code") not in DAMAGED:
                raise
    return ask()


def _proof(given: Any) -> bytes | None:
    if not isinstance(given, Mapping) or given.get("status") != "sequenced" or not isinstance(given.get("proof"), str):
        return None
    return str(given["proof"]).encode()


def _keep(bid: BidFile, stage: Stage, uploads: Sequence[str], *, event: str | None = None) -> None:
    told = {"v": 1, "d": bid.digest.hex(), "stage": stage, "uploads": list(uploads), "event": event}
    files.write_json(_state_path(bid.path), told)


def _state_path(path: Path) -> Path:
    return path.with_name(path.name + STATE_SUFFIX)


def _length(each: Envelope, number: int) -> int:
    return min(header.SEGMENT_BYTES, each.size - number * header.SEGMENT_BYTES)
