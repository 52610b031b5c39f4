"""A hall in memory with one lot played to where a panel begins: real commands, real shares, seeded entropy.

Bids are submit acts without bodies, and the opening's acts are signed by whoever this stage says; what the experts'
room reads of them (freeze list, shares of the draw, opening record) is exact.
"""

from __future__ import annotations

import base64
import csv
import json
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from crypto import certificates, contribution, jcs, signing, trust
from crypto.ledger import note
from crypto.roster import Roster
from crypto.sealing import header, hpke, lock
from crypto.signing import Ed25519Signer, P256Signer
from experts import clock, room
from experts.commands import draw, pool, report, review, scoring
from experts.commands import room as doorway
from storage.memory import open_memory
from storage.sequencer import Sequencer
from storage.unit import Database, Unit
from storage.world import DemoWorld, SeededEntropy, stamp
from trading import journal, tenders
from trading.commands import entry, notice, parties
from trading.hall import Hall
from trading.journal import Outcome
from trading.markets import construction
from trading.people import graphs
from trading.people.organisations import Organisation
from trading.roles import Actor, Role
from trading.tender import Tender

ROOT = Path(__file__).resolve().parents[3]
ROAD = ROOT / "examples" / "road-maintenance"
OTHER = ROOT / "tests" / "examples" / "other-road"
CENTRE = ("青岚市公共资源交易中心", "12139900259796191P")
SUPERVISOR = ("青岚市住房和城乡建设局", "111399007970301774")
TRUSTEES = (
    ("owner", "operation", None),
    ("centre", "operation", CENTRE),
    ("notary", "operation", ("青岚市公证处", "12139900MB1NTARY1F")),
    ("regulator", "supervision", SUPERVISOR),
    ("inspector", "supervision", ("青岚市审计局", "11139900MB1AUDXTJ8")),
    ("independent", "supervision", ("青岚大学法学院", "12139900MB1LAWXCH6")),
)
ORIGIN = "localhost/experts-tests/rehearsal"
LONG = datetime(2020, 1, 1, tzinfo=UTC), datetime(2040, 1, 1, tzinfo=UTC)
C003, S004, C001 = "C-003", "S-004", "C-001"


def bids_of(folder: Path) -> dict[str, dict[str, Any]]:
    """What each bidder of an example offers in the end, by NN."""
    found = {}
    for each in sorted((folder / "bidders").iterdir()):
        last = each / "second" if (each / "second").exists() else each
        found[each.name] = json.loads((last / "bid.json").read_text("utf-8"))
    return found


@dataclass
class Stage:
    """One lot. `frozen` are the bidders in the freeze list, `valid` those opened. Trustees may be `absent`,
    `lying` (wrong shares) or `silent` (ready, and then nothing)."""

    folder: Path = ROAD
    seed: int = 1
    frozen: Sequence[str] = ()
    valid: Sequence[str] = ()
    lying: Sequence[str] = ()
    absent: Sequence[str] = ()
    silent: Sequence[str] = ()
    change: Callable[[dict[str, Any]], None] = lambda document: None
    lot: str = ""
    bids: dict[str, str] = field(default_factory=dict)
    people: dict[str, P256Signer] = field(default_factory=dict)
    people_of: dict[int, Actor] = field(default_factory=dict)
    withheld: dict[tuple[int, int], str] = field(default_factory=dict)
    secrets: dict[str, bytes] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.entropy = SeededEntropy(self.seed)
        self.world = DemoWorld(flowing=False, entropy=self.entropy)
        self.database: Database = open_memory()
        self.document = json.loads((self.folder / "tender.json").read_text("utf-8"))
        self.change(self.document)
        self.offers = bids_of(self.folder)
        self.frozen = self.frozen or tuple(self.offers)
        self.valid = self.valid or tuple(self.frozen)
        self.authority = certificates.Authority.create(
            "CA", key=self._key(), serial=1, not_before=LONG[0], not_after=LONG[1]
        )
        self.owner = (self.document["owner"]["name"], self.document["owner"]["uscc"])
        for uscc in (self.owner[1], CENTRE[1], SUPERVISOR[1]):
            self.people[uscc] = self._person(uscc)
        self.log = Ed25519Signer.generate(entropy=self.entropy)
        self.hall = self._hall()
        self.sequencer = Sequencer(
            self.database, world=self.world, origin=ORIGIN, signer=self.log, cover_secret=bytes(32)
        )

    @property
    def now(self) -> datetime:
        return self.world.now()

    def actor(self, role: Role, organisation: str = "", person: str = "") -> Actor:
        own = {Role.OWNER: self.owner[1], Role.CENTRE: CENTRE[1], Role.SUPERVISOR: SUPERVISOR[1]}
        return Actor(person or f"{role.value}-{organisation}", organisation or own.get(role, ""), role, "::1", "test")

    async def do(self, run: Callable[..., Awaitable[Outcome]], cmd: Any, actor: Actor) -> Outcome:
        """Run one command in its own transaction, a millisecond after the one before."""
        self.world.advance(timedelta(milliseconds=1))
        return await self.database.write(lambda unit: run(cmd, actor=actor, now=self.now, unit=unit, hall=self.hall))

    async def tender(self) -> Tender:
        return (await self.database.read(lambda unit: tenders.load(unit, self.lot))).tender

    async def room(self) -> room.Room:
        return (await self.database.read(lambda unit: room.load(unit, self.lot))).room

    async def at(self, text: str) -> None:
        """Move the clock to a local time "MM-DD HH:MM" of 2026, and let the hall settle."""
        wanted = datetime.strptime(f"2026-{text} +0800", "%Y-%m-%d %H:%M %z")
        self.world.advance(wanted - self.now)
        await self.settle()

    async def settle(self) -> list[str]:
        """Sequence and let the clock act until nothing is owed; returns the kinds logged."""
        kinds: list[str] = []
        while True:
            await self.sequencer.sequence()
            logged = await self.tick()
            kinds += logged
            if not logged:
                return kinds

    async def tick(self) -> list[str]:
        """One turn of the clock, without the sequencer."""

        async def work(unit: Unit) -> list[str]:
            held = await tenders.load(unit, self.lot)
            _, logged = await clock.run_due(unit, held, now=self.now, hall=self.hall)
            return [each.act["kind"] for each in logged]

        self.world.advance(timedelta(milliseconds=10))
        return await self.database.write(work)

    async def act(self, kind: str, fields: dict[str, Any], role: str = "clockwork") -> str:
        """An act of the opening, of a trustee or of the clock of another room."""

        async def work(unit: Unit) -> str:
            held = await tenders.load(unit, self.lot)
            tender_id = held.tender.tender_id
            logged = await journal.hall_act(
                unit, hall=self.hall, lot=self.lot, tender_id=tender_id, kind=kind, fields=fields, now=self.now,
                role=role,
            )  # fmt: skip
            await tenders.fold_in(unit, held, logged, now=self.now)
            return logged.leaf

        return await self.database.write(work)

    async def object(self, kind: str, value: Any, *, public: bool = True) -> str:
        return await self.database.write(
            lambda unit: journal.keep_object(unit, lot=self.lot, kind=kind, data=jcs.dumps(value), public=public)
        )

    async def publish(self) -> None:
        """Register everybody, import the register, publish the lot."""
        await self.database.write(self._enlist)
        agent = self.document["agent"]
        trade = self.actor(Role.AGENT, agent["uscc"]) if agent else self.actor(Role.OWNER)
        entered = await self.do(entry.enter_tender, entry.EnterTender(self.document, []), trade)
        accepted = await self.do(
            entry.accept_entry, entry.AcceptEntry(str(entered.result["entry"]), C001), self.actor(Role.CENTRE)
        )
        self.lot = str(accepted.result["lot"])
        draft = await self.do(notice.publish_tender, notice.PublishTender(self.lot), trade)
        assert draft.sign is not None
        key = self._person(trade.organisation, trade.role.value)
        signed = signing.sign_act(draft.sign, signer=key, by=trade.role.value)
        await self.do(notice.publish_tender, notice.PublishTender(self.lot, signed), trade)

    async def import_pool(self, data: bytes | None = None) -> Outcome:
        register = data or (self.folder / "experts.csv").read_bytes()
        cmd = pool.ImportPool("experts.csv", base64.b64encode(register).decode(), C003)
        return await self.do(pool.import_pool, cmd, self.actor(Role.CENTRE))

    async def submit(self) -> None:
        """A submit act of every bidder of the freeze."""
        self.world.advance(timedelta(hours=1))
        for number in self.frozen:
            bid = sha256(f"bid/{number}".encode()).hexdigest()
            uscc = self.offers[number]["uscc"]
            fields = {"lot": self.lot, "version": 1, "headers": [bid, bid], "d": bid, "bid": bid}
            tender_id = (await self.tender()).tender_id
            logged = await self.database.write(
                lambda unit, fields=fields, uscc=uscc, tender_id=tender_id: journal.private_act(
                    unit, hall=self.hall, lot=self.lot, tender_id=tender_id, kind="submit", fields=fields,
                    actor=self.actor(Role.BIDDER, uscc), now=self.now,
                )
            )  # fmt: skip
            self.bids[number] = bid
            self.secrets[number] = bytes.fromhex(logged.leaf)

    async def request(self, actor: Actor | None = None) -> Outcome:
        cmd = draw.RequestDraw(self.lot, power=None if actor else C003)
        return await self.do(draw.request_draw, cmd, actor or self.actor(Role.CENTRE))

    async def contribute(self, role: Role, **changed: Any) -> Outcome:
        """A lawful contribution of one contributor, or one with another draw_id, contributor or signer."""
        tender, attempt = await self.tender(), (await self.room()).attempt
        actor = self.actor(role)
        key = self.people[actor.organisation]
        made = contribution.make(
            draw_id=changed.get("draw_id", bytes.fromhex(attempt.draw_id)),
            tender_id=bytes.fromhex(tender.tender_id),
            contributor=changed.get("contributor", draw.CONTRIBUTOR[role]),
            roster=Roster.decode(bytes.fromhex(tender.roster)),
            signer=changed.get("signer", key),
            spki=signing.certificate_spki(key.certificate),
            entropy=self.entropy,
        )
        power = {Role.CENTRE: C003, Role.SUPERVISOR: S004}.get(role)
        raw = base64.b64encode(made.header).decode()
        return await self.do(
            draw.contribute_to_draw, draw.ContributeToDraw(self.lot, raw, made.signature.hex(), power), actor
        )

    async def drawn(self) -> None:
        """Request, three contributions, close."""
        await self.request()
        for role in (Role.CENTRE, Role.SUPERVISOR, Role.OWNER):
            await self.contribute(role)
        await self.do(draw.run_draw, draw.RunDraw(self.lot, C003), self.actor(Role.CENTRE))

    async def freeze(self) -> str:
        """Close and freeze at the deadline."""
        tender = await self.tender()
        self.world.advance(tender.deadline + timedelta(seconds=tender.settle_s) - self.now)
        close = await self.act("close", {"deadline": stamp(tender.deadline)})
        rows = [
            {"bid": self.bids[nn], "submission": self.secrets[nn].hex(), "headers": [self.bids[nn]] * 2}
            for nn in sorted(self.frozen, key=lambda one: self.bids[one])
        ]
        listed = await self.object("list", rows)
        fields = {"close": close, "n": len(rows), "list_hash": listed, "supplements": None}
        return await self.act("freeze", fields)

    async def release(self) -> None:
        """READY of everybody, then shares of the draw's contributions: absent trustees are silent, lying ones lie."""
        attempt, tender = (await self.room()).attempt, await self.tender()
        raw = {}
        for given in attempt.contributions.values():
            data = await self.database.read(lambda unit, name=given.header: tenders.object_bytes(unit, self.lot, name))
            raw[given.header] = header.parse_contribution(data)
        places = [(number, at + 1, one[0]) for number in (0, 1) for at, one in enumerate(TRUSTEES[3 * number :][:3])]
        here = [place for place in places if place[2] not in self.absent]
        for number, index, who in here:
            fields = {"trustee": f"t-{who}", "lock": number, "index": index, "freeze": tender.freeze}
            told = {"checkpoint": {"size": 1, "root": "0" * 64}, "draws": [attempt.close], "complaints": []}
            await self.act("ready", {**fields, **told, "refusal": None}, "trustee")
        roster = Roster.decode(bytes.fromhex(tender.roster))
        for number, index, who in (place for place in here if place[2] not in self.silent):
            secret = self.secrets[roster.locks[number].keys[index - 1].hex()]
            shares = [
                {"header": name, "share": bytes(32).hex() if who in self.lying
                 else lock.share_of(each, number, index, secret).hex()}
                for name, each in sorted(raw.items())
                if self.withheld.get((number, index)) != name
            ]  # fmt: skip
            named = await self.object("shares", {"record": [], "documents": [], "draws": shares})
            fields = {"trustee": f"t-{who}", "lock": number, "index": index, "freeze": tender.freeze}
            await self.act("release", {**fields, "shares_hash": named}, "trustee")

    async def open(self) -> None:
        """The last verdict and the opening record."""
        tender = await self.tender()
        fields = {"freeze": tender.freeze, "valid": len(self.valid)}
        await self.act("verdict", {**fields, "verdicts_hash": await self.object("verdicts", [])}, "opening")
        rows = [
            {
                "bid": self.bids[nn],
                "version": 1,
                "bidder": {"name": self.offers[nn]["name"], "uscc": self.offers[nn]["uscc"]},
                **{name: self.offers[nn][name] for name in ("price_fen", "period_days", "quality", "leader")},
                "price_words": "",
                "secrets": [],
            }
            for nn in sorted(self.valid, key=lambda one: self.bids[one])
        ]
        named = await self.object("record", rows)
        await self.act("opened", {"freeze": tender.freeze, "record_hash": named, "n": len(rows)}, "opening")

    async def seated(self) -> None:
        """Everything up to five invitations and an opened lot."""
        await self.publish()
        await self.import_pool()
        await self.submit()
        await self.at("03-20 09:00")
        await self.drawn()
        await self.freeze()
        await self.release()
        await self.settle()
        await self.open()

    async def member(self, seat: int) -> Actor:
        if seat in self.people_of:
            return self.people_of[seat]
        return Actor((await self.room()).of(seat).person, "", Role.EXPERT, "::1", "test")

    async def sign_in(self, seat: int, **declared: bool) -> Outcome:
        invitation = (await self.room()).of(seat).invitation
        told = {"no_interest": True, "discipline": True, **declared}
        cmd = doorway.SignIn(**told, invitation=str(invitation))
        return await self.do(doorway.sign_in, cmd, await self.member(seat))

    async def everybody(self) -> None:
        """Every seat signs in."""
        for seat in (await self.room()).seats:
            await self.sign_in(seat.seat)

    def marks(self, seat: int) -> list[scoring.SavedMark]:
        """What scores.csv gives this seat for the opened bids."""
        with (self.folder / "scores.csv").open(encoding="utf-8", newline="") as lines:
            rows = [row for row in csv.DictReader(lines) if int(row["seat"]) == seat and row["bidder"] in self.valid]
        return [scoring.SavedMark(self.bids[row["bidder"]], row["item"], row["points"]) for row in rows]

    async def save(self, seat: int, marks: list[scoring.SavedMark] | None = None, revision: int = 0) -> Outcome:
        cmd = scoring.SaveSheet(self.lot, revision, self.marks(seat) if marks is None else marks)
        return await self.do(scoring.save_sheet, cmd, await self.member(seat))

    async def lock(self, seat: int) -> Outcome:
        return await self.do(scoring.lock_sheet, scoring.LockSheet(self.lot), await self.member(seat))

    async def scored(self) -> None:
        """Everybody signs in, marks, locks; the clock publishes."""
        await self.everybody()
        for seat in (await self.room()).seats:
            await self.save(seat.seat)
            await self.lock(seat.seat)
        await self.settle()

    async def vote_out(self, number: str, seats: Sequence[int], clause: str = "Q1") -> Outcome:
        reason = "not_qualified"
        for seat in seats:
            cmd = review.RejectBid(self.lot, self.bids[number], True, reason, clause, "缺少资质证书原件,不符合要求")
            done = await self.do(review.reject_bid, cmd, await self.member(seat))
        return done

    async def sign(self, seat: int, **told: Any) -> Outcome:
        return await self.do(report.sign_report, report.SignReport(self.lot, **told), await self.member(seat))

    async def event(self, kind: str) -> list[dict[str, Any]]:
        return await self.database.read(lambda unit: unit.event.find({"lot": self.lot, "kind": kind}, order=("at",)))

    async def index(self, event: str) -> int:
        rows = await self.database.read(lambda unit: unit.ledger.find({"pending": event}))
        return int(rows[0]["idx"])

    async def json(self, name: str) -> Any:
        return await self.database.read(lambda unit: tenders.object_json(unit, self.lot, name))

    def number(self, bid: str) -> str:
        return {value: key for key, value in self.bids.items()}[bid]

    def _key(self) -> Any:
        return signing.new_p256(entropy=self.entropy)

    def _person(self, uscc: str, name: str = "member") -> P256Signer:
        if uscc in self.people:
            return self.people[uscc]
        key = self._key()
        made = self.authority.issue(
            certificates.request(name, uscc, key=key), serial=2, not_before=LONG[0], not_after=LONG[1]
        )
        return self.people.setdefault(uscc, P256Signer(key, made))

    def _hall(self) -> Hall:
        witnesses = tuple(
            note.Witness(name, group, note.VerifierKey(name, note.COSIGNATURE, self._ed().key))
            for name, group in (("w1", "operation"), ("w2", "supervision"))
        )
        spki = {side: signing.certificate_spki(self.people[org[1]].certificate)
                for side, org in (("centre", CENTRE), ("supervision", SUPERVISOR))}  # fmt: skip
        anchors = trust.load(
            trust.dump(
                hall=CENTRE[0],
                log=note.VerifierKey(ORIGIN, note.LOG_SIGNATURE, self.log.key),
                witnesses=witnesses,
                quorum=2,
                trustee_roots={"centre": self._ed().key, "supervision": self._ed().key},
                ca_roots=(self.authority.certificate,),
                contributors=spki,
            )
        )
        return Hall(
            name=CENTRE[0], uscc=CENTRE[1], region="139900", platform="E1399000001", origin=ORIGIN, duty=self._ed(),
            trust=anchors, rulebooks=(construction.NATIONAL,), entropy=self.entropy, authority=self.authority,
        )  # fmt: skip

    def _ed(self) -> Ed25519Signer:
        return Ed25519Signer.generate(entropy=self.entropy)

    async def _enlist(self, unit: Unit) -> None:
        made = [
            Organisation(*map(str, reversed(self.owner)), roles=frozenset({Role.OWNER})),
            Organisation(CENTRE[1], CENTRE[0], roles=frozenset({Role.CENTRE})),
            Organisation(SUPERVISOR[1], SUPERVISOR[0], government=True, roles=frozenset({Role.SUPERVISOR})),
            *(Organisation(bid["uscc"], bid["name"], roles=frozenset({Role.BIDDER})) for bid in self.offers.values()),
        ]
        if self.document["agent"]:
            agent = self.document["agent"]
            made.append(Organisation(agent["uscc"], agent["name"], roles=frozenset({Role.AGENT})))
        known = {one.uscc for one in made}
        made += [Organisation(org[1], org[0]) for _, _, org in TRUSTEES if org and org[1] not in known]
        await graphs.keep(unit, graphs.Graph(tuple(made)))
        await parties.keep_certificate(unit, self.owner[1], self.people[self.owner[1]].certificate)
        keys = {"room": self._ed().key.hex(), "verifier": self._ed().key.hex()}
        await unit.setting.insert({"name": "verdict_keys", "body": keys})
        for seat, group, organisation in (*TRUSTEES, ("room", "", CENTRE), ("verifier", "", CENTRE)):
            name = seat if not group else f"t-{seat}"
            uscc = (organisation or self.owner)[1]
            secret, public = hpke.derive_key_pair(self.entropy(32))
            self.secrets[public.hex()] = secret
            await unit.prekey.insert({"key": public.hex(), "trustee": name, "tender_id": "", "body": {}})
            if group:
                act = {
                    "trustee": name, "organisation": {"name": seat, "uscc": uscc}, "seat": seat, "group": group,
                    "key": "0" * 64, "signatures": [{"by": "root_centre"}, {"by": "root_supervision"}],
                }  # fmt: skip
                row = {"id": name, "organisation": uscc, "state": "certified", "body": {"act": act}}
                await unit.trustee.insert(row)


OPENED = ("01", "02", "03", "04", "05", "06", "07", "08", "09")
FROZEN = (*OPENED, "10")


@pytest.fixture
def stage() -> Stage:
    """The road's lot, nothing done yet: ten bids in the freeze, nine opened, one trustee absent, one lying."""
    return Stage(frozen=FROZEN, valid=OPENED, absent=("centre",), lying=("independent",))


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
async def seated(stage: Stage) -> Stage:
    """Register imported, panel drawn and invited, lot opened."""
    await stage.seated()
    return stage


@pytest.fixture
def other() -> Stage:
    """The other road: five bids, nothing special."""
    return Stage(folder=OTHER, seed=2)


@pytest.fixture
def golden() -> Callable[[str], Any]:
    """What a lot must give, by the name of its example."""
    return lambda name: json.loads((ROOT / "tests" / "golden" / f"{name}.json").read_text("utf-8"))
