"""The end of a first run: what still lacks before a hall can publish, and what both sides' yes puts into the database.

管办分离: the centre's first clerk and the supervision's first officer get their roles here, by the yes of both
administrators; the administrators get none but the centre's, which holds no permission (trading/roles.py MATRIX). From
then on people are registered by the centre's verbs, each under its power.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from bidding.trustee_door import duties
from bidding.trustee_door.duties import Seat
from crypto import jcs
from portal import certifying
from portal.first_run.book import SIDES, Book, Person, Side
from portal.running import Running
from storage.unit import Unit
from storage.world import stamp
from trading.commands import parties
from trading.hall import Hall
from trading.people import accounts, certification, graphs, keys, organisations
from trading.people.certification import Wanted
from trading.people.organisations import Organisation
from trading.roles import Role

DONE = "first_run"
SUPERVISION_SEATS_MIN = 3
ROLE: dict[Side, Role] = {"centre": Role.CENTRE, "supervision": Role.SUPERVISOR}
ROLES: dict[Side, frozenset[Role]] = {
    "centre": frozenset({Role.CENTRE, Role.ADMINISTRATOR}),
    "supervision": frozenset({Role.SUPERVISOR}),
}


@dataclass(frozen=True, slots=True)
class Standing:
    """How far the hall is: what the roots have still to sign, who sits, which witnesses look (name → newest size), and
    what lacks, by the names of LACKS."""

    waiting: Sequence[Wanted]
    seats: Sequence[Seat]
    witnesses: dict[str, int]
    lacks: Sequence[str]


async def standing(running: Running, book: Book) -> Standing:
    """Read everything that the state page shows after the anchors."""
    own = certifying.own_keys(running)

    async def look(unit: Unit) -> tuple[list[Wanted], list[Seat], dict[str, int]]:
        seen = {}
        for witness in running.hall.trust.witnesses:
            rows = await unit.cosignature.find({"witness": witness.name}, order=("-size",), limit=1)
            seen[witness.name] = int(rows[0]["size"]) if rows else 0
        return await certification.wanted(unit, own), await duties.seats(unit), seen

    waiting, seats, seen = await running.database.read(look)
    witnessed = await running.ledger.witnessed(running.hall.trust)
    stocked = [seat for seat in seats if seat.unused]
    operation = {seat.trustee.seat for seat in stocked if seat.trustee.group == "operation"}
    supervision = {seat.trustee.uscc for seat in stocked if seat.trustee.group == "supervision"}
    told = {
        "keys_certified": not any(one.kind == "key" for one in waiting),
        "trustees_certified": not any(one.kind == "trustee" for one in waiting),
        "seat_centre": "centre" in operation,
        "seat_notary": "notary" in operation,
        "seats_supervision": len(supervision) >= SUPERVISION_SEATS_MIN,
        "witnessed": witnessed is not None,
        "officer_centre": book.centre.officer is not None,
        "officer_supervision": book.supervision.officer is not None,
    }
    return Standing(waiting, seats, seen, [name for name, there in told.items() if not there])


def digest(book: Book, now_: Standing) -> str:
    """What the last confirmation names: the first officers and the trustees as they stand."""
    officers = {side: [one.login, one.name] for side in SIDES if (one := book.side(side).officer)}
    trustees = sorted([seat.trustee.id, seat.trustee.key] for seat in now_.seats)
    return sha256(jcs.dumps({"officers": officers, "trustees": trustees})).hexdigest()


async def finish(running: Running, book: Book) -> None:
    """Put the organisations, the first people and their accounts into the database; once, however often it is asked."""
    now, hall = running.world.now(), running.hall

    async def work(unit: Unit) -> None:
        if await unit.setting.read(DONE) is not None:
            return
        for side in SIDES:
            await _side(unit, book, side, now=now, hall=hall)
        await unit.setting.insert({"name": DONE, "body": {"at": stamp(now), "trust": hall.trust.fingerprint}})

    await running.database.write(work)


async def is_over(running: Running) -> bool:
    """Whether the database says that the first run ended, whatever the book says."""
    return await running.database.read(lambda unit: unit.setting.read(DONE)) is not None


async def _side(unit: Unit, book: Book, side: Side, *, now: datetime, hall: Hall) -> None:
    who, officer = book.administrator(side), book.side(side).officer
    assert officer is not None, "nothing lacks"
    # The supervising department is an administrative body: no agent may stand under it (法 §14).
    one = Organisation(who.uscc, who.organisation, government=side == "supervision", roles=ROLES[side])
    await graphs.keep(unit, organisations.changed(await graphs.load(unit), organisations=[one]))
    der = x509.load_pem_x509_certificate(book.side(side).certificate.encode()).public_bytes(Encoding.DER)
    await keys.keep(unit, who.uscc, der, now=now, by=who.login)
    await _let_in(unit, officer, who.uscc, ROLE[side], now=now, hall=hall)
    if side == "centre":
        await _let_in(unit, who, who.uscc, Role.ADMINISTRATOR, now=now, hall=hall)


async def _let_in(unit: Unit, who: Person, uscc: str, role: Role, *, now: datetime, hall: Hall) -> None:
    token = await parties.appoint(
        unit, login=who.login, name=who.name, organisation=uscc, role=role, lot=None, now=now, hall=hall
    )
    await accounts.end_session(unit, token)
    await accounts.open_hashed(unit, login=who.login, phc=who.password)


LACKS: dict[str, tuple[str, str, str]] = {
    "keys_certified": (
        "/first-run/trustees", "大厅密钥还没有全部由根签署", "the roots have not certified all keys of the hall",
    ),
    "trustees_certified": (
        "/first-run/trustees", "有受托人登记卡等待两个根签署", "cards of trustees wait for both roots",
    ),
    "seat_centre": (
        "/first-run/trustees", "缺交易中心席位的受托人(已签署且有一次性密钥)",
        "no trustee in the centre's seat yet (certified, with one-time keys)",
    ),
    "seat_notary": (
        "/first-run/trustees", "缺运行组公证席位的受托人(已签署且有一次性密钥)",
        "no notary in the operation group yet (certified, with one-time keys)",
    ),
    "seats_supervision": (
        "/first-run/trustees", "监督组的受托人不足三个单位(已签署且有一次性密钥)",
        "fewer than three organisations sit in the supervision group (certified, with one-time keys)",
    ),
    "witnessed": (
        "/first-run/trustees", "见证人还没有达到法定数量的联署", "the witnesses have not cosigned as a quorum yet",
    ),
    "officer_centre": (
        "/first-run/officers", "交易中心的首位经办人未登记", "the centre's first clerk is not named",
    ),
    "officer_supervision": (
        "/first-run/officers", "监督部门的首位工作人员未登记", "the supervision's first officer is not named",
    ),
}  # fmt: skip
