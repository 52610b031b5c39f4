"""A small hall in memory for the tests of bidding: real acts and log, two witnesses, six trustees, honest clients."""

from __future__ import annotations

import copy
import hashlib
import io
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec

from bidding import announcement, clock, commands, opening_keys, trustee_commands, uploads
from bidding.opening_keys import Desk, FileVault
from crypto import release, signing
from crypto.ledger import acts, note
from crypto.ledger.whole_log import WholeLog
from crypto.opening.examination import Evidence, Trustee
from crypto.roster import Roster
from crypto.sealing import envelope, manifest, prekeys
from crypto.sealing import header as headers
from storage import memory
from storage.blobs import FileBlobs
from storage.ledger import Ledger
from storage.sequencer import Sequencer
from storage.unit import Database, Unit
from storage.world import DemoWorld, SeededEntropy
from tests.bidding.evidence_read import shown
from tests.bidding.lawful import CENTRE, GROUPS, LAWFUL, ORIGIN, OWNER, PUBLISHED, REGULATOR
from tests.bidding.people import Agent, Company, Keys, Sealed
from trading import clock as trading_clock
from trading import journal, tenders
from trading.commands import entry, notice, parties
from trading.hall import Hall
from trading.journal import Outcome
from trading.markets.construction import NATIONAL
from trading.people import graphs, organisations
from trading.people.organisations import Organisation
from trading.roles import Actor, Role
from trading.tender import Tender


class Stage:
    """A hall at work. `now` moves only by `until` and `wait`."""

    def __init__(self, keys: Keys, folder: Path, *, database: Database | None = None, seed: str = "stage") -> None:
        self.keys = keys
        self.world = DemoWorld(start=PUBLISHED, flowing=False, entropy=SeededEntropy(seed), monotonic=lambda: 0.0)
        self.database = database or memory.open_memory()
        self.ledger = Ledger(self.database)
        self.blobs = FileBlobs(folder / "blobs")
        self.sequencer = Sequencer(
            self.database, world=self.world, origin=ORIGIN, signer=keys.log, cover_secret=bytes(32)
        )
        self.hall = Hall(
            name="青岚",
            uscc=CENTRE,
            region="510100",
            platform="E5101000001",
            origin=ORIGIN,
            duty=keys.duty,
            trust=keys.trust,
            rulebooks=(NATIONAL,),
            entropy=self.world.entropy,
            authority=keys.authority,
        )
        self.room = Desk("room", keys.room, FileVault(folder / "room"))
        self.verifier = Desk("verifier", keys.verifier, FileVault(folder / "verifier"))
        self.lot = ""
        self.agents = {
            id_: Agent(Trustee(id_, prekeys.secrets_of(own)), signer, WholeLog(id_))
            for id_, (_, _, _, signer, own) in keys.trustees.items()
        }

    @property
    def now(self) -> datetime:
        return self.world.now()

    def until(self, at: datetime) -> None:
        if at > self.now:
            self.world.advance(at - self.now)

    def wait(self, seconds: float) -> None:
        self.world.advance(timedelta(seconds=seconds))

    async def do(self, run: Callable[..., Awaitable[Outcome]], cmd: Any, actor: Actor) -> Outcome:
        """One command in one unit of work."""
        return await self.database.write(lambda unit: run(cmd, actor=actor, now=self.now, unit=unit, hall=self.hall))

    async def sign(
        self, run: Callable[..., Awaitable[Outcome]], cmd: Any, actor: Actor, signer: signing.Signer, by: str
    ) -> Outcome:
        """A verb whose act a person signs: asked, signed, posted again."""
        asked = await self.do(run, cmd, actor)
        assert asked.sign is not None
        signed = signing.sign_act(asked.sign, signer=signer, by=by)
        return await self.do(run, msgspec.structs.replace(cmd, signed=signed), actor)

    async def set_up(self) -> None:
        """Organisations, keys and trustees, as a hall logs them."""

        async def enlist(unit: Unit) -> None:
            keys = self.keys
            found = [
                Organisation(OWNER, keys.owner.name, roles=frozenset({Role.OWNER})),
                Organisation(CENTRE, keys.centre.name, roles=frozenset({Role.CENTRE})),
                Organisation(REGULATOR, keys.regulator.name, government=True, roles=frozenset({Role.SUPERVISOR})),
                *(Organisation(one.uscc, one.name, roles=frozenset({Role.BIDDER})) for one in keys.bidders),
            ]
            seated = {uscc for _, _, uscc, _, _ in keys.trustees.values()} - {one.uscc for one in found}
            found += [Organisation(uscc, uscc) for uscc in sorted(seated)]
            await graphs.keep(unit, organisations.changed(await graphs.load(unit), organisations=found))
            await parties.keep_certificate(unit, OWNER, keys.owner.signer.certificate)
            for purpose, side in (("duty", "centre"), ("room", "centre"), ("verifier", "supervision")):
                key = getattr(keys, purpose).key.hex()
                await self._hall_act(
                    unit, "key", {"purpose": purpose, "key": key}, [(f"root_{side}", keys.roots[side])]
                )
            told = {"room": keys.room.key.hex(), "verifier": keys.verifier.key.hex()}
            await unit.setting.insert({"name": "verdict_keys", "body": told})
            for id_, (lock, seat, uscc, signer, _) in keys.trustees.items():
                act = await self._hall_act(
                    unit,
                    "trustee",
                    {
                        "trustee": id_,
                        "organisation": {"name": id_, "uscc": uscc},
                        "seat": seat,
                        "group": GROUPS[lock],
                        "key": signer.key.hex(),
                    },
                    [(f"root_{side}", root) for side, root in keys.roots.items()],
                )
                row = {"id": id_, "organisation": uscc, "state": "certified", "body": {"act": dict(act)}}
                await unit.trustee.insert(row)
            for desk in (self.room, self.verifier):
                await opening_keys.stock(unit, desk, entropy=self.world.entropy, count=2)

        await self.database.write(enlist)
        for id_, (_, _, _, signer, own) in self.keys.trustees.items():
            fields = prekeys.act_fields(id_, own)
            cmd = trustee_commands.PreKeys(msgspec.convert(fields, trustee_commands.PreKeysAct))
            await self.sign(trustee_commands.pre_keys, cmd, ANYBODY, signer, "trustee")
        # What certifies a roster stands in the log before the tender that uses it.
        await self.sequence()

    async def publish(self, **sealing: Any) -> Tender:
        """A published tender of the lawful document."""
        document = copy.deepcopy(LAWFUL)
        document["sealing"] |= sealing
        owner, centre = self.keys.owner, self.keys.centre
        entered = await self.do(entry.enter_tender, entry.EnterTender(document, []), owner.actor)
        power = "C-001"
        accepted = await self.do(entry.accept_entry, entry.AcceptEntry(entered.result["entry"], power), centre.actor)
        self.lot = accepted.result["lot"]
        await self.sign(notice.publish_tender, notice.PublishTender(self.lot), owner.actor, owner.signer, "owner")
        await self.sequence()
        return await self.tender()

    async def tender(self) -> Tender:
        return (await self.database.read(lambda unit: tenders.load(unit, self.lot))).tender

    async def act(self, kind: str) -> dict[str, Any]:
        """The last public act of a kind."""
        rows = await self.database.read(
            lambda unit: unit.event.find({"lot": self.lot, "kind": kind}, order=("-seq",), limit=1)
        )
        assert rows, f"no {kind} yet"
        return dict(rows[0]["body"])

    async def object(self, name: str) -> Any:
        return await self.database.read(lambda unit: tenders.object_json(unit, self.lot, name))

    async def seal(
        self,
        company: Company,
        *,
        price_fen: int = 500_000_000,
        version: int = 1,
        files: Mapping[str, bytes] | None = None,
        roster: Roster | None = None,
        tender_id: bytes | None = None,
        forge: Callable[[dict[str, Any]], None] | None = None,
    ) -> Sealed:
        """An honest bid; `forge` may change a manifest before it is sealed."""
        tender = await self.tender()
        contents = files if files is not None else {"技术标.pdf": f"how {company.uscc} builds".encode()}
        opening = manifest.OpeningList(price_fen, 120, "合格", "李工", "川1512020202100001")
        salt, bid_nonce = self.world.entropy(32), self.world.entropy(16)
        found, bodies, secrets = [], [], []
        for number in (0, 1):
            here = contents if number else {}
            facts = [
                manifest.FileFacts(name, "application/pdf", len(data), hashlib.sha256(data).digest())
                for name, data in here.items()
            ]
            page = manifest.build(
                lot=self.lot,
                envelope=number,
                bidder=manifest.Bidder(company.name, company.uscc),
                salt=salt,
                files=facts,
                opening_list=None if number else opening,
            )
            if forge is not None:
                forge(page)
            segments: list[bytes] = []
            sealed = envelope.seal(
                tender_id=tender_id or bytes.fromhex(tender.tender_id),
                envelope=number,
                roster=roster or Roster.decode(bytes.fromhex(tender.roster)),
                signer=company.signer.private,
                spki=company.spki,
                salt=salt,
                bid_nonce=bid_nonce,
                version=version,
                manifest=page,
                files=[lambda data=data: io.BytesIO(data) for data in here.values()],  # type: ignore[misc]
                entropy=self.world.entropy,
                sink=segments.append,
            )
            found.append(sealed.header)
            bodies.append(tuple(segments))
            secrets.append(sealed.secrets)
        return Sealed(company, version, tuple(found), tuple(bodies), tuple(secrets), salt)

    async def upload(self, sealed: Sealed) -> None:
        """Put every segment of every envelope."""
        sealed.uploads = []
        for segments in sealed.bodies:
            leaves = [hashlib.sha256(each).hexdigest() for each in segments]
            cmd = uploads.BeginUpload(self.lot, sum(map(len, segments)), leaves)
            begun = await self.do(uploads.begin, cmd, sealed.company.actor)
            sealed.uploads.append(begun.result["id"])
            for number in begun.result["missing"]:
                await self.put(sealed.company, begun.result["id"], number, segments[number])

    async def put(self, company: Company, upload: str, number: int, data: bytes) -> None:
        place = await self.database.read(
            lambda unit: uploads.slot(unit, upload, number, actor=company.actor, now=self.now, hall=self.hall)
        )
        await uploads.put(self.database, self.blobs, place, data, actor=company.actor)

    async def submit(self, sealed: Sealed, **changes: Any) -> Outcome:
        return await self.do(commands.submit, sealed.command(**changes), sealed.company.actor)

    async def hand_in(self, company: Company, **seal: Any) -> Sealed:
        """Seal, upload, submit."""
        sealed = await self.seal(company, **seal)
        await self.upload(sealed)
        await self.submit(sealed)
        return sealed

    async def withdraw(self, sealed: Sealed, *, company: Company | None = None) -> Outcome:
        signer = company or sealed.company
        signature = envelope.sign_withdraw(
            signer.signer.private,
            tender_id=sealed.headers[0].tender_id,
            version=sealed.version,
            digest=headers.submit_digest(sealed.headers),
        )
        cmd = commands.WithdrawBid(self.lot, sealed.version, signature.hex(), signer.certificate)
        return await self.do(commands.withdraw, cmd, signer.actor)

    async def sequence(self) -> None:
        """A batch for whatever waits (and a cover leaf otherwise), cosigned by both witnesses."""
        await self.sequencer.sequence(leaves_min=1)
        head = await self.ledger.head()
        assert head is not None
        for name, signer in self.keys.witnesses.items():
            line = note.cosign(head.note, name=name, signer=signer, at=self.now)
            await self.ledger.cosign(str(line), witnesses=self.keys.trust.witnesses, now=self.now)

    async def tick(self) -> list[str]:
        """What the clock owes, then a batch; returns the kinds of the acts."""

        async def work(unit: Unit) -> list[str]:
            held, ours = await clock.run_due(unit, await tenders.load(unit, self.lot), now=self.now, hall=self.hall)
            _, theirs = await trading_clock.run_due(unit, held, now=self.now, hall=self.hall)
            return [str(each.act["kind"]) for each in (*ours, *theirs)]

        done = await self.database.write(work)
        opened = await announcement.run_due(
            self.database,
            self.lot,
            now=self.now,
            hall=self.hall,
            blobs=self.blobs,
            room=self.room,
            verifier=self.verifier,
        )
        await self.sequence()
        return done + [str(each.act["kind"]) for each in opened]

    async def freeze(self) -> Tender:
        """Past the deadline: close, then freeze."""
        self.until((await self.tender()).deadline + timedelta(seconds=60))
        await self.tick()
        self.wait(1)
        await self.tick()
        return await self.tender()

    async def read_log(self, agent: Agent) -> None:
        head = await self.ledger.head()
        assert head is not None
        leaves = await self.ledger.entries(agent.log.size, head.size)
        agent.log = agent.log.advance(leaves, note.verify_quorum(head.note, self.keys.trust))

    async def shown(self, id_: str) -> Evidence:
        return await shown(self, id_)

    async def trustee(self, id_: str, *, act: Callable[[release.Step], release.Step] | None = None) -> release.Step:
        """One step of one agent: it reads the log, decides, and does what it decided at the hall's door."""
        agent = self.agents[id_]
        await self.read_log(agent)
        tender = await self.tender()
        step = release.next_step(
            agent.trustee,
            bytes.fromhex(tender.tender_id),
            agent.log,
            await self.shown(id_),
            agent.memory,
            self.keys.trust,
            now=self.now,
            entropy=self.world.entropy,
        )
        step = act(step) if act else step
        agent.steps.append(step)
        match step:
            case release.SaysReady(fields, remembered, _):
                agent.memory = remembered
                await self._trustee_act(trustee_commands.ready, trustee_commands.Ready(self.lot, _ready(fields)), agent)
            case release.Refuses(_, _, fields) if fields is not None:
                await self._trustee_act(trustee_commands.ready, trustee_commands.Ready(self.lot, _ready(fields)), agent)
            case release.Releases(fields, shares, remembered):
                agent.memory = remembered
                cmd = trustee_commands.Release(
                    self.lot, msgspec.convert(dict(fields), trustee_commands.ReleaseAct), msgspec.json.decode(shares)
                )
                await self._trustee_act(trustee_commands.release, cmd, agent)
            case _:
                pass
        await self.sequence()
        return step

    async def trustees(self, *, absent: Sequence[str] = ("t-notary", "t-independent")) -> None:
        """READY of everybody present, then their releases."""
        self.wait(300)
        await self.sequence()
        here = [id_ for id_ in self.agents if id_ not in absent]
        for _ in range(2):
            for id_ in here:
                await self.trustee(id_)

    async def three(self) -> list[Sealed]:
        """The fewest bids that are opened."""
        return [await self.hand_in(one, price_fen=500_000_000 + n) for n, one in enumerate(self.keys.bidders[:3])]

    async def open(self, *, absent: Sequence[str] = ("t-notary", "t-independent")) -> Tender:
        """From the freeze to the announcement."""
        await self.freeze()
        await self.trustees(absent=absent)
        await self.tick()
        return await self.tender()

    async def verdicts(self) -> dict[str, dict[str, Any]]:
        return {row["bid"]: row for row in await self.object((await self.act("verdict"))["verdicts_hash"])}

    async def record(self) -> dict[str, dict[str, Any]]:
        return {row["bid"]: row for row in await self.object((await self.act("opened"))["record_hash"])}

    async def _trustee_act(self, run: Callable[..., Awaitable[Outcome]], cmd: Any, agent: Agent) -> None:
        await self.sign(run, cmd, ANYBODY, agent.signer, "trustee")

    async def _hall_act(
        self, unit: Unit, kind: str, fields: Mapping[str, Any], signers: Sequence[tuple[str, signing.Signer]]
    ) -> Mapping[str, Any]:
        logged = await journal.hall_act(
            unit,
            hall=self.hall,
            lot="",
            tender_id=acts.HALL_TENDER_ID,
            kind=kind,
            fields=fields,
            now=self.now,
            role="root",
            signers=signers,
        )
        return logged.act


ANYBODY = Actor("anonymous", "", Role.PUBLIC, "192.0.2.9", "agent")


def _ready(fields: Mapping[str, Any]) -> trustee_commands.ReadyAct:
    return msgspec.convert(dict(fields), trustee_commands.ReadyAct)
