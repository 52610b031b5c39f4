"""Sealing a checked bid folder: two envelopes, one file, a recovery file, and a self-test before either counts.

docs/spec/envelope.md §4 to §9. The rules upheld here:
- salt32 and bid_nonce are fresh for the version, the secrets of every lock for every envelope of it;
- before the file gets its name the whole lock section is made again from the secrets and both bodies are opened with
  every check of an opening: what this program seals is valid, or it is not sealed;
- the recovery file is on the disk before the sealed file is: no bid exists that its bidder cannot open.

Whoever reads this machine's memory while it seals can read the bid; nobody can afterwards, without the passphrase.
"""

from __future__ import annotations

import os
import sys
import unicodedata
from collections.abc import Callable, Mapping
from getpass import getpass
from importlib import metadata
from pathlib import Path

from bidding.client import bidfile, files, preparing
from bidding.client.bidfile import BidFile, Writer
from bidding.client.identity import Identity
from bidding.client.notice import Notice
from bidding.client.preparing import Planned, Prepared
from crypto.refusal import Refused
from crypto.sealing import body, envelope, header, lock, manifest, recovery
from crypto.sealing.envelope import Sealed
from crypto.sealing.recovery import Recovery
from crypto.terminal import Unreadable

PASSPHRASE_VARIABLE = "TRADEHALL_PASSPHRASE"
RECOVERY_SUFFIX = ".recovery"
MEDIA = {
    "pdf": "application/pdf",
    "xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    "xls": "application/vnd.ms-excel",
    "docx": "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
    "doc": "application/msword",
    "csv": "text/csv",
    "txt": "text/plain",
    "xml": "application/xml",
    "json": "application/json",
    "png": "image/png",
    "jpg": "image/jpeg",
    "jpeg": "image/jpeg",
    "zip": "application/zip",
    "dwg": "image/vnd.dwg",
}
"""By extension; whatever else is application/octet-stream. The table is our own, because systems' tables differ."""

Moved = Callable[[int], object]


def seal(
    prepared: Prepared,
    notice: Notice,
    identity: Identity,
    *,
    out: Path,
    version: int,
    passphrase: str,
    entropy: Callable[[int], bytes],
    moved: Moved = lambda _: None,
) -> BidFile:
    """Seal a folder without problems into `out`, its recovery file beside it; returns the file as it was read back.

    `moved` is told the bytes that were sealed and, again, those that were opened by the self-test. Raises Refused:
    bid_not_ready, bid_file_exists, passphrase_short, plaintext_too_long, file_hash (a file changed meanwhile),
    self_test_failed (`problem`).
    """
    if prepared.problems or prepared.opening is None:
        raise Refused("bid_not_ready", problems=len(prepared.problems))
    beside = recovery_path(out)
    for path in (out, beside):
        if path.exists():
            raise Refused("bid_file_exists", file=path)
    # A passphrase that will be refused is refused before the long work.
    check_passphrase(passphrase)
    part = out.with_name(out.name + ".part")
    out.parent.mkdir(parents=True, exist_ok=True)
    writer = Writer(part)
    try:
        sealed, salt = _bodies(prepared, notice, identity, writer, version=version, entropy=entropy, moved=moved)
        headers = tuple(each.header for each in sealed)
        signature = envelope.sign_submit(identity.signer.private, headers)
        writer.finish(
            lot=notice.lot,
            tender_id=notice.terms.tender_id,
            roster=notice.terms.roster,
            salt=salt,
            signature=signature,
            certificate=identity.signer.certificate,
            envelopes=[(each.header, each.leaves) for each in sealed],
        )
        secrets = tuple(each.secrets for each in sealed)
        kept = Recovery(notice.lot, salt, signature, headers, secrets)
        written = recovery.write(kept, passphrase, entropy=entropy)
        self_test(part, notice, identity, kept=recovery.read(written, passphrase), moved=moved)
    except BaseException:
        writer.close()
        part.unlink(missing_ok=True)
        raise
    files.write_secret(beside, written)
    part.replace(out)
    files.settle(out.parent)
    return bidfile.read(out)


def self_test(
    path: Path, notice: Notice, identity: Identity, *, kept: Recovery, moved: Moved = lambda _: None
) -> BidFile:
    """Open what was sealed as the opening will, from the file and the recovery file alone. Raises
    Refused("self_test_failed"), with what would have been found at the opening as `problem`."""
    try:
        found = bidfile.read(path)
        header.check_admission(
            found.headers,
            tender_id=notice.terms.tender_id,
            envelopes=notice.terms.envelopes,
            roster=notice.terms.roster,
            certificate_spki=identity.spki,
            salt=found.salt,
            submit_signature=found.signature,
        )
        if kept.headers != found.headers:
            raise Refused("recovery_file")
        for each, secrets in zip(found.envelopes, kept.secrets, strict=True):
            dek = lock.verify_lock_section(each.header, notice.terms.roster, secrets)
            body.verify_commitment(each.header, dek)

            def told(segment: bytes) -> bytes:
                moved(len(segment))
                return segment

            envelope.open_body(
                each.header,
                dek,
                map(told, found.segments(each)),
                spki=identity.spki,
                lot=notice.lot,
                salt=found.salt,
                bidder=identity.bidder,
            )
    except (Refused, Unreadable) as error:
        problem = error.code if isinstance(error, Refused) else str(error)
        raise Refused("self_test_failed", problem=problem) from error
    return found


def work_bytes(prepared: Prepared) -> int:
    """About how many bytes `moved` will be told: every file is sealed once and opened once."""
    envelopes = {each.envelope for each in prepared.planned} | {header.RECORD, header.DOCUMENTS}
    sizes = [sum(each.size for each in preparing.in_envelope(prepared, number)) for number in envelopes]
    return 2 * sum(header.body_len_of(header.padded(size + 4096)) for size in sizes)


def recovery_path(bid: Path) -> Path:
    """Where the recovery file of a bid file lies: F.bid and F.recovery."""
    return bid.with_suffix(RECOVERY_SUFFIX)


def passphrase_of(given: Path | None, environment: Mapping[str, str]) -> str:
    """The passphrase: from --passphrase-file, TRADEHALL_PASSPHRASE, or asked for where a person sits. Raises Refused:
    passphrase_missing, passphrase_short."""
    if given is not None:
        try:
            text = files.read(given, bytes_max=4096).decode("utf-8").rstrip("\r\n")
        except UnicodeDecodeError as error:
            raise Unreadable(f"{given}：不是 UTF-8 / not UTF-8") from error
    elif PASSPHRASE_VARIABLE in environment:
        text = environment[PASSPHRASE_VARIABLE]
    elif sys.stdin.isatty():
        text = getpass("口令 / passphrase: ")
    else:
        raise Refused("passphrase_missing", variable=PASSPHRASE_VARIABLE)
    return check_passphrase(text)


def check_passphrase(text: str) -> str:
    """The passphrase itself, long enough. Raises Refused("passphrase_short")."""
    if len(unicodedata.normalize("NFC", text)) < recovery.PASSPHRASE_LENGTH_MIN:
        raise Refused("passphrase_short", length_min=recovery.PASSPHRASE_LENGTH_MIN)
    return text


def media_type(name: str) -> str:
    """The media type by the file's extension."""
    return MEDIA.get(os.path.splitext(name)[1].lstrip(".").lower(), "application/octet-stream")


def _bodies(
    prepared: Prepared,
    notice: Notice,
    identity: Identity,
    writer: Writer,
    *,
    version: int,
    entropy: Callable[[int], bytes],
    moved: Moved,
) -> tuple[list[Sealed], bytes]:
    salt, nonce = entropy(32), entropy(16)
    sink = writer.sink(moved)
    sealed = []
    for number in notice.terms.envelopes:
        planned = preparing.in_envelope(prepared, number)
        page = manifest.build(
            lot=notice.lot,
            envelope=number,
            bidder=identity.bidder,
            salt=salt,
            files=[manifest.facts_of(each.path, name=each.name, media_type=media_type(each.name)) for each in planned],
            opening_list=prepared.opening if number == header.RECORD else None,
            environment=_environment(number),
        )
        _check_length(planned, number, notice)
        sealed.append(
            envelope.seal(
                tender_id=notice.terms.tender_id,
                envelope=number,
                roster=notice.terms.roster,
                signer=identity.signer.private,
                spki=identity.spki,
                salt=salt,
                bid_nonce=nonce,
                version=version,
                manifest=page,
                files=[each.path for each in planned],
                entropy=entropy,
                sink=sink,
            )
        )
        padded = sealed[-1].header.plaintext_len()
        if padded > notice.terms.plaintext_max:
            raise Refused("plaintext_too_long", length=padded, length_max=notice.terms.plaintext_max)
    return sealed, salt


def _check_length(planned: list[Planned], number: int, notice: Notice) -> None:
    """Refuse what cannot fit before it is encrypted; the exact length is judged after the manifest is known."""
    size = sum(each.size for each in planned)
    if size > notice.terms.plaintext_max:
        raise Refused("bid_envelope_too_large", envelope=number, bytes=size, bytes_max=notice.terms.plaintext_max)


def _environment(number: int) -> dict[str, str]:
    """What sealed it, for whoever looks into a defect later; the record envelope carries nothing but the price."""
    if number == header.RECORD:
        return {}
    return {"program": "tradehall-bidder", "version": metadata.version("tradehall")}
