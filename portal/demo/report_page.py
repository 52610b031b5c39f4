"""The readable page of a finished rehearsal: report.json and its story as one HTML file (report.html.jinja).

Shows nothing that report.json and the narrative do not hold, so that the page cannot say more than the machine-readable
file. One file without scripts, fonts or pictures from elsewhere; everything is escaped, names of bidders included.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta, timezone
from decimal import ROUND_HALF_UP, Decimal
from itertools import groupby
from typing import Any

import jinja2

SHANGHAI = timezone(timedelta(hours=8))
BAR_PERCENT_MIN = 1.0  # A deviation smaller than this share of the scale is still to be seen.

STATUS = {
    "opened": ("开启", "opened"),
    "replaced": ("已替换", "replaced"),
    "withdrawn": ("已撤回", "withdrawn"),
    "late": ("逾期拒收", "late, refused"),
    "lost": ("平台丢失", "lost by the platform"),
    "unopened": ("未能开启", "unopened"),
    "invalid": ("无效", "invalid"),
}
RESULT = {"passed": ("通过", "passed"), "failed": ("不通过", "failed"), "not_shown": ("未出示", "not shown")}
CHECKS = (
    ("文件与哈希", "files and hashes"),
    ("信任锚", "trust anchors"),
    ("账本：包含、一致、连续", "ledger: inclusion, consistency, no gap"),
    ("顺序与时限", "order and time limits"),
    ("人员、角色、权力编码", "persons, roles, power codes"),
    ("投标：一份不多，一份不少", "bids: none added, none dropped"),
    ("开标：份额与复算", "opening: shares and re-derivation"),
    ("专家抽取与递补", "draw and replacements"),
    ("评分：先承诺后公布，复算一致", "scores: committed, then shown; recount"),
    ("公示、异议、中标、合同", "publicity, objections, award, contract"),
)
WHY = {
    "recused": ("回避", "recused"),
    "declined": ("谢绝邀请", "declined"),
    "no_answer": ("三次未应答", "no answer"),
    "avoided": ("应当回避", "in conflict"),
}
_WEEKDAYS = (
    ("周一", "Mon"),
    ("周二", "Tue"),
    ("周三", "Wed"),
    ("周四", "Thu"),
    ("周五", "Fri"),
    ("周六", "Sat"),
    ("周日", "Sun"),
)


def render(
    report: Mapping[str, Any],
    *,
    narrative: Sequence[Mapping[str, str]],
    title: str,
    names: Mapping[str, str],
    command: str,
) -> str:
    """The page. `report` is report.json (docs/contract.md); `narrative` is [{"at","zh","en"}] in order of time, `at` an
    instant with Z or offset; `title` names the lot, `names` the bidders by NN; `command` verifies the bundle.
    """
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("portal.demo", "."),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["yuan"] = yuan
    environment.filters["grouped"] = grouped
    return environment.get_template("report.html.jinja").render(
        report=report,
        title=title,
        names=names,
        command=command,
        days=list(_days(narrative)),
        ranking=_ranking(report),
        statuses=STATUS,
        results=RESULT,
        checks=CHECKS,
        whys=WHY,
    )


def yuan(fen: int) -> str:
    """Integer fen as yuan with thousands separators: 2611847725 → "26,118,477.25"."""
    whole, part = divmod(fen, 100)
    return f"{whole:,}.{part:02d}"


def grouped(decimal: str) -> str:
    """A decimal string with thousands separators and every digit it had."""
    whole, point, part = decimal.partition(".")
    return f"{int(whole):,}{point}{part}"


def _days(narrative: Iterable[Mapping[str, str]]) -> Iterable[dict[str, Any]]:
    """The story by legal day, each entry with its local time."""
    told = [(datetime.fromisoformat(entry["at"]).astimezone(SHANGHAI), entry) for entry in narrative]
    for day, entries in groupby(told, key=lambda pair: pair[0].date()):
        yield {
            "date": day.isoformat(),
            "weekday": _WEEKDAYS[day.weekday()],
            "entries": [{"time": f"{at:%H:%M}", "zh": entry["zh"], "en": entry["en"]} for at, entry in entries],
        }


def _ranking(report: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The ranking with price and distance from the benchmark; `bar` is a percentage of the widest, for drawing only."""
    base = Decimal(report["benchmark"])
    prices = {row["bidder"]: row["price_fen"] for row in report["opening"] if row["status"] == "opened"}
    apart = {bidder: (Decimal(fen) / 100 - base) / base * 100 for bidder, fen in prices.items()}
    widest = max((abs(share) for share in apart.values()), default=Decimal(0)) or Decimal(1)
    return [
        {
            **row,
            "price_fen": prices[row["bidder"]],
            "deviation": f"{apart[row['bidder']].quantize(Decimal('0.01'), ROUND_HALF_UP):+}",
            "above": apart[row["bidder"]] > 0,
            "bar": round(max(float(abs(apart[row["bidder"]]) / widest) * 100, BAR_PERCENT_MIN), 1),
        }
        for row in report["ranking"]
    ]
