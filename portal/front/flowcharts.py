"""Flow charts of the powers and of a tender's life (权力运行流程图), drawn from the tables that the program obeys.

trading/lifecycle.TRANSITIONS is the only list of what may happen; the chart and its text beside it are made from it
when the page is asked for, so neither can tell another story. The picture is hidden from those who cannot see it: the
table says the same.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass, field
from functools import lru_cache

from markupsafe import Markup, escape

from portal.front import wording
from trading.counter.page import terms
from trading.counter.page.language import Lang
from trading.lifecycle import CAUSED_BY, TERMINAL, TRANSITIONS, State, Transition

WIDTH = 440
LEFT, RIGHT = 80, 332
MIDDLE = (LEFT + RIGHT) // 2
LINE, GAP, PAD = 17, 46, 10
RAIL_LEFT, RAIL_RIGHT = 37, 388


@dataclass(slots=True)
class Box:
    """One state on the chart: its lines of text and where it stands."""

    state: State
    title: str
    notes: list[str]
    y: int = 0
    x: tuple[int, int] = (LEFT, RIGHT)
    height: int = 0


@dataclass(slots=True)
class Row:
    """One line of the table that says what the chart shows."""

    row: str
    event: str
    frm: list[State] = field(default_factory=list)
    to: list[State] = field(default_factory=list)
    rules: list[str] = field(default_factory=list)
    who: tuple[str, ...] = ()


@lru_cache(maxsize=64)
def table() -> list[Row]:
    """TRANSITIONS as rows for people: one for each row id and event, with every state it starts from and leads to."""
    rows: dict[tuple[str, str], Row] = {}
    for each in TRANSITIONS:
        row = rows.setdefault((each.row, each.event), Row(each.row, each.event, who=CAUSED_BY[each.event]))
        for known, found in ((row.frm, each.frm), (row.to, each.to)):
            if found not in known:
                known.append(found)
        row.rules += [rule for rule in each.rules if rule not in row.rules]
    return sorted(rows.values(), key=lambda row: int(row.row[1:]))


def main_line() -> list[State]:
    """The states of a tender that goes well, in order: from draft on always the first way forward."""
    order = list(State)
    line = [State.DRAFT]
    while True:
        ahead = [
            row.to
            for row in TRANSITIONS
            if row.frm is line[-1] and row.to not in TERMINAL and order.index(row.to) > order.index(line[-1])
        ]
        # A side state (too few bids) leads to an end only; the line goes where the way goes on.
        ahead = [to for to in ahead if any(row.frm is to and row.to not in (to, *TERMINAL) for row in TRANSITIONS)] or [
            to for to in ahead if to is State.CONTRACTED
        ]
        if not ahead:
            return line
        line.append(min(ahead, key=order.index))


@lru_cache(maxsize=64)
def lifecycle(lang: Lang) -> Markup:
    """The whole life of a lot as SVG: the main line in the middle, ends at both sides."""
    line = main_line()
    boxes = _stacked(line, lang)
    at = {box.state: box for box in boxes}
    parts: list[str] = []
    for upper, lower in itertools.pairwise(boxes):
        ways = [row for row in TRANSITIONS if row.frm is upper.state and row.to is lower.state]
        parts.append(_arrow(MIDDLE, upper.y + upper.height, lower.y))
        label = " / ".join(dict.fromkeys(_word(row, lang) for row in ways))
        parts.append(_text(MIDDLE + 10, (upper.y + upper.height + lower.y) // 2 + 4, label, "way"))
    foot = boxes[-1].y + boxes[-1].height
    side = next(state for state in State if state not in at and state not in TERMINAL)
    parts += _left_side(at, boxes, lang)
    parts += _right_side(at, side, foot + GAP, lang)
    parts += [_box(box) for box in boxes]
    height = foot + GAP + 52
    return Markup(
        f'<svg class="flow" viewBox="0 0 {WIDTH} {height}" width="{WIDTH}" height="{height}" aria-hidden="true" '
        f'focusable="false">{_HEAD}{"".join(parts)}</svg>'
    )


@lru_cache(maxsize=64)
def steps(text: str, lang: Lang) -> Markup:
    """The steps of a power's flow ("核实 → 下达") as a chain of boxes, wrapped into lines."""
    names = [one.strip() for one in text.split("→") if one.strip()]
    width, x, y = 420, 4, 4
    parts: list[str] = []
    for number, name in enumerate(names):
        wide = _width(name) + 24
        if x + wide > width - 20:
            x, y = 4, y + 52
        parts.append(
            f'<rect class="state" x="{x}" y="{y}" width="{wide}" height="34" rx="6"/>'
            f'<text class="title" lang="zh" x="{x + wide / 2}" y="{y + 22}" text-anchor="middle">{escape(name)}</text>'
        )
        x += wide
        if number + 1 < len(names):
            if x + 28 + _width(names[number + 1]) + 24 <= width - 20:
                parts.append(f'<path class="way" d="M{x + 3} {y + 17}H{x + 21}" marker-end="url(#head)"/>')
            else:
                parts.append(f'<path class="way" d="M{x + 3} {y + 17}h12v26H20v6" marker-end="url(#head)"/>')
            x += 28
    return Markup(
        f'<svg class="flow" viewBox="0 0 {width} {y + 44}" width="{width}" height="{y + 44}" aria-hidden="true" '
        f'focusable="false">{_HEAD}{"".join(parts)}</svg>'
    )


_HEAD = (
    '<defs><marker id="head" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" orient="auto">'
    '<path d="M0 0L8 4L0 8z"/></marker></defs>'
)


def _stacked(line: list[State], lang: Lang) -> list[Box]:
    boxes, y = [], 6
    for state in line:
        own = dict.fromkeys(_word(row, lang) for row in TRANSITIONS if row.frm is state and row.to is state)
        title = terms.state(state)[0 if lang == "zh" else 1]
        box = Box(state, title, _wrapped(list(own), lang), y)
        box.height = 2 * PAD + LINE + LINE * len(box.notes)
        boxes.append(box)
        y += box.height + GAP
    return boxes


def _left_side(at: dict[State, Box], boxes: list[Box], lang: Lang) -> list[str]:
    """Termination, and ways back to an earlier state."""
    parts = []
    ends = [row for row in TRANSITIONS if row.to is State.TERMINATED]
    below = at[ends[-1].frm]
    after = boxes[boxes.index(below) + 1]
    y = after.y + 4
    parts += [
        f'<path class="end" d="M{LEFT} {at[row.frm].y + at[row.frm].height // 2}H{RAIL_LEFT}V{y - 2}" '
        'marker-end="url(#head)"/>'
        for row in ends
    ]
    parts.append(_side_box(2, 70, y, terms.state(State.TERMINATED)[0 if lang == "zh" else 1], ends[0].row))
    order = [box.state for box in boxes]
    seen = set()
    for row in TRANSITIONS:
        back = row.frm in at and row.to in at and order.index(row.to) < order.index(row.frm)
        if back and (row.frm, row.to) not in seen:
            seen.add((row.frm, row.to))
            top, low = at[row.to], at[row.frm]
            parts.append(
                f'<path class="back" d="M{LEFT} {low.y + 14}H{LEFT - 22}V{top.y + top.height - 10}H{LEFT - 2}" '
                'marker-end="url(#head)"/>'
            )
            parts.append(_text(LEFT - 26, (low.y + top.y + top.height) // 2 + 6, row.row, "row", anchor="end"))
    return parts


def _right_side(at: dict[State, Box], side: State, foot: int, lang: Lang) -> list[str]:
    """The side state of too few bids, and failure."""
    parts = []
    into = next(row for row in TRANSITIONS if row.to is side and row.frm is not side)
    source = at[into.frm]
    y = source.y + source.height + GAP
    middle = source.y + source.height // 2
    parts.append(f'<path class="end" d="M{RIGHT} {middle}H{RAIL_RIGHT}V{y - 2}" marker-end="url(#head)"/>')
    parts.append(_text(RIGHT + 6, middle - 6, into.row, "row"))
    parts.append(_side_box(RAIL_RIGHT - 46, 94, y, terms.state(side)[0 if lang == "zh" else 1], ""))
    seen: dict[State, list[str]] = {}
    for row in TRANSITIONS:
        if row.to is State.FAILED and row.frm in at:
            seen.setdefault(row.frm, []).append(row.row)
    for state, rows in seen.items():
        start = at[state].y + at[state].height // 2
        parts.append(f'<path class="end" d="M{RIGHT} {start}H{RAIL_RIGHT}"/>')
        parts.append(_text(RIGHT + 6, start - 6, " ".join(dict.fromkeys(rows)), "row"))
    parts.append(f'<path class="end" d="M{RAIL_RIGHT} {y + 40}V{foot - 2}" marker-end="url(#head)"/>')
    parts.append(_side_box(RAIL_RIGHT - 46, 94, foot, terms.state(State.FAILED)[0 if lang == "zh" else 1], ""))
    return parts


def _box(box: Box) -> str:
    left, right = box.x
    parts = [f'<rect class="state" x="{left}" y="{box.y}" width="{right - left}" height="{box.height}" rx="8"/>']
    parts.append(_text((left + right) // 2, box.y + PAD + 13, box.title, "title", anchor="middle"))
    for number, note in enumerate(box.notes, start=1):
        parts.append(_text((left + right) // 2, box.y + PAD + 13 + LINE * number, note, "note", anchor="middle"))
    return "".join(parts)


def _side_box(x: int, wide: int, y: int, title: str, row: str) -> str:
    lines = _split(title, wide - 8)
    height = 14 + 15 * len(lines)
    parts = [f'<rect class="ended" x="{x}" y="{y}" width="{wide}" height="{height}" rx="8"/>']
    for number, text in enumerate(lines):
        parts.append(_text(x + wide // 2, y + 19 + 15 * number, text, "side", anchor="middle"))
    if row:
        parts.append(_text(x + wide // 2, y + height + 14, row, "row", anchor="middle"))
    return "".join(parts)


def _arrow(x: int, top: int, low: int) -> str:
    return f'<path class="way" d="M{x} {top}V{low - 2}" marker-end="url(#head)"/>'


def _text(x: int, y: int, text: str, kind: str, *, anchor: str = "start") -> str:
    return f'<text class="{kind}" x="{x}" y="{y}" text-anchor="{anchor}">{escape(text)}</text>'


def _word(row: Transition, lang: Lang) -> str:
    return wording.event(row.event)[0 if lang == "zh" else 1]


def _wrapped(words: list[str], lang: Lang) -> list[str]:
    """Words joined into lines that fit a box."""
    comma = "、" if lang == "zh" else ", "
    lines: list[str] = []
    for number, word in enumerate(words):
        text = word + (comma if number + 1 < len(words) else "")
        if lines and _width(lines[-1] + text) * 0.86 <= RIGHT - LEFT - 16:
            lines[-1] += text
        else:
            lines.append(text)
    return [line.rstrip() for line in lines]


def _split(text: str, wide: int) -> list[str]:
    """A title in the lines of a side box: at spaces, or in halves where there are none."""
    if _width(text) * 0.9 <= wide:
        return [text]
    if " " not in text:
        half = -(-len(text) // 2)
        return [text[:half], text[half:]]
    lines = [""]
    for piece in text.split(" "):
        if lines[-1] and _width(f"{lines[-1]} {piece}") * 0.9 > wide:
            lines.append(piece)
        else:
            lines[-1] = f"{lines[-1]} {piece}".strip()
    return lines


def _width(text: str) -> int:
    """About how wide a text of 14 units is."""
    return sum(14 if ord(sign) > 0x2E80 else 7 for sign in text)
