"""The manifest: the signed first page of an envelope, naming its bid, its files and, in the record, the price.

docs/spec/manifest.md. Fields are exact, types included; a name, a place or a hash that does not fit is refused with the
field that is wrong. The opening list (开标一览表) is the price: fen and 大写 must say the same, and no cell of an Excel
file can say anything else.

Readers use the checks in this order: check_fields, (signature), check_ids, check_places.
"""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, Final

from crypto import amount
from crypto.refusal import Refused
from crypto.sealing import header, signs

MANIFEST_BYTES_MAX: Final = 1024 * 1024
SIGNATURE_BYTES: Final = 64
FILES_MAX: Final = 2000
NAME_BYTES_MAX: Final = 200
TEXT_LENGTH_MAX: Final = 500
PERIOD_DAYS_MAX: Final = 36_500
ENVIRONMENT_MAX: Final = 32

FileSource = str | Path | Callable[[], BinaryIO]

_FIELDS = {"v", "lot", "envelope", "bidder", "salt", "files", "environment"}
_OPENING_FIELDS = {"price_fen", "price_words", "period_days", "quality", "leader"}
_FILE_FIELDS = {"name", "type", "size", "sha256", "offset"}
_HEX32 = re.compile(r"[0-9a-f]{64}")
_USCC = re.compile(r"[0-9A-HJ-NP-RTUW-Y]{18}")
_MEDIA_TYPE = re.compile(r"[a-z0-9][a-z0-9!#$&^_.+-]{0,62}/[a-z0-9][a-z0-9!#$&^_.+-]{0,126}")
_RESERVED_NAMES = re.compile(r"(?i)(con|prn|aux|nul|com[0-9]|lpt[0-9])(\..*)?")
_FORBIDDEN = frozenset('<>:"|?*')
_READ_BYTES = 1024 * 1024


@dataclass(frozen=True)
class FileFacts:
    """One file as the manifest will name it; size in bytes, sha256 32 bytes."""

    name: str
    type: str
    size: int
    sha256: bytes


@dataclass(frozen=True)
class OpeningList:
    """What is read aloud at the opening: price in fen, period in days, quality, project leader and certificate."""

    price_fen: int
    period_days: int
    quality: str
    leader_name: str
    leader_certificate: str


@dataclass(frozen=True)
class Bidder:
    """The organisation as its enrolled certificate names it."""

    name: str
    uscc: str


def facts_of(source: FileSource, *, name: str, media_type: str) -> FileFacts:
    """Reads a file once, a MiB at a time, for its size and SHA-256. Raises Refused: file_name_*."""
    check_file_name(name)
    digest, size = hashlib.sha256(), 0
    with open_source(source) as stream:
        while piece := stream.read(_READ_BYTES):
            digest.update(piece)
            size += len(piece)
    return FileFacts(name=name, type=media_type, size=size, sha256=digest.digest())


def open_source(source: FileSource) -> BinaryIO:
    """A fresh binary stream of a path, or of a factory that gives one; the caller closes it."""
    return source() if callable(source) else Path(source).open("rb")


def build(
    *,
    lot: str,
    envelope: int,
    bidder: Bidder,
    salt: bytes,
    files: Sequence[FileFacts],
    opening_list: OpeningList | None = None,
    environment: Mapping[str, str] | None = None,
) -> dict[str, Any]:
    """The manifest of one envelope; offsets and price_words are made here. Raises Refused: file_name_*,
    amount_outside_range, manifest_fields."""
    for facts in files:
        check_file_name(facts.name)
    placed, offset = [], 0
    for facts in files:
        placed.append(
            {
                "name": facts.name,
                "type": facts.type,
                "size": facts.size,
                "sha256": facts.sha256.hex(),
                "offset": offset,
            }
        )
        offset += facts.size
    built: dict[str, Any] = {
        "v": 1,
        "lot": lot,
        "envelope": envelope,
        "bidder": {"name": bidder.name, "uscc": bidder.uscc},
        "salt": salt.hex(),
        "files": placed,
        "environment": dict(environment or {}),
    }
    if opening_list is not None:
        built["opening_list"] = {
            "price_fen": opening_list.price_fen,
            "price_words": amount.words(opening_list.price_fen),
            "period_days": opening_list.period_days,
            "quality": opening_list.quality,
            "leader": {"name": opening_list.leader_name, "certificate": opening_list.leader_certificate},
        }
    return check_fields(built)


def check_fields(value: Any) -> dict[str, Any]:
    """The value itself when it has exactly the fields of a manifest, each of its type and within its bounds.

    Raises Refused: manifest_fields, with `field` and `problem`.
    """
    _require(isinstance(value, dict), "manifest", "not an object")
    record = value.get("envelope") == header.RECORD and not isinstance(value.get("envelope"), bool)
    _exact(value, _FIELDS | ({"opening_list"} if record else set()), "manifest")
    _require(_integer(value["v"], 1, 1), "v", "must be 1")
    _require(_integer(value["envelope"], 0, header.PRICE_DOCUMENTS), "envelope", "must be 0, 1 or 2")
    _text(value["lot"], "lot", length_max=64)
    _hex32(value["salt"], "salt")
    _check_bidder(value["bidder"])
    if record:
        _check_opening_list(value["opening_list"])
    _check_environment(value["environment"], empty=record)
    _check_files(value["files"])
    return dict(value)


def check_ids(
    manifest: Mapping[str, Any], *, lot: str, envelope: int, salt: bytes, bidder: Bidder | None = None
) -> None:
    """The manifest speaks of this lot, envelope, salt and organisation. Raises Refused: manifest_ids (`field`).

    `bidder` None leaves the name to the caller, who must then compare it with the certificate.
    """
    expected: dict[str, object] = {"lot": lot, "envelope": envelope, "salt": salt.hex()}
    if bidder is not None:
        expected["bidder"] = {"name": bidder.name, "uscc": bidder.uscc}
    for field, right in expected.items():
        if manifest[field] != right:
            raise Refused("manifest_ids", field=field)


def check_places(manifest: Mapping[str, Any], *, manifest_len: int, padded_len: int) -> int:
    """Files lie back to back and the plaintext has the length its padding rule gives; returns L, bytes.

    Raises Refused: file_place (offset or sizes), padding (P is not L rounded up).
    """
    offset = 0
    for number, entry in enumerate(manifest["files"]):
        if entry["offset"] != offset:
            raise Refused("file_place", file=number, offset=entry["offset"], expected=offset)
        offset += entry["size"]
    length = 4 + manifest_len + SIGNATURE_BYTES + offset
    if length > padded_len:
        raise Refused("file_place", length=length, padded=padded_len)
    if header.padded(length) != padded_len:
        raise Refused("padding", length=length, padded=padded_len)
    return length


def check_file_name(name: str) -> str:
    """A bare file name that is safe on every system and reads the same everywhere; returned unchanged.

    Raises Refused: file_name_encoding (undecodable or mis-decoded bytes, as of GBK names read as UTF-8, or not NFC),
    file_name_path (a path, or a name that means one), file_name_characters, file_name_reserved, file_name_length.
    """
    if any(0xD800 <= ord(sign) <= 0xDFFF or sign == "\ufffd" for sign in name):
        raise Refused("file_name_encoding", name=name.encode("utf-8", "replace").decode())
    if unicodedata.normalize("NFC", name) != name:
        raise Refused("file_name_encoding", name=name)
    if name in ("", ".", "..") or "/" in name or "\\" in name or re.match(r"[A-Za-z]:", name):
        raise Refused("file_name_path", name=name)
    if signs.unfit_for_name(name) or not _FORBIDDEN.isdisjoint(name):
        raise Refused("file_name_characters", name=ascii(name))
    if (
        signs.blank_at_ends(name)
        or name.startswith((".", "~"))
        or name.endswith(".")
        or _RESERVED_NAMES.fullmatch(name)
    ):
        raise Refused("file_name_reserved", name=name)
    if len(name.encode("utf-8")) > NAME_BYTES_MAX:
        raise Refused("file_name_length", name=name[:40], bytes_max=NAME_BYTES_MAX)
    return name


def _check_bidder(value: Any) -> None:
    _exact(value, {"name", "uscc"}, "bidder")
    _text(value["name"], "bidder.name", length_max=200)
    uscc = value["uscc"]
    _require(isinstance(uscc, str) and bool(_USCC.fullmatch(uscc)), "bidder.uscc", "not a 统一社会信用代码")


def _check_opening_list(value: Any) -> None:
    _exact(value, _OPENING_FIELDS, "opening_list")
    price = value["price_fen"]
    _require(_integer(price, 1, amount.FEN_MAX), "opening_list.price_fen", "must be whole fen, 1 or more")
    _require(value["price_words"] == amount.words(price), "opening_list.price_words", "differs from price_fen")
    period = _integer(value["period_days"], 1, PERIOD_DAYS_MAX)
    _require(period, "opening_list.period_days", "must be whole days, 1 or more")
    _text(value["quality"], "opening_list.quality")
    _exact(value["leader"], {"name", "certificate"}, "opening_list.leader")
    _text(value["leader"]["name"], "opening_list.leader.name", length_max=200)
    _text(value["leader"]["certificate"], "opening_list.leader.certificate", length_max=200)


def _check_environment(value: Any, *, empty: bool) -> None:
    _require(isinstance(value, dict), "environment", "not an object")
    _require(not (empty and value), "environment", "must be empty in the record envelope")
    _require(len(value) <= ENVIRONMENT_MAX, "environment", "too many entries")
    for name, told in value.items():
        _text(name, "environment", length_max=64)
        _text(told, f"environment.{name}")


def _check_files(value: Any) -> None:
    _require(isinstance(value, list) and len(value) <= FILES_MAX, "files", f"not a list of at most {FILES_MAX}")
    seen: set[str] = set()
    for number, entry in enumerate(value):
        field = f"files[{number}]"
        _exact(entry, _FILE_FIELDS, field)
        _require(isinstance(entry["name"], str), f"{field}.name", "not a text")
        try:
            folded = check_file_name(entry["name"]).casefold()
        except Refused as refused:
            raise Refused("manifest_fields", field=f"{field}.name", problem=refused.code) from None
        _require(folded not in seen, f"{field}.name", "stands there twice")
        seen.add(folded)
        media = entry["type"]
        _require(isinstance(media, str) and bool(_MEDIA_TYPE.fullmatch(media)), f"{field}.type", "not a media type")
        _require(_integer(entry["size"], 0, header.PLAINTEXT_BYTES_MAX), f"{field}.size", "not a size up to 2 GiB")
        _hex32(entry["sha256"], f"{field}.sha256")
        _require(_integer(entry["offset"], 0, header.PLAINTEXT_BYTES_MAX), f"{field}.offset", "not an offset")


def _exact(value: Any, fields: set[str], name: str) -> None:
    _require(isinstance(value, dict), name, "not an object")
    _require(set(value) == fields, name, f"fields must be exactly {', '.join(sorted(fields))}")


def _text(value: Any, field: str, *, length_max: int = TEXT_LENGTH_MAX) -> None:
    """A text a person can read aloud: 1 … `length_max` characters, no controls, nothing blank at its ends."""
    right = isinstance(value, str) and 0 < len(value) <= length_max
    _require(right and not signs.blank_at_ends(value) and not signs.control_in(value), field, "not a text")


def _hex32(value: Any, field: str) -> None:
    _require(isinstance(value, str) and bool(_HEX32.fullmatch(value)), field, "not 64 lower-case hex digits")


def _integer(value: Any, low: int, high: int) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and low <= value <= high


def _require(right: bool, field: str, problem: str) -> None:
    if not right:
        raise Refused("manifest_fields", field=field, problem=problem)
