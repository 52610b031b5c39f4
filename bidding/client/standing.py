"""Where the bidder's bids stand: what was sealed and handed in by this identity, its receipts, withdrawal.

20号令 §26, §27; docs/spec/ledger.md §7, envelope.md §6. The own folder remembers every version with its digest D and
its receipt, so that a withdrawal is signed over what the bidder itself knows and a receipt can be shown to anybody (a
trustee, a witness, a court) when the hall is silent. All receipts are verified again whenever they are read.

    IDENTITY/bids/LOT/vN.json      version, d, bid, stage, event          vN.receipt   of the submission
    IDENTITY/bids/LOT/wN.receipt   of the withdrawal of all versions up to N
"""

from __future__ import annotations

import base64
import contextlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bidding.client import files, ledger, submitting
from bidding.client import notice as notices
from bidding.client.bidfile import BidFile
from bidding.client.identity import Identity
from bidding.client.notice import Notice
from bidding.client.server import Server, segment
from bidding.client.submitting import Handed
from crypto import jcs
from crypto.ledger import receipt
from crypto.refusal import Refused
from crypto.sealing import envelope
from crypto.terminal import Told, Unreachable, Unreadable

STAGES = {
    "sealed": ("已封标", "sealed"),
    "uploaded": ("已上传（尚未递交）", "uploaded (not yet handed in)"),
    "received": ("已收到（尚未入账，请稍后运行 receipt）", "received (not yet sequenced, run receipt later)"),
    "submitted": ("已递交（已入账，回执 A 级）", "submitted (sequenced, receipt of grade A)"),
    "witnessed": ("已见证（回执 B 级）", "witnessed (receipt of grade B)"),
    "withdrawn": ("已撤回", "withdrawn"),
}
"""How far a version came, in Chinese and English (docs/spec/bidfile.md §3)."""

_LOT = re.compile(r"[0-9A-Za-z][0-9A-Za-z._-]{0,63}")
_VERSION = re.compile(r"v([1-9][0-9]{0,9})\.json")


@dataclass(frozen=True, slots=True)
class Known:
    """One version as this folder remembers it; `grade` of its receipt, None while there is none."""

    version: int
    digest: bytes
    bid: str
    stage: str
    event: str | None
    grade: str | None
    withdrawn: bool

    def told(self) -> dict[str, Any]:
        """As plain values."""
        return {
            "version": self.version,
            "d": self.digest.hex(),
            "bid": self.bid,
            "stage": "withdrawn" if self.withdrawn else self.stage,
            "event": self.event,
            "grade": self.grade,
        }


def check_lot(lot: str) -> str:
    """A lot code that can stand in an address and a folder's name. Raises Refused("lot_code_malformed")."""
    if not _LOT.fullmatch(lot):
        raise Refused("lot_code_malformed", lot=lot[:80])
    return lot


def remember(identity: Identity, bid: BidFile, handed: Handed) -> None:
    """Keep how far a version came, and its receipt."""
    folder = _folder(identity, bid.lot)
    told = {
        "v": 1,
        "lot": bid.lot,
        "tender_id": bid.tender_id.hex(),
        "version": bid.version,
        "d": bid.digest.hex(),
        "bid": bid.bid_id.hex(),
        "stage": handed.stage,
        "event": handed.event,
        "file": str(bid.path.absolute()),
    }
    if handed.receipt is not None:
        files.write(folder / f"v{bid.version}.receipt", handed.receipt)
    files.write_json(folder / f"v{bid.version}.json", told)


def known(identity: Identity, lot: str) -> list[Known]:
    """Every version this folder remembers, ascending."""
    folder = _folder(identity, lot)
    withdrawn = _withdrawn(folder)
    found = []
    for path in folder.glob("v*.json") if folder.is_dir() else ():
        if _VERSION.fullmatch(path.name):
            found.append(_known(path, identity, withdrawn))
    return sorted(found, key=lambda each: each.version)


def next_version(server: Server, identity: Identity, lot: str) -> int:
    """One more than the highest version known here or to the hall; here alone where the hall is silent or does not know
    this person yet."""
    versions = [each.version for each in known(identity, lot)]
    with contextlib.suppress(Unreachable, Told):
        versions += [row["version"] for row in own_bids(server, lot) if isinstance(row.get("version"), int)]
    return max(versions, default=0) + 1


def own_bids(server: Server, lot: str) -> list[dict[str, Any]]:
    """What the hall says of the own organisation's versions. Raises Refused("answer_unexpected")."""
    answer = server.get(f"/api/v1/bidding/lots/{segment(lot)}/own")
    rows = answer.get("bids") if isinstance(answer, dict) else answer
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise Refused("answer_unexpected", verb="own bids")
    return rows


def newest_receipt(server: Server, identity: Identity, bid: BidFile) -> Handed:
    """The newest receipt of a bid that was handed in: grade B as soon as a quorum has cosigned. Raises Refused:
    bid_not_handed_in, what submitting.verify refuses."""
    mine = {each.digest: each.event for each in known(identity, bid.lot)}
    event = mine.get(bid.digest) or next(
        (str(row["event"]) for row in own_bids(server, bid.lot) if row.get("bid") == bid.bid_id.hex()), None
    )
    if event is None:
        raise Refused("bid_not_handed_in", file=bid.path)
    handed = submitting.judged(submitting.receipt_of(server, event), event, bid, identity.trust)
    remember(identity, bid, handed)
    return handed


def withdraw(server: Server, identity: Identity, lot: str, *, version: int | None = None) -> dict[str, Any]:
    """Withdraw all versions up to `version` (the highest that was handed in), for ever; keeps the receipt, verified.

    Raises Refused: nothing_to_withdraw, receipt_of_another_act; Told: withdrawal_after_deadline and what else the hall
    refuses.
    """
    handed = [each for each in known(identity, lot) if each.event is not None and version in (None, each.version)]
    if not handed:
        raise Refused("nothing_to_withdraw", lot=lot)
    last, folder = handed[-1], _folder(identity, lot)
    tender_id = bytes.fromhex(files.read_json(folder / f"v{last.version}.json")["tender_id"])
    signature = envelope.sign_withdraw(
        identity.signer.private, tender_id=tender_id, version=last.version, digest=last.digest
    )
    body = {
        "lot": lot,
        "version": last.version,
        "signature": signature.hex(),
        "certificate": base64.b64encode(identity.signer.certificate).decode(),
    }
    event, data = submitting.event_of(server.verb("bidding/withdraw", body), "bidding/withdraw")
    data = data or submitting.receipt_of(server, event)
    if data is None:
        return {"lot": lot, "version": last.version, "stage": "received", "event": event, "grade": None}
    proved = receipt.verify(data, identity.trust)
    expected = {
        "kind": "withdraw",
        "tender_id": tender_id.hex(),
        "version": last.version,
        "d": last.digest.hex(),
        "signature": signature.hex(),
    }
    submitting.require_fields(proved, expected)
    files.write(folder / f"w{last.version}.receipt", data)
    return {"lot": lot, "version": last.version, "stage": "withdrawn", "event": event, "grade": proved.grade}


def present(server: Server, identity: Identity, lot: str) -> dict[str, Any]:
    """Present every receipt of the own standing version, and of withdrawals, for the trustees to see: who is missing in
    the freeze list blocks the opening by it. Raises Refused("nothing_to_present"); Told what the hall refuses."""
    folder = _folder(identity, lot)
    names = sorted(path for path in folder.glob("[vw]*.receipt")) if folder.is_dir() else []
    if not names:
        raise Refused("nothing_to_present", lot=lot)
    for path in names:
        data = files.read(path, bytes_max=receipt.RECEIPT_BYTES_MAX)
        receipt.verify(data, identity.trust)
        server.post("/api/v1/bidding/present", {"lot": lot, "receipt": base64.b64encode(data).decode()})
    return {"lot": lot, "presented": [path.name for path in names]}


def status(server: Server, identity: Identity, lot: str) -> dict[str, Any]:
    """The lot as the ledger proves it, and the own versions."""
    log = ledger.own_copy(server, identity.folder, identity.trust)
    notice, _, _ = notices.fetch(server, log, lot, identity.trust)
    view = notice.view
    mine = [each.told() for each in known(identity, lot)]
    return {
        "lot": lot,
        "rehearsal": notice.terms.rehearsal,
        "deadline": notices.text(view.deadlines.deadline),
        "shut_until": notices.text(view.deadlines.shut_until),
        "closed": view.deadlines.close is not None,
        "held": bool(view.holds),
        "suspended": view.suspended,
        "ended": view.ended,
        "frozen": None if view.freeze is None else view.freeze.act["n"],
        "bids": mine,
        "left_out": _left_out(server, notice, mine),
    }


def _left_out(server: Server, notice: Notice, mine: Sequence[Mapping[str, Any]]) -> list[int]:
    """The own highest version, if it was submitted, not withdrawn, and is not in the freeze list: the platform dropped
    it, or holds that it came too late. Judged from the list that the freeze act names."""
    freeze = notice.view.freeze
    standing = [each for each in mine if each["grade"] is not None]
    if freeze is None or not standing or standing[-1]["stage"] == "withdrawn":
        return []
    listed = jcs.loads(notices.object_of(server, notice.lot, str(freeze.act["list_hash"])))
    bids = {row.get("bid") for row in listed if isinstance(row, dict)} if isinstance(listed, list) else set()
    return [] if standing[-1]["bid"] in bids else [standing[-1]["version"]]


def _known(path: Path, identity: Identity, withdrawn: int) -> Known:
    told = files.read_json(path)
    proof = path.with_suffix(".receipt")
    grade = None
    if proof.is_file():
        grade = receipt.verify(files.read(proof, bytes_max=receipt.RECEIPT_BYTES_MAX), identity.trust).grade
    try:
        version, digest = int(told["version"]), bytes.fromhex(told["d"])
        stage = "witnessed" if grade == "B" else str(told["stage"])
        return Known(version, digest, str(told["bid"]), stage, told["event"], grade, version <= withdrawn)
    except (KeyError, TypeError, ValueError) as error:
        raise Unreadable(f"{path}：内容损坏 / damaged") from error


def _withdrawn(folder: Path) -> int:
    names = [re.fullmatch(r"w([1-9][0-9]{0,9})\.receipt", path.name) for path in folder.glob("w*.receipt")]
    return max((int(name[1]) for name in names if name), default=0)


def _folder(identity: Identity, lot: str) -> Path:
    return identity.folder / "bids" / check_lot(lot)
