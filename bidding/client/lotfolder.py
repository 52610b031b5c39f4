"""The folder of one lot on the bidder's machine: fetched, filled in, checked, sealed from.

contract: Files. `fetch` writes what the ledger proved, nothing else:
    lot.json        the notice (TENDER act), and how far the acts were read      terms.json rulebook.json   its objects
    documents/      the files in force        clarifications/NN.json   every amendment's text
    bid.json files/ the bidder's own: a template the first time, never touched again
"""

from __future__ import annotations

import hashlib
import json
import os
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from bidding.client import files, ledger, preparing, standing
from bidding.client import notice as notices
from bidding.client.identity import Identity
from bidding.client.notice import Notice
from bidding.client.server import Server, segment
from crypto.ledger.whole_log import WholeLog
from crypto.opening import ceremony as ceremonies
from crypto.refusal import Refused
from crypto.sealing import manifest
from crypto.terminal import Unreachable, Unreadable
from crypto.trust import Trust

OBJECT_BYTES_MAX = 16 << 20
WITNESSED_TRIES = 20
WITNESSED_EVERY_SECONDS = 0.5
LOT, TERMS, RULEBOOK = "lot.json", "terms.json", "rulebook.json"


def fetch(server: Server, identity: Identity, lot: str, folder: Path) -> Notice:
    """Log the download, prove the notice, and write the folder. Raises what notices.prove refuses, object_hash for a
    file that is not the one the notice names, file_name_* for a name that is a trick; Told what the hall refuses."""
    standing.check_lot(lot)
    server.verb("trading/download", {"lot": lot})
    log = _log_with(server, identity, lot)
    notice, rulebook, document = notices.fetch(server, log, lot, identity.trust)
    folder.mkdir(parents=True, exist_ok=True)
    files.write(folder / TERMS, document)
    files.write(folder / RULEBOOK, rulebook)
    for row in notice.documents:
        _document(server, lot, folder / "documents", row)
    for act in notice.amendments():
        name = str(act["text_hash"])
        files.write(
            folder / "clarifications" / f"{act['version']:02d}.json",
            _readable(notices.object_of(server, lot, name)),
        )
    (folder / preparing.FOLDER).mkdir(exist_ok=True)
    if not (folder / "bid.json").exists():
        files.write_json(folder / "bid.json", preparing.template(notice.document, identity.bidder))
    # Last, so that a folder with it is whole.
    files.write_json(folder / LOT, _card(notice, identity.trust))
    return notice


def proved(folder: Path, log: WholeLog, trust: Trust, *, clarified: bool) -> Notice:
    """The notice of a fetched folder, judged again from the ledger as read on this machine. With `clarified`, refuses
    when an amendment came after the folder was fetched.

    Raises Refused: lot_not_fetched, clarified_since_fetch, and what notices.prove refuses.
    """
    card = card_of(folder)
    notice = notices.prove(
        log,
        card["lot"],
        trust,
        rulebook=files.read(folder / RULEBOOK, bytes_max=OBJECT_BYTES_MAX),
        document=files.read(folder / TERMS, bytes_max=OBJECT_BYTES_MAX),
    )
    new = notice.amendments(card["seen"])
    if clarified and new:
        raise Refused("clarified_since_fetch", count=len(new), lot=card["lot"])
    return notice


def card_of(folder: Path) -> dict[str, Any]:
    """lot.json, `lot` and `seen` judged. Raises Refused: lot_not_fetched."""
    if not (folder / LOT).is_file():
        raise Refused("lot_not_fetched", folder=folder)
    card = files.read_json(folder / LOT)
    if not isinstance(card.get("lot"), str) or type(card.get("seen")) is not int:
        raise Refused("lot_not_fetched", folder=folder)
    standing.check_lot(card["lot"])
    return card


def newest_log(server: Server, identity: Identity, tell: Callable[[str, str], object]) -> WholeLog:
    """The ledger brought up to date, or as it was read last when the hall is silent; then the person is told."""
    try:
        return ledger.own_copy(server, identity.folder, identity.trust)
    except Unreachable as error:
        log = ledger.remembered(identity.folder / "log.json")
        if log.fresh_at is None:
            raise
        at = ceremonies.instant_text(log.fresh_at)
        tell(
            f"大厅没有应答（{error}）；以本机 {at} 所读账本为准。封标后请再运行 status 核对有无新的澄清。",
            f"The hall does not answer ({error}); the ledger as read at {at} is used. Run status later.",
        )
        return log


def _log_with(server: Server, identity: Identity, lot: str) -> WholeLog:
    """The ledger with the lot's notice in it. The hall knows the lot, so its notice was logged; witnesses may need a
    moment to cosign it. Raises Refused("lot_not_in_log") when it does not come."""
    for _ in range(WITNESSED_TRIES):
        log = ledger.own_copy(server, identity.folder, identity.trust)
        if any(logged[0].act.get("lot") == lot for logged in log.tenders.values()):
            return log
        time.sleep(WITNESSED_EVERY_SECONDS)
    raise Refused("lot_not_in_log", lot=lot)


def _document(server: Server, lot: str, folder: Path, row: Mapping[str, Any]) -> None:
    """Fetch one file, streaming, unless it is here already; it counts only with the hash that the notice names."""
    name, right = manifest.check_file_name(str(row["name"])), str(row["sha256"])
    path = folder / name
    if path.is_file() and _sha256(path) == right:
        return
    folder.mkdir(parents=True, exist_ok=True)
    part = folder / (name + ".part")
    digest = hashlib.sha256()
    try:
        with server.stream(f"/api/v1/lots/{segment(lot)}/files/{segment(right)}") as pieces, part.open("wb") as out:
            for piece in pieces:
                digest.update(piece)
                out.write(piece)
            out.flush()
            os.fsync(out.fileno())
        if digest.hexdigest() != right:
            raise Refused("object_hash", object=name)
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)


def _card(notice: Notice, trust: Trust) -> dict[str, Any]:
    deadlines = notice.view.deadlines
    return {
        "v": 1,
        "lot": notice.lot,
        "tender_id": notice.terms.tender_id.hex(),
        "rehearsal": notice.terms.rehearsal,
        "origin": trust.origin,
        "seen": notice.seen,
        "deadline": ceremonies.instant_text(deadlines.deadline),
        "act": dict(notice.act),
    }


def _readable(data: bytes) -> bytes:
    """A text object as people read it."""
    try:
        return (json.dumps(json.loads(data), ensure_ascii=False, indent=1) + "\n").encode()
    except ValueError as error:
        raise Unreadable("澄清文本不是 JSON / the clarification is no JSON") from error


def _sha256(path: Path) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
