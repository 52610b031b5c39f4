"""The pieces of the opening hall's pages, rendered from a scene: the page is made of them, and events bring new ones.

One rendering for both, so that a reload shows exactly what the live page shows.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from jinja2 import Environment
from markupsafe import Markup

from bidding.opening_hall import chart, wording
from bidding.opening_hall.scene import Scene
from storage.world import instant
from trading.calendar import CHINA
from trading.counter.page import language
from trading.counter.page.language import Lang

NAMES = ("stage", "steps", "people", "board", "signed", "story")
WIDE, NARROW = 720, 350


def render(environment: Environment, scene: Scene, lang: Lang, *, now: str) -> Mapping[str, Markup]:
    """Every part by its name. `now` is shown where a page without scripts needs the time."""
    numbers = {row["bid"]: number for number, row in enumerate(scene.record, start=1)}
    priced = sorted(((numbers[row["bid"]], row["price_fen"]) for row in scene.record), key=lambda one: one[1])
    charts = [chart.prices(priced, ceiling=scene.max_price_fen, lang=lang, width=width) for width in (WIDE, NARROW)]
    module = environment.get_template("hall_parts.html").make_module(
        {**manners(lang), "scene": scene, "numbers": numbers, "charts": charts, "now": now, "w": wording}
    )
    return {name: Markup(str(getattr(module, name)()).strip()) for name in NAMES}


def manners(lang: Lang) -> dict[str, Any]:
    """How a page of this language writes sentences, instants and money (as Pages gives them to a whole page)."""
    return {
        "lang": lang,
        "t": lambda zh, en, **facts: language.translated(lang, zh, en, **facts),
        "pick": lambda pair: pair[0] if lang == "zh" else pair[1],
        "spoken": lambda text, of="zh": language.said(lang, text, of),
        "url": lambda path: language.address(path, lang),
        "moment": lambda text, **how: language.moment(lang, text, **how),
        "clock": clock,
        "money": lambda fen: language.money(lang, fen),
    }


def clock(text: str) -> Markup:
    """The time of day of an instant in Asia/Shanghai, whole to a machine: 10:06:00."""
    at = instant(text).astimezone(CHINA)
    return Markup('<time datetime="{}">{}</time>').format(at.isoformat(), f"{at:%H:%M:%S}")
