"""The structured tender document (招标文件 as data), docs/spec/tender.md: what a bid will be held to, and nothing else.

Read strictly: every field is named, typed and bounded; an unknown or repeated field, a float, NaN, an over-long number,
a file over the size or depth limit and broken text are refused with the place they stand at. A bidder's client checks
a bid against `requirements` before it seals; the panel scores `items` and no others (E-69). What the law asks of the
contents is judged in trading/publication.py, so that this file can read a draft that is not yet lawful.
"""

from __future__ import annotations

import hashlib
import json
import re
from datetime import datetime
from typing import Annotated, Any, Literal

import msgspec
from msgspec import UNSET, Meta, Struct, UnsetType

from crypto import jcs
from crypto.refusal import Refused
from storage import world

DOCUMENT_BYTES_MAX = 1_048_576
DEPTH_MAX = 16
DIGITS_MAX = 16
_BROKEN = re.compile("[\\x00-\\x09\\x0b-\\x1f\\x7f\\ud800-\\udfff]")

Text = Annotated[str, Meta(min_length=1, max_length=400)]
LongText = Annotated[str, Meta(min_length=1, max_length=20_000)]
Code = Annotated[str, Meta(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,31}$")]
Uscc = Annotated[str, Meta(pattern=r"^[0-9A-HJ-NP-RT-UW-Y]{18}$")]
Region = Annotated[str, Meta(pattern=r"^[0-9]{6}$")]
Instant = Annotated[str, Meta(pattern=r"^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}\.\d{3}Z$")]
Points = Annotated[str, Meta(pattern=r"^(0|[1-9]\d{0,3})(\.\d{1,2})?$")]
Decimal = Annotated[str, Meta(pattern=r"^-?(0|[1-9]\d{0,11})(\.\d{1,8})?$")]
Fen = Annotated[int, Meta(ge=1, le=10**15)]
Places = Annotated[int, Meta(ge=0, le=8)]
Count = Annotated[int, Meta(ge=0, le=1000)]
Days = Annotated[int, Meta(ge=1, le=3650)]
Seconds = Annotated[int, Meta(ge=0, le=86_400)]
Sha256 = Annotated[str, Meta(pattern=r"^[0-9a-f]{64}$")]


class Part(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What every part of the document shares: frozen, named fields only."""


class Organisation(Part, frozen=True):
    name: Text
    uscc: Uscc


class Project(Part, frozen=True):
    """`state_controlled` decides E-81; `sector` picks the regulator's lock, `industry` is the two-digit 行业 class."""

    name: Text
    approval: Text
    fund_source: Text
    state_controlled: bool
    sector: Code
    industry: Code


class Contact(Part, frozen=True):
    name: Text
    phone: Text
    address: Text


class Notice(Part, frozen=True):
    """`preconditions` must be empty (E-19) and `fee_fen` zero (E-17); as fields, so that a wish for them is seen."""

    title: Text
    media: Annotated[tuple[Text, ...], Meta(max_length=16)]
    platform: Text
    contact: Contact
    fee_fen: Annotated[int, Meta(ge=0, le=10**9)]
    preconditions: Annotated[tuple[Text, ...], Meta(max_length=16)]


class Lot(Part, frozen=True):
    """One 标段. `number` gives the last three digits of its code, `class_code` the seven of 标段分类代码."""

    number: Annotated[int, Meta(ge=1, le=999)]
    name: Text
    class_code: Annotated[str, Meta(pattern=r"^[A-E][0-9]{6}$")]
    scope: LongText
    place: Text
    quality: Text
    period_days_max: Days


class Price(Part, frozen=True):
    """The ceiling in fen, or how it will be found. `min_price_fen` may be named only to be refused (E-22)."""

    max_price_fen: Fen | None
    max_price_method: Text | None
    min_price_fen: Fen | UnsetType = UNSET


class Schedule(Part, frozen=True):
    """Instants in UTC. The opening is at the deadline (E-50); it is written out because the law wants it written."""

    documents_until: Instant
    deadline: Instant
    opening_at: Instant
    validity_days: Days
    publicity_days: Days

    def at(self, name: Literal["documents_until", "deadline", "opening_at"]) -> datetime:
        """One of the instants, aware UTC."""
        return world.instant(getattr(self, name))


class Lock(Part, frozen=True):
    """One lock of the roster: how many of which seats must open. The trustees and keys are pinned at publication."""

    threshold: Annotated[int, Meta(ge=2, le=15)]
    seats: Annotated[tuple[Code, ...], Meta(min_length=3, max_length=16)]


class Sealing(Part, frozen=True):
    envelopes: Annotated[tuple[Literal[0, 1], ...], Meta(min_length=2, max_length=2)]
    bids_min: Annotated[int, Meta(ge=1, le=100)]
    settle_s: Seconds
    challenge_s: Seconds
    rescue_s: Seconds
    plaintext_max: Annotated[int, Meta(ge=1_048_576, le=2 * 1024**3)]
    locks: Annotated[tuple[Lock, ...], Meta(min_length=2, max_length=4)]


class Opening(Part, frozen=True):
    """`place` where it can be watched; what happens when fewer than three bids remain after opening (E-57)."""

    place: Text
    fewer_than_three_after_opening: Literal["stop", "continue"]


class OpeningListField(Part, frozen=True):
    field: Literal["price_fen", "period_days", "quality", "leader"]
    label: Text


class Requirement(Part, frozen=True):
    """One thing a bid must show, and what shows it: `envelope` 1 and a path inside it, or envelope 0 and a field of the
    opening list. Where a `mandatory` one is missing the panel rejects under `ground` (1…7 of 条例 §51)."""

    code: Code
    name: Text
    stage: Literal["form", "qualification", "response"]
    envelope: Literal[0, 1]
    file: Text
    mandatory: bool
    ground: Annotated[int, Meta(ge=1, le=7)]


class Item(Part, frozen=True):
    """One line of the score sheet. Points are decimal strings with at most two places."""

    code: Code
    name: Text
    max: Points
    step: Points
    kind: Literal["objective", "subjective"]
    criterion: LongText

    @property
    def max_hundredths(self) -> int:
        """The most points the item gives, in hundredths."""
        return hundredths(self.max)

    @property
    def step_hundredths(self) -> int:
        """Points are multiples of this, in hundredths."""
        return hundredths(self.step)


class FixedBase(Part, frozen=True):
    fixed: Decimal


class Cap(Part, frozen=True):
    above: Decimal | None
    below: Decimal | None


class Weights(Part, frozen=True):
    price: Decimal
    points: Decimal


class Rounding(Part, frozen=True):
    """Decimal places at each named rounding point; None = exact."""

    base: Places | None
    deviation: Places | None
    score: Places | None
    points: Places | None
    total: Places | None
    mode: Literal["half_up"]


Tie = Literal["price", "points", "draw"]


class Benchmark(Part, frozen=True, tag_field="name", tag="benchmark"):
    """综合评估法 with a benchmark price: exactly the `method` of scores.json (contract.md)."""

    full: Decimal
    base: Literal["mean"] | FixedBase
    drop: Annotated[tuple[tuple[Count, Count, Count], ...], Meta(min_length=1, max_length=32)]
    float_: Decimal = msgspec.field(name="float")
    above: Decimal
    below: Decimal
    cap: Cap
    floor: Decimal
    weights: Weights
    round: Rounding
    ties: Annotated[tuple[Tie, ...], Meta(min_length=1, max_length=3)]


class LowestEvaluated(Part, frozen=True, tag_field="name", tag="lowest_evaluated"):
    """经评审的最低投标价法: bid price after the named adjustments, lowest first; nothing is scored."""

    adjustments: Annotated[tuple[Code, ...], Meta(max_length=64)]
    ties: Annotated[tuple[Tie, ...], Meta(min_length=1, max_length=3)]


class Stratum(Part, frozen=True):
    specialty: Code
    seats: Annotated[int, Meta(ge=1, le=15)]


class Panel(Part, frozen=True):
    """Members = drawn experts (the strata's seats) + owner's representatives."""

    members: Annotated[int, Meta(ge=1, le=15)]
    owner_representatives: Annotated[int, Meta(ge=0, le=7)]
    strata: Annotated[tuple[Stratum, ...], Meta(min_length=1, max_length=8)]

    @property
    def experts(self) -> int:
        """Seats that are drawn."""
        return sum(stratum.seats for stratum in self.strata)


class Remedies(Part, frozen=True):
    """Where objections go and where complaints go, as the notices print it."""

    objection: Text
    complaint: Text


class TenderDocument(Part, frozen=True):
    """The whole document of one lot. `to_json` gives the object that the TENDER act names as `terms_hash`."""

    v: Literal[1]
    project: Project
    owner: Organisation
    agent: Organisation | None
    market: Literal["construction"]
    region: Region
    rehearsal: bool
    notice: Notice
    lot: Lot
    price: Price
    schedule: Schedule
    sealing: Sealing
    opening: Opening
    opening_list: Annotated[tuple[OpeningListField, ...], Meta(min_length=1, max_length=4)]
    requirements: Annotated[tuple[Requirement, ...], Meta(max_length=500)]
    items: Annotated[tuple[Item, ...], Meta(max_length=500)]
    method: Benchmark | LowestEvaluated
    panel: Panel
    candidates_max: Annotated[int, Meta(ge=1, le=20)]
    remedies: Remedies

    def to_json(self) -> dict[str, Any]:
        """The document as plain JSON values, in field order."""
        plain: dict[str, Any] = msgspec.to_builtins(self)
        return plain

    def canonical(self) -> bytes:
        """The bytes of the object that the TENDER act names (JCS)."""
        return jcs.dumps(self.to_json())

    @property
    def hash(self) -> str:
        """SHA-256 of the canonical bytes: `terms_hash`."""
        return hashlib.sha256(self.canonical()).hexdigest()


def parse(data: bytes) -> TenderDocument:
    """Read a tender document. Raises, in this order: document_too_large, document_not_text, document_too_deep,
    document_not_json, document_name_repeated, document_number_not_integer, document_text_broken, then
    document_field_unknown, document_field_missing, document_field_wrong (facts `field` = JSON path, `problem`), and
    document_code_repeated."""
    if len(data) > DOCUMENT_BYTES_MAX:
        raise Refused("document_too_large", size=len(data), limit=DOCUMENT_BYTES_MAX)
    document = from_json(_strict_json(data))
    for field, codes in (
        ("requirements", [requirement.code for requirement in document.requirements]),
        ("items", [item.code for item in document.items]),
        ("panel.strata", [stratum.specialty for stratum in document.panel.strata]),
        ("opening_list", [str(line.field) for line in document.opening_list]),
    ):
        if len(set(codes)) != len(codes):
            raise Refused("document_code_repeated", field=field, value=next(c for c in codes if codes.count(c) > 1))
    return document


def from_json(plain: object) -> TenderDocument:
    """The inverse of TenderDocument.to_json, for values already read as strict JSON."""
    try:
        return msgspec.convert(plain, TenderDocument, strict=True)
    except msgspec.ValidationError as error:
        problem, _, where = str(error).partition(" - at ")
        field = where.strip("`") or "$"
        named = re.search(r"`([^`]*)`", problem)
        if "unknown field" in problem:
            raise Refused("document_field_unknown", field=f"{field}.{named[1] if named else '?'}") from error
        if "missing required field" in problem:
            raise Refused("document_field_missing", field=f"{field}.{named[1] if named else '?'}") from error
        raise Refused("document_field_wrong", field=field, problem=problem) from error


def hundredths(points: str) -> int:
    """A decimal string of points in hundredths: "12.5" -> 1250. The string has at most two places."""
    whole, _, part = points.partition(".")
    return int(whole) * 100 + int(part.ljust(2, "0") or "0")


def _strict_json(data: bytes) -> object:
    try:
        text = data.decode("utf-8", errors="strict")
    except UnicodeDecodeError as error:
        raise Refused("document_not_text", offset=error.start) from error
    if _depth(text) > DEPTH_MAX:
        raise Refused("document_too_deep", limit=DEPTH_MAX)
    try:
        plain: object = json.loads(
            text,
            object_pairs_hook=_once,
            parse_int=_small,
            parse_float=_no_float,
            parse_constant=_no_float,
        )
    except json.JSONDecodeError as error:
        raise Refused("document_not_json", line=error.lineno, column=error.colno, problem=error.msg) from error
    _check_text(plain, "$")
    return plain


def _once(pairs: list[tuple[str, object]]) -> dict[str, object]:
    read = dict(pairs)
    if len(read) != len(pairs):
        names = [name for name, _ in pairs]
        raise Refused("document_name_repeated", field=next(name for name in names if names.count(name) > 1))
    return read


def _small(digits: str) -> int:
    if len(digits.lstrip("-")) > DIGITS_MAX:
        raise Refused("document_number_not_integer", value=digits[:DIGITS_MAX] + "…")
    return int(digits)


def _no_float(written: str) -> object:
    raise Refused("document_number_not_integer", value=written[:40])


def _depth(text: str) -> int:
    """The deepest nesting of brackets outside strings; counted before the parser recurses into it."""
    deepest = level = 0
    for mark in re.finditer(r'"(?:[^"\\]|\\.)*"|[\[{]|[\]}]', text):
        level += {"[": 1, "{": 1, "]": -1, "}": -1}.get(mark[0], 0)
        deepest = max(deepest, level)
    return deepest


def _check_text(value: object, where: str) -> None:
    """Lone surrogates and control characters have no place in a text that people will read and machines will hash."""
    if isinstance(value, dict):
        for name, inner in value.items():
            _check_text(name, where)
            _check_text(inner, f"{where}.{name}")
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            _check_text(inner, f"{where}[{index}]")
    elif isinstance(value, str) and _BROKEN.search(value):
        raise Refused("document_text_broken", field=where.encode("ascii", "replace").decode())
