"""A small honest tender, from the notice to the contract, and named cheats that change one thing on the way.

The tender is written with the primitives of crypto/ alone: five bidders (one replaces its bid, one withdraws, one seals
garbage), one absent and one lying trustee, an extension, a draw with an avoidance and a replacement, an objection in
publicity. `cheat` names what is done wrong; whoever cheats here holds every key of the hall.
"""

from __future__ import annotations

import io
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from fractions import Fraction
from hashlib import sha256
from pathlib import Path
from typing import Any

from crypto import contribution, jcs
from crypto.ledger import merkle, note
from crypto.sealing import body, envelope, header, hpke, lock, manifest
from crypto.verifier import archive, draw, recount
from tests.crypto.verifier.hall import Hall, Hidden, Person, stamp

LOT = "E4201000001000001001001"
DEADLINE = datetime(2026, 3, 24, 1, 30, tzinfo=UTC)
EXTENDED = datetime(2026, 3, 30, 1, 30, tzinfo=UTC)
PRICES = {
    "alpha": 700_000_000,
    "beta": 730_000_000,
    "gamma": 720_000_000,
    "delta": 690_000_000,
    "epsilon": 710_000_000,
    "zeta": 705_000_000,
}
MARKS = {"alpha": "90", "beta": "88", "gamma": "86.5", "delta": "85"}
METHOD = {
    "name": "benchmark",
    "full": "100",
    "base": "mean",
    "drop": [[1, 0, 0], [5, 1, 1]],
    "float": "-0.01",
    "above": "2",
    "below": "1",
    "cap": {"above": None, "below": "10"},
    "floor": "0",
    "weights": {"price": "0.6", "points": "0.4"},
    "round": {"base": 2, "deviation": None, "score": 2, "points": 2, "total": 2, "mode": "half_up"},
    "ties": ["price", "points", "draw"],
}
TERMS = {
    "v": 1,
    "project": {"name": "学府街大修", "state_controlled": True, "sector": "transport"},
    "opening": {"fewer_than_three_after_opening": "stop"},
    "items": [
        {"code": "plan", "name": "施工组织设计", "max": "100", "step": "0.5", "kind": "subjective", "criterion": "x"}
    ],
    "method": METHOD,
    "panel": {
        "members": 5,
        "owner_representatives": 0,
        "strata": [{"specialty": "road", "seats": 3}, {"specialty": "cost", "seats": 2}],
    },
}


def limits() -> dict[str, Any]:
    """The limits of a rulebook that the verifier asks for."""
    rows = {
        "tender_days_min": (20, "day", "E-07"),
        "clarification_days_min": (15, "day", "E-09"),
        "document_objection_answer_days_max": (3, "day", "E-13"),
        "bids_min": (3, "bid", "E-51"),
        "panel_members_min": (5, "member", "E-61"),
        "panel_expert_thirds_min": (2, "third", "E-61"),
        "candidates_max": (3, "candidate", "E-75"),
        "candidates_publicity_days_max": (3, "day", "E-78"),
        "publicity_days_min": (3, "day", "E-79"),
        "result_objection_answer_days_max": (3, "day", "E-80"),
        "contract_days_max": (30, "day", "E-87"),
        "settle_seconds_min": (60, "second", "E-52"),
        "challenge_seconds_min": (300, "second", "E-52"),
        "rescue_seconds_min": (600, "second", "E-53"),
        "draw_candidates_per_seat_min": (2, "person", "E-63"),
    }
    return {
        name: {"value": n, "unit": unit, "rule": rule, "article": "-", "tag": "V"}
        for name, (n, unit, rule) in rows.items()
    }


RULEBOOK = {
    "v": 1,
    "id": "construction-test",
    "market": {
        "code": "construction",
        "name_zh": "工程建设",
        "name_en": "construction",
        "deal_class": "01",
        "media": ["平台"],
        "methods": ["benchmark"],
        "lock_seats": [["owner", "centre", "notary"], ["regulator", "inspector", "independent", "notary"]],
    },
    "region": "000000",
    "effective_from": "2019-03-02",
    "effective_to": None,
    "limits": limits(),
    "lock_1": [],
    "calendar": [{"year": 2026, "source": "notice", "provisional": False, "off": ["2026-04-06"], "on": []}],
    "powers": [
        {
            "code": "S-001",
            "name_zh": "下达监督指令",
            "name_en": "issue a directive",
            "kind": "administrative",
            "holders": ["supervisor"],
            "permissions": ["supervision.issue_directive"],
            "legal_basis": "-",
            "flow": "-",
            "time_limit": None,
            "in_force_from": "2013-05-01",
            "in_force_to": None,
        }
    ],
}


@dataclass
class Bid:
    """One version of one bid, with everything its bidder knows."""

    bidder: Person
    headers: list[header.Header]
    bodies: list[bytes]
    secrets: list[tuple[bytes, ...]]
    salt: bytes
    signature: bytes
    event: Hidden | None = None

    @property
    def name(self) -> str:
        return self.headers[0].bid_id().hex()

    @property
    def digest(self) -> bytes:
        return envelope.submit_digest(self.headers)


@dataclass
class World:
    """One tender. `run()` plays it; `bundle()` writes it."""

    seed: str = "1"
    cheat: str = ""
    rehearsal: bool = False
    hall: Hall = field(init=False)
    objects: dict[str, bytes] = field(default_factory=dict)
    bids: list[Bid] = field(default_factory=list)
    listed: list[Bid] = field(default_factory=list)
    unmasking: list[dict[str, Any]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.hall = Hall(self.seed, **({"origin": "localhost/rehearsal"} if self.rehearsal else {}))
        self.bidders = {
            name: self.hall.person(f"{name} 路桥有限公司", f"91420100MA4K10{number:04d}", f"p-{name}")
            for number, name in enumerate(PRICES)
        }
        self.experts = [self.hall.person(f"expert {n}", f"91420100MA4K2000{n:02d}", f"p-expert-{n}") for n in range(14)]

    def run(self) -> World:
        """The whole tender."""
        self.hall.found()
        self.publish()
        self.receive()
        self.close()
        self.open()
        self.draw_result()
        self.score()
        self.award()
        self.hall.later(minutes=1)
        self.hall.checkpoint()
        return self

    def keep(self, value: Any) -> str:
        """Keep an object and return its hash."""
        data = value if isinstance(value, bytes) else jcs.dumps(value)
        name = sha256(data).hexdigest()
        self.objects[name] = data
        return name

    def duty(self, kind: str, fields: Mapping[str, Any], **more: Any) -> Any:
        """An act of the hall's duty key."""
        return self.hall.public(kind, fields, [("duty", self.hall.duty)], role="clockwork", **more)

    def by_owner(self, kind: str, fields: Mapping[str, Any], **more: Any) -> Any:
        """An act of the owner."""
        owner = self.hall.owner
        return self.hall.public(kind, fields, [("owner", owner.signer)], role="owner", by=owner, **more)

    def publish(self) -> None:
        """The notice, and on the tenth day a clarification that extends the deadline."""
        hall = self.hall
        hall.later(minutes=5)
        terms = jcs.loads(jcs.dumps(TERMS))
        notice = {
            "lot": LOT,
            "unified_code": "A01-E4201000001000001001-20260302-001001-X",
            "project": {"code": "E4201000001000001001", "name": "学府街大修"},
            "name": "学府街大修一标段",
            "owner": hall.owner.organisation,
            "agent": hall.agent.organisation,
            "market": "construction",
            "region": "420100",
            "rehearsal": self.rehearsal,
            "rulebook": {"id": RULEBOOK["id"], "hash": self.keep(RULEBOOK)},
            "terms_hash": self.keep(terms),
            "documents": [{"name": "招标文件.pdf", "sha256": "ab" * 32, "size": 12345}],
            "deadline": stamp(DEADLINE - timedelta(days=7) if self.cheat == "short_notice" else DEADLINE),
            "max_price_fen": 800_000_000,
            "envelopes": [0, 1],
            "bids_min": 3,
            "settle_s": 60,
            "challenge_s": 300,
            "rescue_s": 600,
            "plaintext_max": 2 * 1024**3,
            "roster": hall.roster().encode().hex(),
            "seats": [[each.name for each in hall.trustees[:3]], [each.name for each in hall.trustees[3:]]],
            "opening_keys": {who: keys[1].hex() for who, keys in hall.opening_keys.items()},
            "verdict_keys": {"room": hall.room.key.hex(), "verifier": hall.verifier.key.hex()},
            "duty_key": hall.duty.key.hex(),
            "contributors": {"1": hall.centre.spki.hex(), "2": hall.supervisor.spki.hex(), "3": hall.owner.spki.hex()},
        }
        if self.cheat == "puppet_roster":
            notice["seats"][1][0], notice["seats"][1][1] = notice["seats"][1][1], notice["seats"][1][0]
        self.by_owner("tender", notice)
        hall.later(minutes=1)
        hall.checkpoint(at=hall.now + timedelta(days=9) if self.cheat == "backdated_notice" else None)
        hall.later(days=10)
        text = self.keep({"zh": "澄清", "en": "clarification", "questions": [], "salt": "00" * 32})
        amendment = {
            "version": 1,
            "text_hash": text,
            "affects_bids": True,
            "deadline": None if self.cheat == "late_clarification" else stamp(EXTENDED),
            "documents": notice["documents"],
        }
        self.by_owner("amendment", amendment)
        hall.later(minutes=1)
        if self.cheat != "unwitnessed_extension":
            hall.checkpoint()
        power = None if self.cheat == "no_power" else "S-001"
        directive = {"what": "provide", "reason": "请提供澄清记录"}
        signers = [("supervisor", hall.supervisor.signer)]
        hall.public("directive", directive, signers, role="supervisor", power=power, by=hall.supervisor)

    def receive(self) -> None:
        """Submissions: alpha twice, zeta withdraws, epsilon seals garbage; the draw is prepared."""
        hall = self.hall
        if self.cheat == "unwitnessed_extension":
            hall.now = DEADLINE + timedelta(hours=1)
            hall.checkpoint()
        for name, bidder in self.bidders.items():
            hall.later(minutes=7)
            self.submit(bidder, 1, PRICES[name] + (1_000_000 if name == "alpha" else 0), garbage=name == "epsilon")
        self.submit(self.bidders["alpha"], 2, PRICES["alpha"])
        withdrawn = next(bid for bid in self.bids if bid.bidder.person == "p-zeta")
        signature = envelope.sign_withdraw(
            withdrawn.bidder.signer.sign, tender_id=bytes.fromhex(hall.tender_id), version=1, digest=withdrawn.digest
        )
        fields = {"version": 1, "d": withdrawn.digest.hex(), "bid": withdrawn.name, "signature": signature.hex()}
        hall.later(minutes=1)
        hall.private("withdraw", fields, withdrawn.bidder, role="bidder")
        if self.cheat == "two_bids":
            twin = hall.person("alpha 路桥有限公司", self.bidders["alpha"].uscc, "p-alpha-2")
            self.submit(twin, 3, PRICES["alpha"] - 1_000_000)
        self.draw_pool()

    def submit(
        self, bidder: Person, version: int, price: int, *, garbage: bool = False, at: datetime | None = None
    ) -> Bid:
        """Seal and log one version."""
        hall = self.hall
        salt, nonce = hall.entropy(32), hall.entropy(16)
        headers, bodies, secrets = [], [], []
        for number in (0, 1):
            files = [(b"bill of quantities", "bill.csv")] if number == 0 else [(b"plan " * 50, "plan.txt")]
            facts = [
                manifest.facts_of(lambda data=data: io.BytesIO(data), name=name, media_type="text/plain")
                for data, name in files
            ]
            opening = manifest.OpeningList(price, 180, "合格", "李工", "粤1442020202100001") if number == 0 else None
            page = manifest.build(
                lot=LOT,
                envelope=number,
                bidder=manifest.Bidder(bidder.name, bidder.uscc),
                salt=salt,
                files=facts,
                opening_list=opening,
            )
            parts: list[bytes] = []
            sealed = envelope.seal(
                tender_id=bytes.fromhex(hall.tender_id),
                envelope=number,
                roster=hall.roster(),
                signer=bidder.signer.sign,
                spki=bidder.spki,
                salt=salt,
                bid_nonce=nonce,
                version=version,
                manifest=page,
                files=[lambda data=data: io.BytesIO(data) for data, _ in files],
                entropy=hall.entropy,
                sink=parts.append,
            )
            head, content = sealed.header, b"".join(parts)
            if garbage and number == 0:
                head, content = self.spoil(head, content, sealed.secrets)
            headers.append(head)
            bodies.append(content)
            secrets.append(sealed.secrets)
        bid = Bid(bidder, headers, bodies, secrets, salt, envelope.sign_submit(bidder.signer.sign, headers))
        fields = {
            "lot": LOT,
            "version": version,
            "headers": [head.hash().hex() for head in headers],
            "d": bid.digest.hex(),
            "bid": bid.name,
        }
        bid.event = hall.private("submit", fields, bidder, role="bidder", at=at)
        self.bids.append(bid)
        return bid

    def spoil(self, head: header.Header, content: bytes, secrets: tuple[bytes, ...]) -> tuple[header.Header, bytes]:
        """A lawful header around a body whose second chunk is garbage."""
        roster = self.hall.roster()
        dek = lock.verify_lock_section(head, roster, secrets)
        spoilt = content[:20_000] + bytes(64) + content[20_064:]
        draft = replace(head, body_root=body.root_of([sha256(spoilt).digest()]))
        section = lock.make(draft.head(), roster, secrets, dek)
        return replace(draft, wrapped_dek=section.wrapped_dek, locks=section.locks), spoilt

    def draw_pool(self) -> None:
        """Pool and contributions, before the deadline; expert 0 is in conflict with beta."""
        hall = self.hall
        tender_id = bytes.fromhex(hall.tender_id)
        self.masks = {}
        for number in range(14):
            salt = hall.entropy(32)
            expert = f"expert-{number}"
            masked = sha256(b"draw/v1 mask\0" + salt + expert.encode()).hexdigest()
            self.masks[masked] = (number, salt, expert)
        names = sorted(self.masks, key=lambda masked: self.masks[masked][0])
        self.strata = [
            {"specialty": "road", "k": 3, "masked": sorted(names[:8])},
            {"specialty": "cost", "k": 2, "masked": sorted(names[6:])},
        ]
        tied = {0: [self.bidders["beta"].uscc], 1: [self.bidders["gamma"].uscc], 8: [self.bidders["beta"].uscc]}
        facts = [{"masked": masked, "organisations": tied.get(self.masks[masked][0], [])} for masked in sorted(names)]
        self.conflicts = {row["masked"] for row in facts if row["organisations"]}
        self.draw_id = bytes.fromhex(draw.draw_id(tender_id, 0))
        hall.later(minutes=1)
        self.pool = self.duty(
            "draw_pool",
            {
                "draw_id": self.draw_id.hex(),
                "purpose": 1,
                "attempt": 0,
                "pool_hash": self.keep({"strata": self.strata}),
                "registry_hash": "cd" * 32,
                "avoidance_hash": self.keep({"salt": hall.entropy(32).hex(), "facts": facts}),
                "measures": {"pool": 14, "entropy_bits": (56 * 28).bit_length() - 1, "repeat_pairs": 0},
            },
        )
        self.contributions = [
            contribution.make(
                draw_id=self.draw_id,
                tender_id=tender_id,
                contributor=number,
                roster=hall.roster(),
                signer=who.signer,
                spki=who.spki,
                entropy=hall.entropy,
            )
            for number, who in ((1, hall.centre), (2, hall.supervisor), (3, hall.owner))
        ]
        rows = [
            {"i": each.contributor, "header": self.keep(each.header), "signature": each.signature.hex()}
            for each in self.contributions
        ]
        self.draw_close = self.duty(
            "draw_close", {"draw_id": self.draw_id.hex(), "pool": self.pool.leaf, "contributions": rows}
        )

    def close(self) -> None:
        """Close, freeze, a checkpoint after the deadline."""
        hall = self.hall
        deadline = DEADLINE if self.cheat in ("early_close", "late_clarification") else EXTENDED
        hall.now = deadline + timedelta(seconds=30)
        if self.cheat == "late_bid":
            self.submit(hall.person("late 路桥有限公司", "91420100MA4K300001", "p-late"), 1, 650_000_000)
        hall.now = deadline + timedelta(seconds=61)
        self.closed = self.duty("close", {"deadline": stamp(deadline)})
        self.listed = [bid for bid in self.bids if bid is not self.bids[0] and bid.bidder.person != "p-zeta"]
        if self.cheat == "dropped_bid":
            self.listed.remove(next(bid for bid in self.listed if bid.bidder.person == "p-delta"))
        if self.cheat == "resurrected_bid":
            self.listed.append(next(bid for bid in self.bids if bid.bidder.person == "p-zeta"))
        self.listed.sort(key=lambda bid: bid.name)
        rows = [
            {"bid": bid.name, "submission": bid.event.leaf, "headers": [head.hash().hex() for head in bid.headers]}
            for bid in self.listed
            if bid.event is not None
        ]
        self.freeze = self.duty(
            "freeze",
            {"close": self.closed.leaf, "n": len(rows), "list_hash": self.keep(rows), "supplements": None},
        )
        hall.later(seconds=5)
        self.ready_size = hall.checkpoint(
            at=deadline - timedelta(seconds=1) if self.cheat == "stale_checkpoint" else None
        )

    def open(self) -> None:
        """Ready, release (t-owner absent, t-independent lies), verdicts, opening record."""
        hall = self.hall
        root = hall.tree.root(self.ready_size).hex()
        seats = [(0, 2), (0, 3), (1, 1), (1, 2), (1, 3)]
        hall.later(minutes=1 if self.cheat == "early_release" else 6)
        for place, index in seats[1:] if self.cheat == "not_all_ready" else seats:
            trustee = hall.trustees[place * 3 + index - 1]
            fields = {
                "trustee": trustee.name,
                "lock": place,
                "index": index,
                "freeze": self.freeze.leaf,
                "checkpoint": {"size": self.ready_size, "root": root},
                "draws": [self.draw_close.leaf],
                "complaints": [],
                "refusal": None,
            }
            hall.public("ready", fields, [("trustee", trustee.signer)], role="trustee")
        for place, index in seats:
            trustee = hall.trustees[place * 3 + index - 1]
            fields = {
                "trustee": trustee.name,
                "lock": place,
                "index": index,
                "freeze": self.freeze.leaf,
                "shares_hash": self.keep(self.shares(place, index)),
            }
            hall.public("release", fields, [("trustee", trustee.signer)], role="trustee")
        hall.later(minutes=1)
        self.verdicts()

    def shares(self, place: int, index: int) -> dict[str, Any]:
        """What one trustee releases."""
        hall, sk = self.hall, self.hall.trustees[place * 3 + index - 1].sk
        lies = (place, index) == (1, 3)
        clear, sealed = [], []
        for bid in self.listed:
            share = lock.share_of(bid.headers[0], place, index, sk)
            clear.append({"header": bid.headers[0].hash().hex(), "share": (bytes(32) if lies else share).hex()})
            name = bid.headers[1].hash()
            info = b"sealbid/v1 release\0" + bytes.fromhex(self.freeze.leaf) + bytes((place, index)) + name
            share = lock.share_of(bid.headers[1], place, index, sk)
            row = {"header": name.hex()}
            for who, (_, pk) in hall.opening_keys.items():
                enc, ct = hpke.seal_derand(pk, info, hall.entropy(32), share)
                row[who] = (enc + ct).hex()
            sealed.append(row)
        draws = []
        for each in self.contributions:
            parsed = header.parse_contribution(each.header)
            draws.append({"header": parsed.hash().hex(), "share": lock.share_of(parsed, place, index, sk).hex()})
        return {
            name: sorted(rows, key=lambda row: row["header"])
            for name, rows in (("record", clear), ("documents", sealed), ("draws", draws))
        }

    def verdicts(self) -> None:
        """epsilon is invalid, all others valid; the record as signed."""
        hall = self.hall
        rows, record = [], []
        for bid in self.listed:
            spoilt = bid.bidder.person == "p-epsilon"
            lies = self.cheat == "killed_bid" and bid.bidder.person == "p-delta"
            rows.append(
                {
                    "bid": bid.name,
                    "verdict": "invalid" if spoilt or lies else "valid",
                    "envelope": 1 if lies else 0 if spoilt else None,
                    "code": "chunk" if spoilt or lies else None,
                    "consequence": "deemed_revoked" if spoilt or lies else "opened",
                    "complainers": [],
                }
            )
            if not (spoilt or lies):
                record.append(self.record_row(bid))
        signers = [("room", hall.room), ("verifier", hall.verifier)]
        fields = {"freeze": self.freeze.leaf, "verdicts_hash": self.keep(rows), "valid": len(record)}
        hall.public("verdict", fields, signers, role="opening")
        self.record = record
        fields = {"freeze": self.freeze.leaf, "record_hash": self.keep(record), "n": len(record)}
        hall.public("opened", fields, signers, role="opening")

    def record_row(self, bid: Bid) -> dict[str, Any]:
        """One row of the opening record, out of the bid's own manifest."""
        dek = lock.verify_lock_section(bid.headers[0], self.hall.roster(), bid.secrets[0])
        opened = envelope.open_body(bid.headers[0], dek, [bid.bodies[0]], spki=bid.bidder.spki, lot=LOT, salt=bid.salt)
        row = {
            "bid": bid.name,
            "version": bid.headers[0].version,
            "bidder": bid.bidder.organisation,
            **opened.manifest["opening_list"],
            "secrets": [each.hex() for each in bid.secrets[0]],
        }
        if self.cheat == "changed_price" and bid.bidder.person == "p-delta":
            row["price_fen"] -= 10_000_000
        return row

    def draw_result(self) -> None:
        """Seats from the seed; seat 2's expert recuses itself."""
        hall = self.hall
        r = {each.contributor: each.r for each in self.contributions}
        if self.cheat == "other_r":
            r[1] = bytes(31) + b"\1"
        seed = draw.seed_of(self.draw_id, bytes.fromhex(self.pool.leaf), r)
        seating = draw.Seating(draw.orders(self.strata, seed))
        if self.cheat == "redraw":
            seating.orders[0].reverse()
        draw.seat_all(seating, self.strata, self.conflicts)
        fields = {
            "draw_id": self.draw_id.hex(),
            "close": self.draw_close.leaf,
            "seed": seed.hex(),
            "r": [{"i": i, "r": value.hex()} for i, value in r.items()],
            "void": [],
            "seats": [{"seat": n, "stratum": s, "masked": m} for n, (s, m) in enumerate(seating.seats, 1)],
            "avoided": list(seating.avoided),
        }
        hall.later(minutes=1)
        self.duty("draw_result", fields)
        out, before = seating.seats[1][1], len(seating.avoided)
        self.sign_in(out, "recuse", {"masked": out, "why": "kin"})
        into = draw.replace_seat(seating, 2, self.conflicts)
        if self.cheat == "designated_replacement":
            into = next(
                m for m in reversed(seating.orders[0]) if m not in {x for _, x in seating.seats} | self.conflicts
            )
            seating.seats[1] = (0, into)
        fields = {"draw_id": self.draw_id.hex(), "seat": 2, "out": out, "in": into, "why": "recused"}
        self.duty("recusal", fields | {"avoided": list(seating.avoided[before:])})
        self.seating = seating
        shown = {m for _, m in seating.seats} | set(seating.avoided) | seating.left
        self.unmasking = [
            {"masked": m, "salt": self.masks[m][1].hex(), "expert": self.masks[m][2]} for m in sorted(shown)
        ]

    def sign_in(self, masked: str, kind: str, fields: Mapping[str, Any]) -> None:
        """A private act of the expert behind a mask."""
        number, salt, expert = self.masks[masked]
        more = {"expert": expert, "name": f"name {number}", "salt": salt.hex()}
        self.hall.private(kind, fields, self.experts[number], role="expert", more=more)

    def score(self) -> None:
        """Sheets locked, committed, shown; scores.json counted by the recount itself."""
        hall = self.hall
        valid = {row["bid"]: row for row in self.record}
        names = {bid.name: bid.bidder.person.removeprefix("p-") for bid in self.listed}
        sheets, commitments = [], []
        for seat, (_, masked) in enumerate(self.seating.seats, 1):
            items = [{"bid": bid, "item": "plan", "points": MARKS.get(names[bid], "80")} for bid in sorted(valid)]
            sheet = {"tender_id": hall.tender_id, "seat": seat, "items": items}
            salt = hall.entropy(32)
            made = sha256(b"sealbid/v1 sheet\0" + salt + jcs.dumps(sheet)).hexdigest()
            sheets.append({"seat": seat, "masked": masked, "salt": salt.hex(), "sheet": sheet})
            commitments.append({"seat": seat, "masked": masked, "commitment": made})
            hall.later(minutes=1)
            self.sign_in(masked, "sheet_locked", {"seat": seat, "commitment": made})
        if self.cheat == "changed_sheet":
            sheets[0]["sheet"]["items"][0]["points"] = "99"
        self.duty("scores_committed", {"commitments": commitments})
        points = [{"expert": str(row["seat"]), **item} for row in sheets for item in row["sheet"]["items"]]
        if self.cheat == "out_of_range":
            points[0]["points"] = "100.5"
        scores: dict[str, Any] = {
            "kind": "scores",
            "method": TERMS["method"] | ({"above": "1"} if self.cheat == "other_method" else {}),
            "max_price": "8000000.00",
            "bids": [
                {"id": bid, "price": f"{row['price_fen'] // 100}.{row['price_fen'] % 100:02d}"}
                for bid, row in valid.items()
            ],
            "points": points,
            "abnormal": [],
        }
        counted = recount.count(scores)
        ranking = [bid for group in counted.groups for bid in group]
        if self.cheat == "wrong_ranking":
            ranking[0], ranking[1] = ranking[1], ranking[0]
        shown = {
            name: {bid: recount.text(counted.shown(value, point)) for bid, value in values.items()}
            for name, values, point in (
                ("scores", counted.scores, "score"),
                ("points", counted.points, "points"),
                ("totals", counted.totals, "total"),
            )
        }
        scores["result"] = {
            "base": recount.text(counted.base),
            "scores": shown["scores"],
            "totals": shown["totals"],
            "ranking": ranking,
        }
        self.scores, self.ranking = scores, ranking
        self.table = {
            "items": TERMS["items"],
            "bids": [
                {
                    "bid": bid,
                    "price_score": shown["scores"][bid],
                    "points": shown["points"][bid],
                    "total": shown["totals"][bid],
                    "rank": n,
                }
                for n, bid in enumerate(ranking, 1)
            ],
        }
        self.duty(
            "scores_locked",
            {"sheets_hash": self.keep(sheets), "table_hash": self.keep(self.table), "scores_hash": self.keep(scores)},
        )
        hall.later(hours=1)
        self.duty("report", {"report_hash": self.keep({"text": "评标报告", "salt": "11" * 32})})

    def award(self) -> None:
        """Publicity with one objection, answered; award, contract."""
        hall = self.hall
        hall.later(days=1)
        record = {row["bid"]: row for row in self.record}
        begin, end = hall.now, hall.now + timedelta(days=1 if self.cheat == "short_publicity" else 5)
        candidates = [
            {
                "rank": row["rank"],
                "bid": row["bid"],
                "total": row["total"],
                **{
                    name: record[row["bid"]][name]
                    for name in ("bidder", "price_fen", "period_days", "quality", "leader")
                },
            }
            for row in self.table["bids"][:3]
        ]
        self.by_owner(
            "publicity", {"from": stamp(begin), "until": stamp(end), "candidates": candidates, "channel": "平台"}
        )
        hall.later(minutes=2)
        hall.checkpoint()
        hall.later(hours=20)
        objection = hall.private(
            "objection", {"stage": "publicity", "text_hash": "ef" * 32}, self.bidders["gamma"], role="bidder"
        )
        left = int((end - hall.now).total_seconds())
        self.duty("hold", {"reason": "objection", "ref": objection.leaf, "stage": "publicity", "left_s": left})
        if self.cheat == "award_under_hold":
            hall.later(days=6)
            return self.award_to(candidates[0])
        hall.later(days=1)
        hall.private("answer", {"objection": objection.leaf, "text_hash": "ef" * 32}, hall.owner, role="owner")
        until = hall.now + timedelta(seconds=left + 1)
        self.duty("resume", {"ref": objection.leaf, "until": stamp(until)})
        if self.cheat != "early_award":
            hall.now = until + timedelta(hours=1)
        self.award_to(candidates[1 if self.cheat == "second_candidate" else 0])
        return None

    def award_to(self, row: Mapping[str, Any]) -> None:
        """The award and the contract."""
        hall = self.hall
        fields = {name: row[name] for name in ("rank", "bid", "bidder", "price_fen")}
        self.by_owner("award", fields | {"notice_hash": self.keep({"text": "中标通知书"})})
        hall.later(days=40 if self.cheat == "late_contract" else 10)
        price = row["price_fen"] - (1_000_000 if self.cheat == "other_contract" else 0)
        contract = {"bid": row["bid"], "price_fen": price, "period_days": row["period_days"], "hash": "0f" * 32}
        self.by_owner("contract", contract)

    def bundle(self, path: Path, view: str) -> Path:
        """Write the bundle of a view."""
        from tests.crypto.verifier import bundles

        archive.write(path, bundles.members(self, view))
        return path


def proofs(hall: Hall, index: int) -> list[str]:
    """The inclusion proof of a leaf in the tree now, hex."""
    return [each.hex() for each in hall.tree.inclusion_proof(index)]


def exact(value: Fraction) -> str:
    """A decimal for a test to compare."""
    return recount.text(value)


__all__ = ["World", "exact", "merkle", "note", "proofs"]
