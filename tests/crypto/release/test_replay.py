"""draw.json: an honest draw is drawn again by a stranger; every change of it is found."""

from __future__ import annotations

import copy
import hashlib
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from crypto import contribution, jcs, lottery, release
from crypto.ledger import merkle, receipt
from crypto.opening import replay
from crypto.refusal import Refused
from crypto.sealing import header


class Told:
    """A world with a draw, one conflict, one recusal, and its draw.json."""

    def __init__(self, world: Any) -> None:
        self.world = world
        self.logged = [world.agents[0][0].read().of(world.tender_id)[0]]
        self.objects: dict[int, Any] = {}
        self.pool, self.close, self.given = world.draw()
        world.to_opening()
        world.ready_all()
        world.release_all()
        r = {each.contributor: each.r for each in self.given}
        seed = lottery.seed(bytes.fromhex(self.pool.act["draw_id"]), self.pool.leaf, r)
        orders = lottery.draw(world.pool, seed)
        conflicts = {orders[0][1], orders[1][2]}
        panel = lottery.seat(world.pool, orders, conflicts=conflicts)
        draw_id = self.pool.act["draw_id"]
        self.result = world.by_duty(
            "draw_result",
            {
                "draw_id": draw_id,
                "close": self.close.leaf.hex(),
                "seed": seed.hex(),
                "r": [{"i": i, "r": value.hex()} for i, value in sorted(r.items())],
                "void": [],
                "seats": [each.object() for each in panel.seats],
                "avoided": [each.hex() for each in panel.avoided],
            },
        )
        after = lottery.fill(panel, orders, 4, conflicts=conflicts)
        self.recusal = world.by_duty(
            "recusal",
            {
                "draw_id": draw_id,
                "seat": 4,
                "out": panel.of(4).masked.hex(),
                "in": after.of(4).masked.hex(),
                "why": "recused",
                "avoided": [each.hex() for each in after.avoided[len(panel.avoided) :]],
            },
        )
        self.logged += [self.pool, self.close, self.result, self.recusal]
        self.seats = [each.object() for each in after.seats]

    def file(self) -> dict[str, Any]:
        return {
            "kind": "draw",
            "acts": [
                {"act": dict(each.act), "object": self.world.pool.object() if each is self.pool else None}
                for each in self.logged
            ],
            "proofs": self.proofs([each.index for each in self.logged]),
            "r": [
                {
                    "i": each.contributor,
                    "r": each.r.hex(),
                    "header": each.header.hex(),
                    "secrets": [secret.hex() for secret in each.secrets],
                }
                for each in self.given
            ],
            "result": {"seats": self.seats},
        }

    def proofs(self, indexes: list[int]) -> list[str]:
        tree, note = self.world.tree, self.world.checkpoint()
        return [
            receipt.TlogProof(None, index, tuple(tree.inclusion_proof(index)), note).encode().decode()
            for index in indexes
        ]


@pytest.fixture
def told(world: Any) -> Told:
    return Told(world)


def test_stranger_draws_again(told: Told) -> None:
    value = replay.load(jcs.dumps(told.file()))
    proved = replay.replay(value, told.world.trust)
    assert proved.anchored and proved.attempt == 0
    assert [each.object() for each in proved.panel.seats] == told.seats
    assert not replay.replay(value, None).anchored


def relog(told: Told, value: dict[str, Any], at: int, **changes: Any) -> None:
    """The hall writes another act in place of one, signs it and proves it: all that a dishonest hall can do."""
    world = told.world
    act = {**value["acts"][at]["act"], **changes}
    act.pop("signatures")
    logged = world.log_act(act, [("duty", world.duty)], chained=False)
    value["acts"][at]["act"] = dict(logged.act)
    value["acts"] = value["acts"][:at] + value["acts"][at + 1 :] + [value["acts"][at]]
    order = [
        next(i for i, leaf in enumerate(world.leaves) if leaf == b"\x01" + jcs.dumps(entry["act"]))
        for entry in value["acts"]
    ]
    value["proofs"] = told.proofs(order)


CHANGES: list[tuple[str, Callable[[dict[str, Any]], object], str]] = [
    ("another kind", lambda v: v.update(kind="scores"), "draw_file"),
    ("a field more", lambda v: v.update(note=""), "draw_file"),
    ("a panel of its own", lambda v: v["result"]["seats"][0].update(masked="00" * 32), "draw_seats"),
    ("the panel before the recusal", lambda v: v["result"].update(seats=v["acts"][3]["act"]["seats"]), "draw_seats"),
    ("a recusal forgotten", lambda v: (v["acts"].pop(), v["proofs"].pop()), "draw_seats"),
    ("another pool", lambda v: v["acts"][1]["object"]["strata"][0].update(k=2), "object_hash"),
    ("another r", lambda v: v["r"][1].update(r="00" * 32), "draw_reveal"),
    ("other secrets", lambda v: v["r"][1].update(secrets=["00" * 32] * 2), "draw_reveal"),
    ("void without complaints", lambda v: v["r"][1].update(secrets=None, r="00" * 32), "draw_reveal"),
    ("another header", lambda v: v["r"][0].update(header=v["r"][1]["header"]), "object_hash"),
    ("a contributor left out", lambda v: v["r"].pop(0), "draw_contributors"),
    ("a signature altered", lambda v: v["acts"][3]["act"]["signatures"][0].update(sig="00" * 64), "inclusion_proof"),
    ("an act altered", lambda v: v["acts"][3]["act"].update(seed="00" * 32), "inclusion_proof"),
    ("a proof dropped", lambda v: v["proofs"].pop(), "draw_file"),
    ("proofs exchanged", lambda v: v["proofs"].reverse(), "inclusion_proof"),
    ("the tender act left out", lambda v: (v["acts"].pop(0), v["proofs"].pop(0)), "act_kind"),
    ("no result", lambda v: (v["acts"].pop(3), v["proofs"].pop(3)), "draw_act"),
    ("a null", lambda v: v["acts"].__setitem__(2, None), "draw_file"),
]


@pytest.mark.parametrize(("name", "change", "code"), CHANGES, ids=[name for name, _, _ in CHANGES])
def test_changed_draw_is_refused(told: Told, name: str, change: Callable[[dict[str, Any]], object], code: str) -> None:
    value = copy.deepcopy(told.file())
    change(value)
    with pytest.raises(Refused) as refused:
        replay.replay(replay.load(jcs.dumps(value)), told.world.trust)
    assert refused.value.code == code, name


@pytest.mark.parametrize(
    ("at", "changes", "code"),
    [
        (3, {"seed": "00" * 32}, "draw_seed"),
        (3, {"void": [{"i": 2, "why": "unopened"}]}, "draw_seed"),
        (3, {"avoided": []}, "draw_seats"),
        (4, {"in": "00" * 32}, "draw_replacement"),
        (4, {"avoided": ["00" * 32]}, "draw_replacement"),
        (4, {"seat": 9}, "draw_seat"),
    ],
)
def test_attack_hall_writes_another_outcome(told: Told, at: int, changes: dict[str, Any], code: str) -> None:
    value = copy.deepcopy(told.file())
    relog(told, value, at, **changes)
    if at == 3:
        # The recusal must follow the result: the hall writes that again too.
        relog(told, value, 3, rule="E-67")
    with pytest.raises(Refused) as refused:
        replay.replay(value, told.world.trust)
    assert refused.value.code == code


def test_attack_whole_draw_under_a_log_of_ones_own(told: Told) -> None:
    value = told.file()
    told.world.witness_keys = {}
    value["proofs"] = told.proofs([each.index for each in told.logged])
    with pytest.raises(Refused, match="quorum"):
        replay.replay(value, told.world.trust)
    assert not replay.replay(value, None).anchored


def test_void_by_complaints_shows_the_ready_acts(world: Any) -> None:
    """Two of three trustees of a lock could not open supervision's share; it did not disclose S."""
    pool = world.draw_pool()
    draw_id = bytes.fromhex(pool.act["draw_id"])
    made = world.contribute(draw_id, 2)

    sealed = header.parse_contribution(made.header)
    shares = [replace(share, ct=bytes(48)) for share in sealed.locks[0].shares[:2]] + [sealed.locks[0].shares[2]]
    spoiled = replace(sealed, locks=(replace(sealed.locks[0], shares=tuple(shares)), sealed.locks[1]))
    raw = spoiled.encode()
    world.contributions[hashlib.sha256(raw).digest()] = raw
    signature = world.supervision.signer.sign(contribution.message(spoiled.hash()))
    owners = world.contribute(draw_id, 3)
    close = world.draw_close(pool, [contribution.Contribution(2, raw, signature, made.r, made.secrets), owners])
    world.to_opening()
    world.ready_all()
    assert not isinstance(world.agents[0][0].step(), release.SaysReady)
    r = {2: lottery.VOID_R, 3: owners.r}
    seed = lottery.seed(draw_id, pool.leaf, r)
    panel = lottery.seat(world.pool, lottery.draw(world.pool, seed), conflicts=())
    seats = [each.object() for each in panel.seats]
    fields = {
        "draw_id": draw_id.hex(),
        "close": close.leaf.hex(),
        "seed": seed.hex(),
        "r": [{"i": i, "r": value.hex()} for i, value in r.items()],
        "void": [{"i": 2, "why": "unopened"}],
        "seats": seats,
        "avoided": [],
    }
    world.by_duty("draw_result", fields)
    logged = [
        each
        for each in world.agents[0][0].read().of(world.tender_id)
        if each.kind in ("tender", "draw_pool", "draw_close", "ready", "draw_result")
    ]
    tree, note = world.tree, world.checkpoint()
    value = {
        "kind": "draw",
        "acts": [
            {"act": dict(each.act), "object": world.pool.object() if each.kind == "draw_pool" else None}
            for each in logged
        ],
        "proofs": [
            receipt.TlogProof(None, each.index, tuple(tree.inclusion_proof(each.index)), note).encode().decode()
            for each in logged
        ],
        "r": [
            {"i": 2, "r": "00" * 32, "header": raw.hex(), "secrets": None},
            {
                "i": 3,
                "r": owners.r.hex(),
                "header": owners.header.hex(),
                "secrets": [secret.hex() for secret in owners.secrets],
            },
        ],
        "result": {"seats": seats},
    }
    assert replay.replay(value, world.trust).seed == seed
    assert merkle.leaf_hash(world.leaves[pool.index]) == pool.leaf
