"""A compact hall in memory: roots, six trustees, witnesses, a log, bidders who seal small bids, and the agents.

Everything goes through the real modules; what a dishonest hall, bidder or trustee would do is done by arguments.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from crypto import certificates, contribution, jcs, lottery, release, roster, signing, trust
from crypto.ledger import acts, merkle, note, receipt, whole_log
from crypto.ledger.whole_log import WholeLog
from crypto.opening import ceremony, combine, frozen
from crypto.opening.examination import Evidence, Memory, Trustee
from crypto.sealing import envelope, hpke, manifest, prekeys
from crypto.sealing.header import Header

START = datetime(2026, 3, 2, 1, tzinfo=UTC)
DEADLINE = datetime(2026, 3, 23, 1, tzinfo=UTC)
ORIGIN = "hall.example/ledger/rehearsal"
LOT = "E4401000001001001000001"
SEATS = (("owner", "centre", "notary"), ("regulator", "inspector", "independent"))
GROUPS = ("operation", "supervision")


def seeded(seed: str) -> Callable[[int], bytes]:
    drawn = 0

    def draw(length: int) -> bytes:
        nonlocal drawn
        drawn += 1
        return hashlib.shake_256(f"{seed}/{drawn}".encode()).digest(length)

    return draw


def uscc(number: int) -> str:
    return f"9144010{number:011d}"


@dataclass
class Organisation:
    name: str
    uscc: str
    signer: signing.P256Signer

    @property
    def spki(self) -> bytes:
        return signing.certificate_spki(self.signer.certificate)


@dataclass
class Bid:
    """One version as the bidder made it and as the ledger holds it."""

    bidder: Organisation
    version: int
    headers: tuple[Header, ...]
    secrets: tuple[tuple[bytes, ...], ...]
    salt: bytes
    signature: bytes
    evidence: frozen.PrivateEvidence
    salt_c: bytes
    confidential: Mapping[str, Any]

    @property
    def bid(self) -> bytes:
        return self.headers[0].bid_id()

    @property
    def digest(self) -> bytes:
        return envelope.submit_digest(self.headers)


@dataclass
class Agent:
    """A trustee's agent: what it keeps between two looks at the log."""

    world: World
    trustee: Trustee
    signer: signing.Ed25519Signer
    lock: int
    index: int
    memory: Memory = field(default_factory=Memory)
    log: WholeLog | None = None

    def read(self, checkpoint: note.Note | None = None) -> WholeLog:
        world = self.world
        quorum = note.verify_quorum(checkpoint or world.checkpoint(), world.trust)
        before = self.log or WholeLog(self.trustee.id)
        self.log = before.advance(world.leaves[before.size : quorum.checkpoint.size], quorum)
        return self.log

    def step(self, *, checkpoint: note.Note | None = None, now: datetime | None = None, **changes: Any) -> release.Step:
        log = self.read(checkpoint)
        return release.next_step(
            self.trustee,
            self.world.tender_id,
            log,
            self.world.evidence(log, **changes),
            self.memory,
            self.world.trust,
            now=now or self.world.now,
            entropy=self.world.entropy,
        )

    def says(self, step: release.Step) -> whole_log.Logged:
        """Logs what the step decided, signed by this agent."""
        assert isinstance(step, release.SaysReady | release.Releases | release.Refuses) and step.act is not None
        fields = dict(step.act)
        if not isinstance(step, release.Refuses):
            self.memory = step.memory
        if isinstance(step, release.Releases):
            self.world.objects[step.act["shares_hash"]] = step.shares
        draft = self.world.draft(fields.pop("kind"), fields, role="trustee")
        release.check_draft(step, self.world.tender_id, draft)
        return self.world.log_act(draft, [("trustee", self.signer)])


class World:
    """One hall, one tender. `now` is everybody's clock; `changes` to the TENDER act come with begin()."""

    def __init__(self, seed: str = "world") -> None:
        self.entropy = seeded(seed)
        self.now = START
        self.leaves: list[bytes] = []
        self.tree = merkle.Tree()
        self.chains: dict[str, list[bytes]] = {}
        self.objects: dict[str, bytes] = {}
        self.bids: list[Bid] = []
        self.withdrawals: list[frozen.Withdrawal] = []
        self.contributions: dict[bytes, bytes] = {}
        self.actor_prev: dict[str, str] = {}
        self._roots()
        self._trustees()
        self.begin()

    def _roots(self) -> None:
        self.ca = certificates.Authority.create(
            "演练证书机构",
            key=signing.new_p256(entropy=self.entropy),
            serial=1,
            not_before=datetime(2026, 1, 1, tzinfo=UTC),
            not_after=datetime(2036, 1, 1, tzinfo=UTC),
        )
        self.serial = 1
        self.log_key = signing.Ed25519Signer.generate(entropy=self.entropy)
        self.roots = {side: signing.Ed25519Signer.generate(entropy=self.entropy) for side in ("centre", "supervision")}
        self.duty, self.room, self.verifier = (signing.Ed25519Signer.generate(entropy=self.entropy) for _ in range(3))
        self.owner = self.organisation("业主", 1)
        self.centre = self.organisation("交易中心", 2)
        self.supervision = self.organisation("监督部门", 3)
        groups: tuple[tuple[str, note.Group], ...] = (
            ("witness-centre", "operation"),
            ("witness-regulator", "supervision"),
            ("witness-notary", "independent"),
        )
        self.witness_keys = {name: signing.Ed25519Signer.generate(entropy=self.entropy) for name, _ in groups}
        self.trust = trust.load(
            trust.dump(
                hall="演练",
                log=note.VerifierKey(ORIGIN, note.LOG_SIGNATURE, self.log_key.key),
                witnesses=tuple(
                    note.Witness(name, group, note.VerifierKey(name, note.COSIGNATURE, self.witness_keys[name].key))
                    for name, group in groups
                ),
                quorum=2,
                trustee_roots={side: signer.key for side, signer in self.roots.items()},
                ca_roots=(self.ca.certificate,),
                contributors={"centre": self.centre.spki, "supervision": self.supervision.spki},
            )
        )

    def _trustees(self) -> None:
        for purpose, signer, root in (
            ("duty", self.duty, "centre"),
            ("room", self.room, "centre"),
            ("verifier", self.verifier, "supervision"),
        ):
            self.hall("key", {"purpose": purpose, "key": signer.key.hex()}, [(f"root_{root}", self.roots[root])])
        self.agents: list[list[Agent]] = [[], []]
        self.pre_keys: dict[str, tuple[prekeys.PreKey, ...]] = {}
        for number, seats in enumerate(SEATS):
            for index, seat in enumerate(seats, 1):
                self.agents[number].append(self.enrol(f"{seat}-{number}", seat, number, index))

    def enrol(self, name: str, seat: str, number: int, index: int, **changes: Any) -> Agent:
        signer = signing.Ed25519Signer.generate(entropy=self.entropy)
        fields = {
            "trustee": name,
            "organisation": {"name": name, "uscc": uscc(100 + number * 10 + index)},
            "seat": seat,
            "group": GROUPS[number],
            "key": signer.key.hex(),
        }
        both = [(f"root_{side}", self.roots[side]) for side in ("centre", "supervision")]
        self.hall("trustee", fields | changes.pop("fields", {}), changes.pop("signers", both))
        keys = prekeys.derive(self.entropy(32), 0, 4)
        self.pre_keys[name] = keys
        made = prekeys.act_fields(name, keys)
        self.hall(made.pop("kind"), made, [("trustee", changes.pop("pre_key_signer", signer))])
        return Agent(self, Trustee(name, prekeys.secrets_of(keys)), signer, number, index)

    def organisation(self, name: str, number: int) -> Organisation:
        key = signing.new_p256(entropy=self.entropy)
        self.serial += 1
        certificate = self.ca.issue(
            certificates.request(name, uscc(number), key=key),
            serial=self.serial,
            not_before=datetime(2026, 1, 1, tzinfo=UTC),
            not_after=datetime(2030, 1, 1, tzinfo=UTC),
        )
        return Organisation(name, uscc(number), signing.P256Signer(key, certificate))

    # The ledger.

    def append(self, leaf: bytes) -> int:
        self.leaves.append(leaf)
        self.tree.extend([merkle.leaf_hash(leaf)])
        return len(self.leaves) - 1

    def draft(self, kind: str, fields: Mapping[str, Any], *, role: str = "clockwork", **common: Any) -> dict[str, Any]:
        chain = self.chains.setdefault(common.get("tender_id", self.tender_id.hex()), [])
        return {
            "v": 1,
            "kind": kind,
            "tender_id": self.tender_id.hex(),
            "seq": len(chain),
            "prev": chain[-1].hex() if chain else acts.FIRST_PREV,
            "at": ceremony.instant_text(self.now),
            "role": role,
            "power": None,
            "rule": None,
            "context": None,
            **fields,
            **common,
        }

    def log_act(
        self, draft: dict[str, Any], signers: Sequence[tuple[str, signing.Signer]], *, chained: bool = True
    ) -> whole_log.Logged:
        act = draft
        for by, signer in signers:
            act = signing.sign_act(act, signer=signer, by=by)
        leaf = acts.public_leaf(act)
        if chained:
            self.chains[act["tender_id"]].append(merkle.leaf_hash(leaf))
        return whole_log.Logged(self.append(leaf), merkle.leaf_hash(leaf), act)

    def hall(
        self, kind: str, fields: Mapping[str, Any], signers: Sequence[tuple[str, signing.Signer]]
    ) -> whole_log.Logged:
        self.tender_id = bytes(32)
        return self.log_act(self.draft(kind, fields, role="root"), signers)

    def by_duty(self, kind: str, fields: Mapping[str, Any], **common: Any) -> whole_log.Logged:
        return self.log_act(self.draft(kind, fields, **common), [("duty", self.duty)])

    def by_owner(self, kind: str, fields: Mapping[str, Any], **common: Any) -> whole_log.Logged:
        return self.log_act(self.draft(kind, fields, role="owner", **common), [("owner", self.owner.signer)])

    def by_supervisor(self, what: str) -> whole_log.Logged:
        fields = {"what": what, "reason": "核查", "power": "P-1"}
        return self.log_act(
            self.draft("directive", fields, role="supervisor"), [("supervisor", self.supervision.signer)]
        )

    def private(
        self, kind: str, fields: Mapping[str, Any], *, by: Organisation, at: datetime | None = None
    ) -> tuple[frozen.PrivateEvidence, bytes, dict[str, Any]]:
        public = {
            "v": 1,
            "kind": kind,
            "tender_id": self.tender_id.hex(),
            "at": ceremony.instant_text(at or self.now),
            "prev": self.actor_prev.get(by.uscc, acts.FIRST_PREV),
            "role": "bidder",
            "power": None,
            "rule": None,
            **fields,
        }
        confidential = {"person": "张三", "organisation": by.uscc, "address": "", "device": "", "source": ""}
        salt_p, salt_c = self.entropy(32), self.entropy(32)
        leaf = acts.private_leaf(public, confidential, salt_p, salt_c)
        self.actor_prev[by.uscc] = merkle.leaf_hash(leaf).hex()
        evidence = frozen.PrivateEvidence(public, salt_p, acts.part_hash(confidential, salt_c), self.append(leaf), ())
        return evidence, salt_c, confidential

    def checkpoint(
        self, size: int | None = None, *, at: datetime | None = None, witnesses: Sequence[str] | None = None
    ) -> note.Note:
        end = self.tree.size if size is None else size
        made = note.sign_checkpoint(note.Checkpoint(ORIGIN, end, self.tree.root(end)), signer=self.log_key)
        for name in witnesses if witnesses is not None else self.witness_keys:
            line = note.cosign(made, name=name, signer=self.witness_keys[name], at=at or self.now)
            made = made.with_line(line)
        return made

    # The tender.

    def begin(self, **changes: Any) -> None:
        """A new tender; the world's tender_id becomes its own."""
        rulebook = {"lock_1": [{"sector": "road", "organisations": [uscc(110 + index) for index in range(1, 4)]}]}
        self.rulebook = jcs.dumps(rulebook)
        number = changes.pop("key_number", 0)
        self.roster = changes.pop("roster", None) or roster.Roster(
            tuple(
                roster.Lock(2, tuple(self.pre_keys[agent.trustee.id][number].public for agent in agents))
                for agents in self.agents
            )
        )
        self.room_key, self.verifier_key = hpke.generate(entropy=self.entropy), hpke.generate(entropy=self.entropy)
        fields = {
            "lot": LOT,
            "unified_code": "X",
            "project": {"code": "E4401000001001", "name": "养护"},
            "name": "养护一标段",
            "owner": {"name": self.owner.name, "uscc": self.owner.uscc},
            "agent": None,
            "market": "construction",
            "region": "440100",
            "rehearsal": True,
            "rulebook": {"id": "construction", "hash": hashlib.sha256(self.rulebook).hexdigest()},
            "terms_hash": "0" * 64,
            "documents": [],
            "deadline": ceremony.instant_text(DEADLINE),
            "max_price_fen": None,
            "envelopes": [0, 1],
            "bids_min": 3,
            "settle_s": 60,
            "challenge_s": 300,
            "rescue_s": 600,
            "plaintext_max": 2**31,
            "roster": self.roster.encode().hex(),
            "seats": [[agent.trustee.id for agent in agents] for agents in self.agents],
            "opening_keys": {"room": self.room_key[1].hex(), "verifier": self.verifier_key[1].hex()},
            "verdict_keys": {"room": self.room.key.hex(), "verifier": self.verifier.key.hex()},
            "duty_key": self.duty.key.hex(),
            "contributors": {
                str(i): each.spki.hex() for i, each in enumerate((self.centre, self.supervision, self.owner), 1)
            },
            **changes,
        }
        self.tender_id = bytes(32)
        draft = self.draft("tender", fields, role="owner", seq=0, prev=acts.FIRST_PREV)
        self.tender_id = acts.tender_id(draft)
        self.chains[self.tender_id.hex()] = []
        draft["tender_id"] = self.tender_id.hex()
        self.log_act(draft, [("owner", self.owner.signer)])

    def bidder(self, number: int) -> Organisation:
        return self.organisation(f"投标人{number}", 1000 + number)

    def seal(self, bidder: Organisation, version: int = 1, **changes: Any) -> tuple[tuple[envelope.Sealed, ...], bytes]:
        salt, nonce = self.entropy(32), self.entropy(16)
        sealed = []
        for number in (0, 1):
            opening = manifest.OpeningList(100_000_00 + version, 180, "合格", "李工", "粤1") if number == 0 else None
            page = manifest.build(
                lot=LOT,
                envelope=number,
                bidder=manifest.Bidder(bidder.name, bidder.uscc),
                salt=salt,
                files=[],
                opening_list=opening,
            )
            given: dict[str, Any] = {
                "tender_id": self.tender_id,
                "roster": self.roster,
                "signer": bidder.signer.private,
                "spki": bidder.spki,
                "salt": salt,
                "bid_nonce": nonce,
                "version": version,
            }
            sealed.append(
                envelope.seal(
                    **(given | changes),
                    envelope=number,
                    manifest=page,
                    files=[],
                    entropy=self.entropy,
                    sink=lambda _: None,
                )
            )
        return tuple(sealed), salt

    def submit(
        self,
        bidder: Organisation,
        version: int = 1,
        *,
        at: datetime | None = None,
        spoil: Callable[[Header], Header] = lambda header: header,
        **changes: Any,
    ) -> Bid:
        sealed, salt = self.seal(bidder, version, **changes)
        headers = tuple(spoil(each.header) for each in sealed)
        return self.hand_in(bidder, headers, salt, version, tuple(each.secrets for each in sealed), at=at)

    def hand_in(
        self,
        bidder: Organisation,
        headers: tuple[Header, ...],
        salt: bytes,
        version: int,
        secrets: tuple[tuple[bytes, ...], ...],
        *,
        at: datetime | None = None,
    ) -> Bid:
        fields = {
            "lot": LOT,
            "version": version,
            "headers": [each.hash().hex() for each in headers],
            "d": envelope.submit_digest(headers).hex(),
            "bid": headers[0].bid_id().hex(),
        }
        evidence, salt_c, confidential = self.private("submit", fields, by=bidder, at=at)
        signature = envelope.sign_submit(bidder.signer.private, headers)
        bid = Bid(bidder, version, headers, secrets, salt, signature, evidence, salt_c, confidential)
        self.bids.append(bid)
        return bid

    def withdraw(self, bid: Bid, *, at: datetime | None = None) -> tuple[frozen.Withdrawal, bytes, dict[str, Any]]:
        signature = envelope.sign_withdraw(
            bid.bidder.signer.private, tender_id=self.tender_id, version=bid.version, digest=bid.digest
        )
        fields = {
            "version": bid.version,
            "d": bid.digest.hex(),
            "bid": bid.bid.hex(),
            "signature": signature.hex(),
        }
        evidence, salt_c, confidential = self.private("withdraw", fields, by=bid.bidder, at=at)
        withdrawal = frozen.Withdrawal(evidence, bid.bidder.signer.certificate)
        self.withdrawals.append(withdrawal)
        return withdrawal, salt_c, confidential

    def close(self, *, deadline: datetime = DEADLINE, at: datetime | None = None) -> whole_log.Logged:
        self.now = at or deadline + timedelta(seconds=60)
        self.closed = self.by_duty("close", {"deadline": ceremony.instant_text(deadline)})
        return self.closed

    def submitted(self, bids: Sequence[Bid] | None = None) -> list[frozen.Submitted]:
        return [
            frozen.Submitted(
                bid.evidence.leaf(),
                bid.evidence.index,
                ceremony.instant(bid.evidence.event["at"]),
                bid.bidder.uscc,
                bid.version,
                bid.bid,
                tuple(header.hash() for header in bid.headers),
            )
            for bid in (self.bids if bids is None else bids)
        ]

    def freeze(
        self, listed: Sequence[Bid] | None = None, *, supplements: whole_log.Logged | None = None
    ) -> whole_log.Logged:
        """An honest freeze of all bids but the withdrawn and replaced, or exactly of those given."""
        if listed is None:
            gone = [(each.private.event["version"], each.certificate) for each in self.withdrawals]
            withdrawn = [
                frozen.Withdrawn(b"", 0, START, certificates.read_subject(certificate).uscc, version)
                for version, certificate in gone
            ]
            entries = frozen.freeze_list(self.submitted(), withdrawn, close_index=self.closed.index, deadline=self.now)
        else:
            entries = tuple(sorted(self.submitted(listed), key=lambda each: each.bid))
        data = frozen.list_object(entries)
        self.list_hash = hashlib.sha256(data).hexdigest()
        self.objects[self.list_hash] = data
        fields = {
            "close": self.closed.leaf.hex(),
            "n": len(entries),
            "list_hash": self.list_hash,
            "supplements": supplements.leaf.hex() if supplements else None,
        }
        self.frozen = self.by_duty("freeze", fields)
        return self.frozen

    def to_opening(self, bids: int = 3) -> None:
        """Honest until the end of the challenge window."""
        for number in range(bids):
            self.submit(self.bidder(number))
        self.after_deadline()

    def after_deadline(self) -> None:
        self.close()
        self.freeze()
        self.everybody_reads_and_waits(300)

    def everybody_reads_and_waits(self, seconds: int) -> None:
        """Agents that poll know by when an act was witnessed."""
        for agent in self.all_agents():
            agent.read()
        self.now += timedelta(seconds=seconds)

    def evidence(self, log: WholeLog, **changes: Any) -> Evidence:
        def proved(private: frozen.PrivateEvidence) -> frozen.PrivateEvidence:
            proof = self.tree.inclusion_proof(private.index, log.size)
            return frozen.PrivateEvidence(
                private.event, private.salt_p, private.confidential_hash, private.index, tuple(proof)
            )

        bids = changes.pop("bids", self.bids)
        withdrawals = changes.pop("withdrawals", self.withdrawals)
        unopened = changes.pop("unopened", ())
        given: dict[str, Any] = {
            "rulebook": self.rulebook,
            "freeze_list": self.objects.get(getattr(self, "list_hash", "")),
            "submissions": tuple(
                frozen.Submission(
                    proved(bid.evidence),
                    () if bid in unopened else tuple(header.encode() for header in bid.headers),
                    bid.bidder.signer.certificate,
                    bid.salt,
                    bid.signature,
                )
                for bid in bids
                if bid.evidence.index < log.size
            ),
            "withdrawals": tuple(
                frozen.Withdrawal(proved(each.private), each.certificate)
                for each in withdrawals
                if each.private.index < log.size
            ),
            "contributions": self.contributions,
        }
        return Evidence(**(given | changes))

    def receipt(self, evidence: frozen.PrivateEvidence, salt_c: bytes, confidential: Mapping[str, Any]) -> bytes:
        return receipt.build(
            {"public": dict(evidence.event), "confidential": dict(confidential)},
            evidence.salt_p,
            salt_c,
            index=evidence.index,
            proof=self.tree.inclusion_proof(evidence.index),
            checkpoint=self.checkpoint(),
        )

    # The draw.

    def contribute(self, draw_id: bytes, i: int, **changes: Any) -> contribution.Contribution:
        signer = (self.centre, self.supervision, self.owner)[i - 1]
        given: dict[str, Any] = {
            "draw_id": draw_id,
            "tender_id": self.tender_id,
            "contributor": i,
            "roster": self.roster,
            "signer": signer.signer,
            "spki": signer.spki,
            "entropy": self.entropy,
        }
        made = contribution.make(**(given | changes))
        self.contributions[hashlib.sha256(made.header).digest()] = made.header
        return made

    def draw_pool(self, attempt: int = 0) -> whole_log.Logged:
        masked = [hashlib.sha256(f"expert {number}".encode()).digest() for number in range(20)]
        self.pool = lottery.Pool.make([("road", 3, masked[:12]), ("cost", 2, masked[12:])])
        self.objects[self.pool.hash().hex()] = self.pool.encode()
        return self.by_duty(
            "draw_pool",
            {
                "draw_id": lottery.draw_id(self.tender_id, attempt).hex(),
                "purpose": 1,
                "attempt": attempt,
                "pool_hash": self.pool.hash().hex(),
                "registry_hash": "1" * 64,
                "avoidance_hash": "2" * 64,
                "measures": lottery.measure(self.pool).object(),
            },
        )

    def draw_close(self, pool: whole_log.Logged, given: Sequence[contribution.Contribution]) -> whole_log.Logged:
        entries = [
            {
                "i": each.contributor,
                "header": hashlib.sha256(each.header).hexdigest(),
                "signature": each.signature.hex(),
            }
            for each in given
        ]
        return self.by_duty(
            "draw_close", {"draw_id": pool.act["draw_id"], "pool": pool.leaf.hex(), "contributions": entries}
        )

    def draw(self, attempt: int = 0) -> tuple[whole_log.Logged, whole_log.Logged, list[contribution.Contribution]]:
        pool = self.draw_pool(attempt)
        given = [self.contribute(bytes.fromhex(pool.act["draw_id"]), i) for i in (1, 2, 3)]
        return pool, self.draw_close(pool, given), given

    # The opening.

    def all_agents(self) -> list[Agent]:
        return [agent for agents in self.agents for agent in agents]

    def ready_all(self, agents: Sequence[Agent] | None = None) -> None:
        for agent in agents or self.all_agents():
            step = agent.step()
            assert isinstance(step, release.SaysReady), step
            agent.says(step)

    def release_all(self, agents: Sequence[Agent] | None = None) -> list[combine.ReleaseMade]:
        made = []
        for agent in agents or self.all_agents():
            step = agent.step()
            assert isinstance(step, release.Releases), step
            logged = agent.says(step)
            made.append(self.release_made(logged))
        return made

    def release_made(self, logged: whole_log.Logged) -> combine.ReleaseMade:
        act = logged.act
        return combine.ReleaseMade(
            act["trustee"],
            act["lock"],
            act["index"],
            bytes.fromhex(act["freeze"]),
            self.objects[act["shares_hash"]],
        )

    def headers(self) -> dict[bytes, Header]:
        listed = {entry["bid"] for entry in jcs.loads(self.objects[self.list_hash])}
        return {header.hash(): header for bid in self.bids if bid.bid.hex() in listed for header in bid.headers}


@pytest.fixture
def world() -> World:
    return World()
