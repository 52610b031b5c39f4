"""Five forged bundles of a finished rehearsal: what a real cheat would do, holding whatever keys it takes.

Each begins with an honest bundle (docs/spec/bundle.md), does one wrong and then tidies up: what follows from the wrong
is changed with it (prices into scores, scores into ranking, candidates, award and contract), and portal/demo/forging.py
numbers, links, signs, logs and witnesses everything again. So each is caught by the one check that was made for it:

    01 a published act is taken out of the log, by whoever holds log and witnesses        → 2 ledger
    02 the clockwork leaves the best bid out of the list that is opened                   → 5 bids
    03 room and verifier announce another price than the bidder signed                    → 6 opening
    04 the clockwork seats somebody whom the draw did not give                            → 7 draw
    05 a member of the panel changes its sheet after all were shown                       → 8 scores

Rehearsals only: a real hall has nobody's keys but its own.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal
from fractions import Fraction
from hashlib import sha256
from pathlib import Path
from typing import Any, Final

from crypto import amount, jcs, trust
from crypto.refusal import Refused
from crypto.verifier import recount
from crypto.verifier.award import SHEET_LABEL
from portal.demo.cast import Cast
from portal.demo.forging import Book, Entry, Keys
from portal.folder import Folder

LEDGER, TIME_LIMITS, BIDS, OPENING, DRAW, SCORES = 2, 3, 5, 6, 7, 8

REMOVABLE: Final = ("amendment", "hold", "directive", "recusal", "ready")
"""01: without an extension, the last act of the first of these kinds that the tender has. Each has a *ready*."""
FRIENDS: Final = 3
"""03: the second and who follows, tried in turn."""
PRICE_STEPS: Final = 15
PRICE_STEP_PER_MILLE: Final = 3
"""03: how many prices are tried, and how far from the benchmark each pair of them lies beyond the one before."""


@dataclass(frozen=True, slots=True)
class Forgery:
    """One forged bundle: its file, the first check that must fail, and what was done, in Chinese and English."""

    file: Path
    expected_check: int
    zh: str
    en: str


def make(public: Path, full: Path, *, cast: Cast, folder: Folder, out: Path) -> list[Forgery]:
    """Write out/01.zip … 05.zip from the honest bundles of a tender that came to its award.

    Raises Refused: forgeries_need_an_award (the tender ended otherwise, or gives no marks), key_file.
    """
    out.mkdir(parents=True, exist_ok=True)
    anchors = trust.load((folder.path / "trust.json").read_bytes())
    keys = Keys.of(cast, folder, tuple(witness.name for witness in anchors.witnesses))
    made = []
    for number, (source, forge) in enumerate(
        ((public, _removed), (full, _dropped), (public, _repriced), (public, _seated), (full, _marked)), start=1
    ):
        book = Book(source, keys)
        if not book.of("award") or not book.of("scores_locked"):
            raise Refused("forgeries_need_an_award", file=source.name)
        made.append(forge(book, out / f"{number:02d}.zip"))
    return made


def _removed(book: Book, file: Path) -> Forgery:
    """01: the act goes, another leaf lies in its place. Owner and trustees signed what follows, with its number in it:
    that cannot be signed again by whoever holds the log and every witness."""
    extending = [act for act in book.of("deadline", "amendment") if act["deadline"] is not None]
    kind = next(kind for kind in REMOVABLE if book.of(kind))
    act = extending[-1] if extending else book.last(kind)
    book.remove(act)
    zh, en = _REMOVED["extension" if extending else kind]
    return Forgery(
        book.write(file, linked=False),
        LEDGER,
        f"平台把{zh}从账本里抽走,重做全部存证并让见证方重新签名",
        f"the platform takes {en} out of the log and has log and witnesses sign everything again",
    )


def _dropped(book: Book, file: Path) -> Forgery:
    """02: the winner's bid is left out when the list is frozen; nobody opens, reads or marks it."""
    scores = _scores(book)
    tied = {uscc for row in _avoidance(book) for uscc in row["organisations"]}
    record = {row["bid"]: row for row in book.document(book.last("opened")["record_hash"])}
    ranking = scores["result"]["ranking"]
    # A bidder on account of whom an expert was passed over would change the draw as well.
    victim = next((bid for bid in ranking if record[bid]["bidder"]["uscc"] not in tied), ranking[0])
    left = _leave_out(book, victim)
    scores["bids"] = [row for row in scores["bids"] if row["id"] != victim]
    scores["points"] = [row for row in scores["points"] if row["bid"] != victim]
    scores["abnormal"] = [row for row in scores["abnormal"] if row[1] != victim]
    commitments = {row["seat"]: row for row in book.last("scores_committed")["commitments"]}
    for row in book.document(book.last("scores_locked")["sheets_hash"]):
        row["sheet"]["items"] = [each for each in row["sheet"]["items"] if each["bid"] != victim]
        digest = sha256(SHEET_LABEL + bytes.fromhex(row["salt"]) + jcs.dumps(row["sheet"])).hexdigest()
        book.swap[commitments[row["seat"]]["commitment"]] = digest
    _tell_on(book)
    enough = left >= book.last("tender")["bids_min"]
    return Forgery(
        book.write(file),
        BIDS if enough else TIME_LIMITS,
        "封存清单时少列一份已收到的投标,其后的开标、评标、定标全部按少一份重做",
        "the list leaves out a bid that was received; opening, scoring and award are made again without it",
    )


def _repriced(book: Book, file: Path) -> Forgery:
    """03: the price of a bid that lost is announced as one that wins; everything after it is counted from that."""
    scores = _scores(book)
    record = {row["bid"]: row for row in book.document(book.last("opened")["record_hash"])}
    prices = {row["id"]: row["price"] for row in scores["bids"]}
    ranking = scores["result"]["ranking"]
    others = ranking[1 : 1 + FRIENDS] or ranking
    for friend in others:
        fen = _better_price(scores, friend, was=record[friend]["price_fen"])
        if recount.count(scores).groups[0][0] == friend:
            break
        _set_price(scores, friend, prices[friend])
    else:
        # Nobody's price makes up for the marks: then the second's is made as good as it can be.
        friend = others[0]
        fen = _better_price(scores, friend, was=record[friend]["price_fen"])
    row = record[friend]
    row.update(price_fen=fen, price_words=amount.words(fen))
    _tell_on(book)
    return Forgery(
        book.write(file),
        OPENING,
        f"开标室与复核方共同改动 {row['bidder']['name']} 的开标价,重新签名,并据此重算评分与名次",
        f"room and verifier announce and sign another price for {row['bidder']['name']}; scores and ranking follow it",
    )


def _seated(book: Book, file: Path) -> Forgery:
    """04: somebody else of the pool sits in a seat, in the result and in every act after it."""
    result = book.last("draw_result")
    pool = next(act for act in book.of("draw_pool") if act["draw_id"] == result["draw_id"])
    moved = [act for act in book.of("recusal") if act["draw_id"] == result["draw_id"]]
    named = {row["masked"] for row in result["seats"]} | set(result["avoided"])
    named |= {masked for act in moved for masked in (act["out"], act["in"], *act["avoided"])}
    strata = book.document(pool["pool_hash"])["strata"]
    free = [row for row in result["seats"] if row["seat"] not in {act["seat"] for act in moved}] or result["seats"]
    row, friend = next(
        (row, masked) for row in free for masked in strata[row["stratum"]]["masked"] if masked not in named
    )
    drawn = row["masked"]
    row["masked"] = friend
    for act in moved:
        act.body["out"] = friend if act["out"] == drawn else act["out"]
    for each in book.last("scores_committed")["commitments"]:
        each["masked"] = friend if each["masked"] == drawn else each["masked"]
    return Forgery(
        book.write(file),
        DRAW,
        f"第 {row['seat']} 席换成并未抽中的人,并以其名义承诺评分",
        f"seat {row['seat']} goes to somebody whom the draw did not give, and the marks are committed in that name",
    )


def _marked(book: Book, file: Path) -> Forgery:
    """05: one sheet after another gives the second candidate everything and the first nothing, until the second wins.
    What the panel committed to before anybody saw a mark stays in the log."""
    scores, terms = _scores(book), book.document(book.last("tender")["terms_hash"])
    sheets = book.document(book.last("scores_locked")["sheets_hash"])
    first, friend = (scores["result"]["ranking"] * 2)[:2]
    most = {item["code"]: item["max"] for item in terms["items"]}
    seats = []
    for row in sheets:
        wanted = {friend: most, first: dict.fromkeys(most, "0")} if friend != first else {friend: most}
        for each in row["sheet"]["items"]:
            if each["bid"] in wanted:
                each["points"] = _two_places(wanted[each["bid"]][each["item"]])
        marks = {(each["bid"], each["item"]): each["points"] for each in row["sheet"]["items"]}
        for each in scores["points"]:
            if each["expert"] == str(row["seat"]):
                each["points"] = marks[each["bid"], each["item"]]
        seats.append(str(row["seat"]))
        if recount.count(scores).groups[0][0] == friend:
            break
    _tell_on(book)
    where = "、".join(seats)
    return Forgery(
        book.write(file),
        SCORES,
        f"评分公开之后,第 {where} 席更换评分表,抬高第二名、压低第一名",
        f"after the scores were shown, seat {', '.join(seats)} swaps its sheet: raises the second, lowers the first",
    )


def _leave_out(book: Book, victim: str) -> int:
    """Take a bid out of list, shares, verdicts and opening record; returns how many the list still has."""
    headers: set[str] = set()
    for act in book.of("freeze"):
        rows = book.document(act["list_hash"])
        headers |= {name for row in rows if row["bid"] == victim for name in row["headers"]}
        rows[:] = [row for row in rows if row["bid"] != victim]
        act.body["n"] = len(rows)
    for act in book.of("ready"):
        act.body["complaints"] = [row for row in act["complaints"] if row["header"] not in headers]
    for act in book.of("release"):
        for rows in book.document(act["shares_hash"]).values():
            rows[:] = [row for row in rows if row["header"] not in headers]
    for kind, name, counted in (("verdict", "verdicts_hash", "valid"), ("opened", "record_hash", "n")):
        for act in book.of(kind):
            rows = book.document(act[name])
            act.body[counted] -= sum(row["bid"] == victim for row in rows)
            rows[:] = [row for row in rows if row["bid"] != victim]
    return int(book.last("freeze")["n"])


def _better_price(scores: dict[str, Any], friend: str, *, was: int) -> int:
    """A price in fen, as near the benchmark as may be, with which `friend` ranks first, or the nearest if none does;
    it stands in `scores` then."""
    ceiling = None if scores["max_price"] is None else Fraction(scores["max_price"]) * 100
    around = recount.count(scores).base * 100
    apart = (Fraction(n // 2 * (-1) ** n * PRICE_STEP_PER_MILLE, 1000) for n in range(1, PRICE_STEPS + 1))
    steps = [round(around * (1 + share)) for share in apart]
    fit = [fen for fen in steps if fen > 0 and fen != was and (ceiling is None or fen <= ceiling)]
    assert fit, "a benchmark is a mean of prices under the ceiling, or fixed below it"
    for fen in fit:
        _set_price(scores, friend, _yuan(fen))
        if recount.count(scores).groups[0][0] == friend:
            return fen
    _set_price(scores, friend, _yuan(fit[0]))
    return fit[0]


def _set_price(scores: dict[str, Any], bid: str, yuan: str) -> None:
    next(row for row in scores["bids"] if row["id"] == bid)["price"] = yuan


def _tell_on(book: Book) -> None:
    """Whatever follows from marks and prices, told again: result, table, report, candidates, award, contract."""
    scores = _scores(book)
    counted = recount.count(scores)
    points = scores["method"]["round"]
    ranking = [bid for group in counted.groups for bid in group]

    def told(values: Mapping[str, Fraction], point: str) -> dict[str, str]:
        return {bid: _decimal(counted.shown(value, point), points[point]) for bid, value in values.items()}

    price_scores, totals = told(counted.scores, "score"), told(counted.totals, "total")
    base = _decimal(counted.shown(counted.base, "base"), points["base"])
    scores["result"] = {"base": base, "scores": price_scores, "totals": totals, "ranking": ranking}
    marks = told(counted.points, "points")
    book.document(book.last("scores_locked")["table_hash"])["bids"] = [
        {"bid": bid, "price_score": price_scores[bid], "points": marks[bid], "total": totals[bid], "rank": rank}
        for rank, bid in enumerate(ranking, start=1)
    ]
    record = {row["bid"]: row for row in book.document(book.last("opened")["record_hash"])}
    places = [
        {"rank": rank, "bid": bid, "price_fen": record[bid]["price_fen"], "total": totals[bid]}
        for rank, bid in enumerate(ranking, start=1)
    ]
    publicity = book.last("publicity")
    count = min(len(publicity["candidates"]), len(places))
    if book.shown.full:
        book.document(book.last("report")["report_hash"]).update(ranking=places, candidates=places[:count])
    named = ("bidder", "period_days", "quality", "leader")
    publicity.body["candidates"] = [
        {**place, **{name: record[str(place["bid"])][name] for name in named}} for place in places[:count]
    ]
    for act in book.of("award"):
        _award(book, act, publicity["candidates"][min(act["rank"], count) - 1])
    for act in book.of("contract"):
        won = record[book.last("award")["bid"]]
        act.body.update({name: won[name] for name in ("bid", "price_fen", "period_days")})


def _award(book: Book, act: Entry, row: Mapping[str, Any]) -> None:
    """The award and its notice, to this candidate."""
    act.body.update({name: row[name] for name in ("rank", "bid", "bidder", "price_fen")})
    notice = book.document(act["notice_hash"])
    notice.update(winner=row["bidder"], price_fen=row["price_fen"])


def _scores(book: Book) -> dict[str, Any]:
    """scores.json of the tender. Raises Refused when its method gives no marks."""
    scores = book.document(book.last("scores_locked")["scores_hash"])
    if not isinstance(scores, dict) or scores.get("method", {}).get("name") != "benchmark":
        raise Refused("forgeries_need_an_award", file=book.shown.archive.path.name)
    return scores


def _avoidance(book: Book) -> list[dict[str, Any]]:
    """The facts of conflict that were fixed with the last pool."""
    facts: list[dict[str, Any]] = book.document(book.last("draw_pool")["avoidance_hash"])["facts"]
    return facts


def _decimal(value: Fraction, decimals: int | None) -> str:
    """A value that is rounded already, with the digits of its rounding point."""
    if decimals is None:
        return recount.text(value)
    return str((Decimal(value.numerator) / value.denominator).quantize(Decimal(1).scaleb(-decimals)))


def _two_places(points: str) -> str:
    return str(Decimal(points).quantize(Decimal("0.01"), ROUND_HALF_UP))


def _yuan(fen: int) -> str:
    return f"{fen // 100}.{fen % 100:02d}"


_REMOVED: Final[Mapping[str, tuple[str, str]]] = {
    "extension": ("顺延投标截止时间的文书", "the act that extends the deadline"),
    "amendment": ("一份澄清", "a clarification"),
    "hold": ("暂停招标投标活动的记录", "the hold of the process"),
    "directive": ("监督部门的指令", "the supervisor's directive"),
    "recusal": ("评标专家的递补记录", "the replacement of an expert"),
    "ready": ("受托人的就绪声明", "a trustee's word that it is ready"),
}
