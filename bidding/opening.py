"""The opening: what the releases give, judged by the opening room and by supervision's verifier, announced by both.

20号令 §30 to §32; docs/spec/release.md §7, envelope.md §8. The rules upheld:
- both judge for themselves, each with its own opening key, and sign only when they agree to the byte;
- every bid gets a verdict, and the others go on when one fails (E-56): valid, lost, unopened, invalid, with the
  consequence the law gives it (E-54 deemed revoked, E-55 deemed withdrawn);
- nothing is announced before the last verdict (E-58), and the record is public (E-59);
- trustees who lied, by a wrong share or by a complaint that the header refutes, are named.

Plaintext stays in this process: what is kept are verdicts, the opening list of valid bids, and the record's secrets,
which are public by law. Whoever holds an opening key can read documents once the trustees released, not before.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from typing import Any

from bidding import box, ceremony, lots
from bidding.opening_keys import Reader
from crypto import certificates, jcs
from crypto.certificates import Subject
from crypto.opening import combine
from crypto.opening.ceremony import Ceremony, Terms
from crypto.opening.combine import Accused, Complaint, Gathered, ReleaseMade
from crypto.refusal import Refused
from crypto.sealing import envelope, hpke, lock
from crypto.sealing import header as headers
from crypto.sealing.header import Header
from crypto.sealing.manifest import Bidder
from storage.ports import In
from storage.unit import Unit
from trading import tenders
from trading.hall import Hall
from trading.tender import Tender

ReadSegment = Callable[[str], bytes | None]
"""Gives a stored segment by its hash, None when it is lost or no longer what its name says."""

VALID, LOST, UNOPENED, INVALID = "valid", "lost", "unopened", "invalid"
OPENED, WITHDRAWN, REVOKED = "opened", "deemed_withdrawn", "deemed_revoked"


@dataclass(frozen=True, slots=True)
class Bid:
    """One bid of the freeze list: its headers ascending, who signed it, and the names of its segments per envelope."""

    bid: str
    version: int
    headers: tuple[Header, ...]
    subject: Subject
    salt: bytes
    segments: tuple[tuple[str, ...], ...]


@dataclass(frozen=True, slots=True)
class Case:
    """Everything an opening is judged by. `rescues`: per H(header) and reader the disclosed secrets, still sealed."""

    tender: Tender
    terms: Terms
    view: Ceremony
    freeze: bytes
    bids: tuple[Bid, ...]
    releases: tuple[ReleaseMade, ...]
    complaints: tuple[Complaint, ...]
    rescues: Mapping[bytes, Mapping[str, tuple[bytes, ...]]]

    @property
    def headers(self) -> dict[bytes, Header]:
        """Every header of the list by its hash."""
        return {header.hash(): header for bid in self.bids for header in bid.headers}


@dataclass(frozen=True, slots=True)
class Judgement:
    """What one reader found: the objects `verdicts` and `record` (JCS), how many bids are valid, who is accused."""

    verdicts: bytes
    record: bytes
    valid: int
    accused: tuple[Accused, ...]


@dataclass(frozen=True, slots=True)
class _Secrets:
    """The secrets of one header, or why there are none; who complained of it falsely, or kept it shut."""

    found: tuple[bytes, ...] | None
    cause: str
    complainers: tuple[str, ...]


async def case(unit: Unit, lot: str, *, hall: Hall) -> Case:
    """The case of a lot that has a freeze. Raises Refused("still_sealed") under E-39 before that."""
    tender = (await tenders.load(unit, lot)).tender
    view = await lots.view(unit, tender, hall=hall)
    if view.freeze is None:
        raise Refused("still_sealed", rule="E-39", lot=lot)
    listed = await tenders.object_json(unit, lot, view.freeze.act["list_hash"])
    bids = await _bids(unit, lot, {row["submission"] for row in listed}, view)
    releases = []
    for each in view.releases:
        row = await unit.object.read(lot, each.act["shares_hash"])
        assert row is not None, "a release is logged with its shares"
        freeze = bytes.fromhex(each.act["freeze"])
        act = each.act
        releases.append(ReleaseMade(act["trustee"], act["lock"], act["index"], freeze, bytes(row["data"])))
    rescues = {
        bytes.fromhex(each.act["header"]): {
            reader: tuple(bytes.fromhex(text) for text in sealed) for reader, sealed in each.act["sealed"].items()
        }
        for each in await lots.acts(unit, tender, "rescue")
    }
    complaints = ceremony.readiness(view).complaints
    return Case(tender, view.terms, view, view.freeze.leaf, bids, tuple(releases), complaints, rescues)


def gather(of: Case, *, reader: Reader, key: bytes | None) -> Gathered:
    """Every share that fits; `key` is the reader's secret opening key, None reads what the public can."""
    return combine.open_shares(of.releases, of.headers, of.complaints, reader=reader, key=key)


def ripe(of: Case, gathered: Gathered, *, now: datetime) -> bool:
    """Whether waiting longer can change nothing: every lock of every header has its shares, or all its seats have
    answered, or the patience of E-53 is over."""
    until = ceremony.patience(of.view)
    if until is None:
        return False
    if now >= until:
        return True
    freeze = of.freeze
    answered = {(each.lock, each.index) for each in of.releases if each.freeze == freeze}
    for hashed, header in of.headers.items():
        for number, sealed in enumerate(header.locks):
            enough = len(gathered.shares.get(hashed, {}).get(number, {})) >= sealed.t
            silent = any((number, index) not in answered for index in range(1, sealed.n + 1))
            if not enough and silent:
                return False
    return True


def judge(of: Case, *, reader: Reader, key: bytes, read: ReadSegment) -> Judgement:
    """Judge every bid, streaming its bodies through `read`; memory does not grow with their size. Not async: it runs
    where computing may take its time."""
    gathered = gather(of, reader=reader, key=key)
    verdicts, record = [], []
    for bid in of.bids:
        row, opened = _judge_bid(of, bid, gathered, reader, key, read)
        verdicts.append(row)
        if opened is not None:
            record.append(opened)
    ceremony.check_record(verdicts, record)
    return Judgement(jcs.dumps(verdicts), jcs.dumps(record), len(record), gathered.accused)


def secrets_of(of: Case, bid: str, number: int, *, reader: Reader, key: bytes) -> tuple[bytes, ...]:
    """The secrets of envelope `number` of a bid that was opened, for a reading grant or the full bundle.

    Raises Refused("bid_unknown"), Refused("bid_not_opened").
    """
    found = next((each for each in of.bids if each.bid == bid), None)
    if found is None:
        raise Refused("bid_unknown", bid=bid)
    secrets = _secrets(of, found.headers[number], gather(of, reader=reader, key=key), reader, key)
    if secrets.found is None:
        raise Refused("bid_not_opened", rule="E-55", bid=bid, verdict=UNOPENED)
    return secrets.found


def body_of(bid: Bid, number: int, read: ReadSegment) -> Iterator[bytes]:
    """The stored bytes of one envelope, segment by segment; it ends where the store has lost one."""
    for name in bid.segments[number]:
        segment = read(name)
        if segment is None:
            return
        yield segment


def _judge_bid(
    of: Case, bid: Bid, gathered: Gathered, reader: Reader, key: bytes, read: ReadSegment
) -> tuple[dict[str, Any], dict[str, Any] | None]:
    """The row of the verdicts, and the row of the opening record if the bid is valid."""
    record: dict[str, Any] = {}
    lied: set[str] = set()
    for number, header in enumerate(bid.headers):
        secrets = _secrets(of, header, gathered, reader, key)
        if secrets.found is None:
            revoked = secrets.cause == "complaints"
            consequence = REVOKED if revoked else WITHDRAWN
            return _row(bid, UNOPENED, header.envelope, secrets.cause, consequence, secrets.complainers), None
        verdict = envelope.verdict(
            header,
            roster=of.terms.roster,
            secrets=secrets.found,
            segments=body_of(bid, number, read),
            spki=bid.subject.spki,
            lot=of.tender.lot,
            salt=bid.salt,
            bidder=Bidder(bid.subject.name, bid.subject.uscc),
        )
        if verdict.kind != VALID:
            consequence = WITHDRAWN if verdict.kind == LOST else REVOKED
            return _row(bid, verdict.kind, header.envelope, verdict.code, consequence, ()), None
        lied |= set(secrets.complainers)
        if header.envelope == headers.RECORD:
            assert verdict.opened is not None
            record = _record_row(bid, verdict.opened.manifest, secrets.found)
    return _row(bid, VALID, None, None, OPENED, tuple(lied)), record


def _secrets(of: Case, header: Header, gathered: Gathered, reader: Reader, key: bytes) -> _Secrets:
    """The secrets of a header: combined from the shares, or disclosed in a rescue against too many complaints."""
    hashed = header.hash()
    found = combine.secrets_of(hashed, header, gathered, of.complaints)
    if isinstance(found, combine.Unopened):
        disclosed = _disclosed(of, header, reader, key)
        if found.cause == "complaints" and disclosed is not None:
            lied = combine.false_complainers(hashed, header, of.terms.roster, disclosed, of.complaints)
            return _Secrets(disclosed, "", lied)
        return _Secrets(None, found.cause, found.complainers)
    lied = combine.false_complainers(hashed, header, of.terms.roster, found.secrets, of.complaints)
    return _Secrets(found.secrets, "", lied)


def _disclosed(of: Case, header: Header, reader: Reader, key: bytes) -> tuple[bytes, ...] | None:
    """What the bidder disclosed, if it re-derives the header; anything else clears nobody."""
    sealed = of.rescues.get(header.hash(), {}).get(reader)
    if sealed is None:
        return None
    # A supplementary freeze may have come since: what was disclosed under the freeze before stays disclosed.
    for freeze in of.view.freezes:
        try:
            secrets = tuple(
                hpke.open(key, each[:32], each[32:], ceremony.rescue_info(freeze.leaf, number, header.hash()))
                for number, each in enumerate(sealed)
            )
            lock.verify_lock_section(header, of.terms.roster, secrets)
        except Refused:
            continue
        return secrets
    return None


def _row(
    bid: Bid, verdict: str, number: int | None, code: str | None, consequence: str, complainers: Sequence[str]
) -> dict[str, Any]:
    return {
        "bid": bid.bid,
        "verdict": verdict,
        "envelope": number,
        "code": code,
        "consequence": consequence,
        "complainers": sorted(set(complainers)),
    }


def _record_row(bid: Bid, manifest: Mapping[str, Any], secrets: Sequence[bytes]) -> dict[str, Any]:
    return {
        "bid": bid.bid,
        "version": bid.version,
        "bidder": manifest["bidder"],
        **manifest["opening_list"],
        "secrets": [each.hex() for each in secrets],
    }


async def _bids(unit: Unit, lot: str, leaves: set[str], view: Ceremony) -> tuple[Bid, ...]:
    """The bids of the list, ascending by bid."""
    found = []
    for row in await unit.submission.find({"lot": lot}):
        told = row["body"]
        if told["leaf"] not in leaves:
            continue
        sealed = box.parse([box.unbase64(text, "headers") for text in told["headers"]])
        subject = certificates.read_subject(box.unbase64(told["certificate"], "certificate"))
        uploads = await unit.upload.find({"id": In(tuple(told["uploads"]))})
        leaves_of = {upload["id"]: tuple(upload["body"]["leaves"]) for upload in uploads}
        segments = tuple(leaves_of[id_] for id_ in told["uploads"])
        salt = bytes.fromhex(told["salt"])
        found.append(Bid(told["bid"], row["bid_version"], sealed, subject, salt, segments))
    assert len(found) == len(leaves), "what is in the list was submitted"
    return tuple(sorted(found, key=lambda each: each.bid))


def name_of(judgement: Judgement) -> tuple[str, str]:
    """The hashes under which the two objects are kept: verdicts, record."""
    return sha256(judgement.verdicts).hexdigest(), sha256(judgement.record).hexdigest()
