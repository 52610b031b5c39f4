"""The fields of every act, object and member, as tables: a field that is not listed is refused.

docs/spec/acts.md §1 to §5, bundle.md §2 to §5. crypto/verifier/shapes.py says what a shape is.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from crypto.verifier.shapes import (
    Misshapen,
    Shape,
    anything,
    by_name,
    flag,
    hexed,
    legal_day,
    matching,
    maybe,
    moment,
    one_of,
    record,
    rows,
    text,
    whole,
)

H32 = hexed(32)
SIG = hexed(64)
HEX = matching("(?:[0-9a-f]{2})*", "hex")
DECIMAL = matching(r"-?(?:0|[1-9]\d{0,14})(?:\.\d{1,12})?", "a decimal")
NAME = matching(r"[^\x00-\x1f]{1,500}", "a name")
USCC = matching(r"[0-9A-Z]{18}", "a 统一社会信用代码")
CODE = matching(r"[a-z][a-z0-9_]{0,60}", "a code")
TRUSTEE = matching(r"[A-Za-z0-9._-]{1,64}", "a trustee id")
ORGANISATION = record(name=NAME, uscc=USCC)
COUNT = whole(0)
FEN = whole(1)
PLACE = whole(0, 15)
SEAT = whole(1, 99)
LEADER = record(name=NAME, certificate=NAME)
DOCUMENTS = rows(record(name=NAME, sha256=H32, size=COUNT))
LEAF = H32
SEALED = HEX
WHY = one_of("recused", "declined", "no_answer", "avoided")
SEATS = rows(record(seat=SEAT, stratum=COUNT, masked=H32))

_EVERY_ACT: dict[str, Shape] = {
    "v": one_of(1),
    "kind": CODE,
    "tender_id": H32,
    "seq": COUNT,
    "prev": H32,
    "at": moment,
    "role": one_of(
        "owner", "agent", "centre", "supervisor", "trustee", "bidder", "clockwork", "opening", "verifier", "root"
    ),
    "power": maybe(matching(r"[A-Z]-\d{3}", "a power code")),
    "rule": maybe(matching(r"[A-Z]{1,3}-\d{2,3}", "a rule id")),
    "context": maybe(H32),
    "signatures": rows(record(by=CODE, key=HEX, sig=SIG), least=1),
}

_ACTS: dict[str, dict[str, Shape]] = {
    "trustee": {
        "trustee": TRUSTEE,
        "organisation": ORGANISATION,
        "seat": one_of("owner", "centre", "notary", "regulator", "inspector", "independent"),
        "group": one_of("operation", "supervision"),
        "key": H32,
    },
    "pre_keys": {"trustee": TRUSTEE, "batch": COUNT, "keys": rows(H32, least=1)},
    "key": {"purpose": one_of("duty", "room", "verifier"), "key": H32},
    "rotate": {"purpose": one_of("duty", "room", "verifier"), "old": H32, "new": H32},
    "clock": {"advance": matching(r"P[0-9DTHMS.]{1,40}", "a duration"), "now": moment},
    "scripts": {"version": NAME, "release": H32},
    "tender": {
        "lot": NAME,
        "unified_code": NAME,
        "project": record(code=NAME, name=NAME),
        "name": NAME,
        "owner": ORGANISATION,
        "agent": maybe(ORGANISATION),
        "market": CODE,
        "region": matching(r"\d{6}", "a region code"),
        "rehearsal": flag,
        "rulebook": record(id=NAME, hash=H32),
        "terms_hash": H32,
        "documents": DOCUMENTS,
        "deadline": moment,
        "max_price_fen": maybe(FEN),
        "envelopes": rows(whole(0, 2), least=2),
        "bids_min": whole(1, 1000),
        "settle_s": COUNT,
        "challenge_s": COUNT,
        "rescue_s": COUNT,
        "plaintext_max": whole(1),
        "roster": HEX,
        "seats": rows(rows(TRUSTEE)),
        "opening_keys": record(room=H32, verifier=H32),
        "verdict_keys": record(room=H32, verifier=H32),
        "duty_key": H32,
        "contributors": record(**{"1": HEX, "2": HEX, "3": HEX}),
    },
    "amendment": {
        "version": whole(1),
        "text_hash": H32,
        "affects_bids": flag,
        "deadline": maybe(moment),
        "documents": DOCUMENTS,
    },
    "deadline": {"deadline": moment, "was": moment, "reason": one_of("hold", "outage", "extension")},
    "hold": {
        "reason": one_of("objection", "directive", "outage"),
        "ref": LEAF,
        "stage": one_of("bidding", "publicity"),
        "left_s": COUNT,
    },
    "resume": {"ref": LEAF, "until": moment},
    "terminate": {"reason": text},
    "incident": {"what": NAME, "from": moment, "to": moment, "text": text},
    "close": {"deadline": moment},
    "freeze": {"close": LEAF, "n": COUNT, "list_hash": H32, "supplements": maybe(LEAF)},
    "refused": {"submission": LEAF, "code": CODE},
    "failed": {
        "reason": one_of(
            "fewer_than_bids_min", "fewer_after_opening", "all_rejected", "draw_failed", "no_candidate_left"
        ),
        "n": COUNT,
    },
    "ready": {
        "trustee": TRUSTEE,
        "lock": PLACE,
        "index": whole(1, 16),
        "freeze": LEAF,
        "checkpoint": record(size=COUNT, root=H32),
        "draws": rows(LEAF),
        "complaints": rows(record(header=H32, lock=PLACE, index=whole(1, 16))),
        "refusal": maybe(CODE),
    },
    "rescue": {"header": H32, "sealed": record(room=rows(SEALED), verifier=rows(SEALED))},
    "release": {"trustee": TRUSTEE, "lock": PLACE, "index": whole(1, 16), "freeze": LEAF, "shares_hash": H32},
    "verdict": {"freeze": LEAF, "verdicts_hash": H32, "valid": COUNT},
    "opened": {"freeze": LEAF, "record_hash": H32, "n": COUNT},
    "draw_pool": {
        "draw_id": H32,
        "purpose": one_of(1),
        "attempt": whole(0, 65_535),
        "pool_hash": H32,
        "registry_hash": H32,
        "avoidance_hash": H32,
        "measures": record(pool=COUNT, entropy_bits=COUNT, repeat_pairs=COUNT),
    },
    "draw_close": {
        "draw_id": H32,
        "pool": LEAF,
        "contributions": rows(record(i=whole(1, 3), header=H32, signature=SIG)),
    },
    "draw_result": {
        "draw_id": H32,
        "close": LEAF,
        "seed": H32,
        "r": rows(record(i=whole(1, 3), r=H32)),
        "void": rows(record(i=whole(1, 3), why=CODE)),
        "seats": SEATS,
        "avoided": rows(H32),
    },
    "recusal": {"draw_id": H32, "seat": SEAT, "out": H32, "in": H32, "why": WHY, "avoided": rows(H32)},
    "scores_committed": {"commitments": rows(record(seat=SEAT, masked=H32, commitment=H32), least=1)},
    "scores_locked": {"sheets_hash": H32, "table_hash": H32, "scores_hash": H32},
    "report": {"report_hash": H32},
    "publicity": {
        "from": moment,
        "until": moment,
        "candidates": rows(
            record(
                rank=whole(1, 3),
                bid=H32,
                bidder=ORGANISATION,
                price_fen=FEN,
                period_days=whole(1),
                quality=NAME,
                leader=LEADER,
                total=DECIMAL,
            ),
            least=1,
        ),
        "channel": text,
    },
    "award": {"rank": whole(1, 3), "bid": H32, "bidder": ORGANISATION, "price_fen": FEN, "notice_hash": H32},
    "contract": {"bid": H32, "price_fen": FEN, "period_days": whole(1), "hash": H32},
    "tally": {"size": COUNT, "n": COUNT, "root": H32},
    "directive": {"what": one_of("suspend", "resume", "provide", "correct", "redraw"), "reason": text},
}

_ACT_SHAPES: Mapping[str, Shape] = {kind: record(**_EVERY_ACT, **fields) for kind, fields in _ACTS.items()}

FREEZE_LIST = rows(record(bid=H32, submission=LEAF, headers=rows(H32, least=2)))
SHARES = record(
    record=rows(record(header=H32, share=H32)),
    documents=rows(record(header=H32, room=SEALED, verifier=SEALED)),
    draws=rows(record(header=H32, share=H32)),
)
VERDICTS = rows(
    record(
        bid=H32,
        verdict=one_of("valid", "lost", "unopened", "invalid"),
        envelope=maybe(whole(0, 2)),
        code=maybe(CODE),
        consequence=one_of("opened", "deemed_withdrawn", "deemed_revoked"),
        complainers=rows(TRUSTEE),
    )
)
RECORD = rows(
    record(
        bid=H32,
        version=whole(1),
        bidder=ORGANISATION,
        price_fen=FEN,
        price_words=NAME,
        period_days=whole(1),
        quality=NAME,
        leader=LEADER,
        secrets=rows(H32, least=2),
    )
)
POOL = record(strata=rows(record(specialty=NAME, k=whole(1), masked=rows(H32, least=1)), least=1))
AVOIDANCE = record(salt=H32, facts=rows(record(masked=H32, organisations=rows(USCC))))
TABLE = record(
    items=rows(anything), bids=rows(record(bid=H32, price_score=DECIMAL, points=DECIMAL, total=DECIMAL, rank=whole(1)))
)
_ITEM_POINTS = record(bid=H32, item=NAME, points=DECIMAL)
SHEETS = rows(record(seat=SEAT, masked=H32, salt=H32, sheet=record(tender_id=H32, seat=SEAT, items=rows(_ITEM_POINTS))))
LIMIT = record(value=COUNT, unit=CODE, rule=NAME, article=text, tag=text)
RULEBOOK = record(
    v=one_of(1),
    id=NAME,
    market=record(
        code=CODE,
        name_zh=NAME,
        name_en=NAME,
        deal_class=text,
        media=rows(text),
        methods=rows(text),
        lock_seats=rows(rows(CODE), least=2),
    ),
    region=matching(r"\d{6}", "a region code"),
    effective_from=legal_day,
    effective_to=maybe(legal_day),
    limits=by_name(LIMIT),
    lock_1=rows(record(sector=text, organisations=rows(USCC))),
    calendar=rows(
        record(year=whole(1949, 9999), source=text, provisional=flag, off=rows(legal_day), on=rows(legal_day))
    ),
    powers=rows(
        record(
            code=NAME,
            name_zh=text,
            name_en=text,
            kind=CODE,
            holders=rows(CODE),
            permissions=rows(text),
            legal_basis=text,
            flow=text,
            time_limit=maybe(record(n=COUNT, unit=CODE)),
            in_force_from=legal_day,
            in_force_to=maybe(legal_day),
        )
    ),
)

MANIFEST = record(
    v=one_of(1),
    view=one_of("public", "full"),
    lot=NAME,
    tender_id=H32,
    heads=record(hall=LEAF, tender=LEAF),
    files=rows(record(path=NAME, sha256=H32, size=COUNT)),
)
PROOF = rows(H32)
LINE = record(index=COUNT, act=anything, proof=PROOF)
CONSISTENCY = rows(record(**{"from": COUNT, "to": COUNT, "proof": PROOF}))
PRIVATE_PART = by_name(anything)
SUBMISSION = record(
    v=one_of(1),
    event=PRIVATE_PART,
    salt_p=H32,
    confidential=H32,
    index=COUNT,
    proof=PROOF,
    certificate=HEX,
    signature=SIG,
    salt=H32,
)
SECRETS = record(v=one_of(1), secrets=rows(H32, least=2))
EVENT = record(index=COUNT, public=PRIVATE_PART, salt_p=H32, confidential=PRIVATE_PART, salt_c=H32, proof=PROOF)
CONTEXT = record(index=COUNT, salt=H32, context=by_name(anything))
UNMASKING = rows(record(masked=H32, salt=H32, expert=NAME))
RESCUES = rows(record(header=H32, secrets=rows(H32, least=2)))

_EVERY_EVENT: dict[str, Shape] = {
    name: shape for name, shape in _EVERY_ACT.items() if name not in ("seq", "context", "signatures", "role")
} | {"role": CODE}

SUBMIT_EVENT = record(**_EVERY_EVENT, lot=NAME, version=whole(1, 2**32 - 1), headers=rows(H32, least=2), d=H32, bid=H32)
WITHDRAW_EVENT = record(**_EVERY_EVENT, version=whole(1, 2**32 - 1), d=H32, bid=H32, signature=SIG)


def check_act(act: Any) -> None:
    """A public act with exactly the fields of its kind. Raises Misshapen."""
    kind = act.get("kind") if isinstance(act, dict) else None
    if not isinstance(kind, str) or kind not in _ACT_SHAPES:
        raise Misshapen(".kind", "a kind of public act")
    _ACT_SHAPES[kind](act)
