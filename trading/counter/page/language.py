"""Languages of pages: Chinese at /…, English at /en/…; how instants, days and money are written in each.

A page is wholly in one language. `t("中文", "English")` in a template keeps both sentences where they are used, so
neither can be forgotten; what people typed (names, texts) is marked with its own language by `said`.
"""

from __future__ import annotations

import re
from datetime import date, datetime
from decimal import Decimal
from typing import Any, Literal

from litestar.enums import ScopeType
from litestar.types import ASGIApp, Receive, Scope, Send
from markupsafe import Markup, escape

from crypto import amount
from storage.world import instant
from trading.calendar import CHINA

Lang = Literal["zh", "en"]
PREFIX = "/en"
WEEKDAYS = "一二三四五六日"
_SIGNS = "\u3000-\u303f\u3400-\u9fff\uf900-\ufaff\uff00-\uffef"
CHINESE = re.compile(
    rf"((?:\d+)?[{_SIGNS}]+(?:[^\S\n]*[\d(《〔][^\x21-\x2f\x3a-\x7e{_SIGNS}]*[{_SIGNS}]+|[{_SIGNS}]+)*)"
)
"""A run of Chinese: signs and full-width marks, and figures that stand between or before them."""


class LanguagePrefix:
    """What stands before the application: strips /en and remembers the language in scope["tradehall_lang"]."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on under the address it has in every language."""
        if scope["type"] == ScopeType.HTTP:
            path = scope["path"]
            english = path == PREFIX or path.startswith(PREFIX + "/")
            told: Any = scope
            told["tradehall_lang"] = "en" if english else "zh"
            if english:
                told["path"] = path[len(PREFIX) :] or "/"
                told["raw_path"] = told["path"].encode()
        await self.app(scope, receive, send)


def of(scope: Any) -> Lang:
    """The language of a request."""
    return "en" if scope.get("tradehall_lang") == "en" else "zh"


def address(path: str, lang: Lang) -> str:
    """A path of this hall in a language: `/lots/X` → `/en/lots/X`."""
    return (PREFIX + path).rstrip("/") or "/" if lang == "en" else path


def translated(lang: Lang, zh: str, en: str, **facts: Any) -> Markup:
    """One of two sentences, with `%(name)s` filled in; facts are escaped, the sentences are the template's own."""
    sentence = Markup(zh if lang == "zh" else en)
    return sentence % {name: escape(value) for name, value in facts.items()} if facts else sentence


def said(lang: Lang, text: Any, of_: str = "zh") -> Markup:
    """What somebody typed, escaped; marked with its language where that is not the page's."""
    return escape(text) if lang == of_ else Markup('<span lang="{}">{}</span>').format(of_, text)


def mixed(lang: Lang, text: Any) -> Markup:
    """A text of the page's own language in which names and articles of the law stand as they are: on an English page
    every Chinese run is marked as Chinese."""
    if lang == "zh":
        return escape(text)
    pieces = CHINESE.split(str(text))
    return Markup("").join(
        Markup('<span lang="zh">{}</span>').format(piece) if number % 2 else escape(piece)
        for number, piece in enumerate(pieces)
    )


def moment(lang: Lang, text: str | datetime | None, *, seconds: bool = False) -> Markup:
    """An instant as people here read it, in Asia/Shanghai: 2026年3月24日(周二)09:30, or 24 Mar 2026, 09:30."""
    if not text:
        return Markup("—")
    at = (instant(text) if isinstance(text, str) else text).astimezone(CHINA)
    clock = f"{at:%H:%M:%S}" if seconds else f"{at:%H:%M}"
    shown = f"{_day(lang, at.date())} {clock}"
    return Markup('<time datetime="{}">{}</time>').format(at.isoformat(), shown)


def day(lang: Lang, text: str | date | None) -> Markup:
    """A legal day: 2026年3月24日(周二), or 24 Mar 2026."""
    if not text:
        return Markup("—")
    one = date.fromisoformat(text) if isinstance(text, str) else text
    return Markup('<time datetime="{}">{}</time>').format(one.isoformat(), _day(lang, one))


def _day(lang: Lang, one: date) -> str:
    if lang == "zh":
        return f"{one.year}年{one.month}月{one.day}日(周{WEEKDAYS[one.weekday()]})"
    return f"{one.day} {one:%b %Y}"


def money(lang: Lang, fen: int | None) -> str:
    """Integer fen as yuan: 24,390,646.39 元, or CNY 24,390,646.39."""
    if fen is None:
        return "—"
    figure = f"{Decimal(fen) / 100:,.2f}"
    return f"{figure} 元" if lang == "zh" else f"CNY {figure}"


def capitals(fen: int) -> Markup:
    """大写金额 of integer fen, marked as Chinese."""
    return Markup('<span lang="zh">{}</span>').format(amount.words(fen))


def points(hundredths: int | None) -> str:
    """Integer hundredths of a point with two decimals: 8765 → 87.65."""
    return "—" if hundredths is None else f"{Decimal(hundredths) / 100:.2f}"
