"""Reading one's own sealed bid again, and disclosing its secrets when a trustee complained of it.

docs/spec/envelope.md §9, release.md §6. The recovery file and its passphrase open the bid file without anybody's help.
A disclosure is needed only when trustees said that their shares do not open: the bidder then seals the secrets of that
header to the two opening keys of the TENDER act, and whether they re-derive the header decides who was at fault. It is
not a disclosure to the public, nor to the hall's database.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, BinaryIO

from bidding.client import bidfile, files, sealing
from bidding.client.bidfile import BidFile, Envelope
from bidding.client.identity import Identity
from bidding.client.notice import Notice
from bidding.client.server import Server
from crypto import signing
from crypto.refusal import Refused
from crypto.sealing import body, envelope, hpke, lock, recovery
from crypto.sealing.header import RECORD
from crypto.sealing.recovery import Recovery

RESCUE_INFO = b"sealbid/v1 rescue\0"


def pair(given: Path) -> tuple[Path, Path]:
    """The recovery file and the bid file that belong together, whichever of the two was named."""
    if given.suffix == sealing.RECOVERY_SUFFIX:
        return given, given.with_suffix(".bid")
    return sealing.recovery_path(given), given


def recover(given: Path, to: Path, *, passphrase: str, moved: Callable[[int], object] = lambda _: None) -> BidFile:
    """Open the own bid into the folder `to`, as bid.json and files/; every check of an opening is made.

    Raises Refused: recovery_passphrase, recovery_file, recovery_of_another_bid, folder_not_empty, and what
    envelope.open_body refuses; then nothing is left behind.
    """
    kept_at, bid_at = pair(given)
    kept = recovery.read(files.read(kept_at, bytes_max=recovery.FILE_BYTES_MAX), passphrase)
    bid = bidfile.read(bid_at)
    if kept.headers != bid.headers or kept.lot != bid.lot:
        raise Refused("recovery_of_another_bid", file=kept_at, bid=bid_at)
    out = to / "files"
    if to.exists() and any(to.iterdir()):
        raise Refused("folder_not_empty", folder=to)
    out.mkdir(parents=True, exist_ok=True)
    pages = []
    for each, secrets in zip(bid.envelopes, kept.secrets, strict=True):
        pages.append(_open(bid, each, secrets, out, moved=moved))
    files.write_json(to / "bid.json", _bid(pages), mode=files.SECRET_MODE)
    return bid


def disclose(
    server: Server, identity: Identity, notice: Notice, kept: Recovery, *, entropy: Callable[[int], bytes]
) -> list[str]:
    """Disclose the secrets of every own header that was complained of; returns their hashes (hex).

    Raises Refused: not_frozen, nothing_to_disclose, act_not_asked_for; Told: rescue_window_closed and the like.
    """
    freeze = notice.view.freeze
    if freeze is None:
        raise Refused("not_frozen")
    named = {str(row.get("header")) for each in notice.view.ready for row in each.act.get("complaints", [])}
    done = []
    for header, secrets in zip(kept.headers, kept.secrets, strict=True):
        hashed = header.hash()
        if hashed.hex() not in named:
            continue
        sealed = {
            reader: [
                b"".join(hpke.seal_derand(key, rescue_info(freeze.leaf, number, hashed), entropy(32), secret)).hex()
                for number, secret in enumerate(secrets)
            ]
            for reader, key in notice.terms.opening_keys.items()
        }
        server.act(
            "bidding/disclose",
            {"lot": notice.lot, "header": hashed.hex(), **sealed},
            signer=identity.signer,
            by="bidder",
            expect={
                "kind": "rescue",
                "tender_id": notice.terms.tender_id.hex(),
                "header": hashed.hex(),
                "sealed": sealed,
            },
        )
        done.append(hashed.hex())
    if not done:
        raise Refused("nothing_to_disclose", lot=notice.lot)
    return done


def rescue_info(freeze: bytes, lock_number: int, header: bytes) -> bytes:
    """HPKE info of a disclosed secret; `freeze` is the leaf hash of the freeze act, `header` H(header)."""
    return RESCUE_INFO + freeze + bytes((lock_number,)) + header


def _open(
    bid: BidFile, each: Envelope, secrets: tuple[bytes, ...], out: Path, *, moved: Callable[[int], object]
) -> Mapping[str, Any]:
    """Open one envelope; its files get their names only when everything held."""
    dek = body.verify_commitment(each.header, lock.verify_lock_section(each.header, bid.roster, secrets))
    parts: dict[int, BinaryIO] = {}

    def write(number: int, piece: bytes) -> None:
        if number not in parts:
            parts[number] = _part(out, each, number).open("xb")
        parts[number].write(piece)

    def told(segment: bytes) -> bytes:
        moved(len(segment))
        return segment

    try:
        opened = envelope.open_body(
            each.header,
            dek,
            map(told, bid.segments(each)),
            spki=signing.certificate_spki(bid.certificate),
            lot=bid.lot,
            salt=bid.salt,
            write=write,
        )
    except BaseException:
        for number, stream in parts.items():
            stream.close()
            _part(out, each, number).unlink(missing_ok=True)
        raise
    for stream in parts.values():
        stream.close()
    for number, row in enumerate(opened.manifest["files"]):
        part = _part(out, each, number)
        if row["size"] == 0:
            part.touch()
        part.replace(out / row["name"])
    return opened.manifest


def _part(out: Path, each: Envelope, number: int) -> Path:
    return out / f".{each.header.envelope}-{number}.part"


def _bid(pages: list[Mapping[str, Any]]) -> dict[str, Any]:
    """bid.json as it was sealed."""
    record = next(page for page in pages if page["envelope"] == RECORD)
    listed = record["opening_list"]
    return {
        "name": record["bidder"]["name"],
        "uscc": record["bidder"]["uscc"],
        **{name: listed[name] for name in ("price_fen", "period_days", "quality", "leader")},
        "files": [{"path": row["name"], "envelope": page["envelope"]} for page in pages for row in page["files"]],
    }
