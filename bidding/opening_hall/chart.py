"""The chart of opened prices, as SVG made on the server: one line for each bid, the maximum price as a mark.

The table beside it says the same in words, so the chart is a picture for the eye alone. The axis does not begin at zero
(prices of one lot lie close together) and says where it begins.
"""

from __future__ import annotations

from collections.abc import Sequence

from markupsafe import Markup, escape

from trading.counter.page.language import Lang

WAN = 1_000_000
ROW = 30
TOP, BOTTOM = 34, 30


def prices(rows: Sequence[tuple[int, int]], *, ceiling: int | None, lang: Lang, width: int) -> Markup:
    """An SVG of `width` for rows of (number in the table, price in fen), in the order given."""
    if not rows:
        return Markup("")
    amounts = [price for _, price in rows] + ([ceiling] if ceiling else [])
    low, high = min(amounts), max(amounts)
    room = max((high - low) // 8, high // 200, 1)
    low, high = max(0, low - 2 * room), high + room
    left, right = 34, width - 92
    height = TOP + ROW * len(rows) + BOTTOM
    foot = TOP + ROW * len(rows)

    def x(fen: int) -> float:
        return round(left + (right - left) * (fen - low) / (high - low), 1)

    parts = [_axis(low, high, left, right, foot, lang)]
    if ceiling:
        word = "最高投标限价" if lang == "zh" else "max price"
        at = x(ceiling)
        anchor = "end" if at > width * 0.6 else "middle"
        parts.append(
            f'<line class="ceiling" x1="{at}" x2="{at}" y1="{TOP - 10}" y2="{foot}"/>'
            f'<text class="ceiling" x="{at}" y="{TOP - 16}" text-anchor="{anchor}">'
            f"{word} {_short(ceiling, lang)}</text>"
        )
    for place, (number, price) in enumerate(rows):
        y = TOP + ROW * place + ROW / 2
        parts.append(
            f'<g class="bid" data-id="{number}"><text class="which" x="{left - 10}" y="{y + 5}" text-anchor="end">'
            f'{number}</text><line class="reach" x1="{left}" x2="{x(price)}" y1="{y}" y2="{y}"/>'
            f'<circle cx="{x(price)}" cy="{y}" r="6"/>'
            f'<text class="price" x="{x(price) + 12}" y="{y + 5}">{escape(_short(price, lang))}</text></g>'
        )
    return Markup(
        f'<svg viewBox="0 0 {width} {height}" width="{width}" height="{height}" aria-hidden="true" '
        f'focusable="false">{"".join(parts)}</svg>'
    )


def _axis(low: int, high: int, left: int, right: int, foot: int, lang: Lang) -> str:
    ends = "".join(
        f'<text class="tick" x="{x}" y="{foot + 20}" text-anchor="{anchor}">{_short(fen, lang)}</text>'
        for x, fen, anchor in ((left, low, "start"), (right, high, "end"))
    )
    return f'<line class="axis" x1="{left}" x2="{right}" y1="{foot}" y2="{foot}"/>{ends}'


def _short(fen: int, lang: Lang) -> str:
    """A price in short: 2439.06 万元, CNY 24.39 m."""
    if lang == "zh":
        return f"{fen / WAN:.2f}万元"
    return f"{fen / WAN / 100:.2f} m"
