"""One step of preparing a tender: fields and rows, read from a posted form, kept as typed, and shown again.

A field's name is its place in the document (`project.name`), a row's cell is `items.0.name`. A draft may hold less than
a whole document and more than the law allows; nothing is refused for being unfinished.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from litestar import Request

from trading.counter.page import forms
from trading.counter.page.forms import Field, Filled, Words

Draft = dict[str, Any]
ROWS_MAX = 100


@dataclass(frozen=True, slots=True)
class Rows:
    """A part of a step that has any number of rows: its place in the document, its name, the cells of one row."""

    name: str
    zh: str
    en: str
    cells: tuple[Field, ...]
    hint: Words | None = None


@dataclass(frozen=True, slots=True)
class Step:
    """One page of the guided flow."""

    name: str
    zh: str
    en: str
    fields: tuple[Field, ...] = ()
    rows: tuple[Rows, ...] = ()


async def read(request: Request[Any, Any, Any], step: Step) -> tuple[Filled, dict[str, int]]:
    """A posted step: its fields and the cells of all its rows as one form, and how many rows each part shows.

    A row in which nothing was typed is no row. With `do=more:<part>` one empty row more is shown.
    """
    posted = await request.form()
    wish = str(posted.get("do") or "")
    fields, counts = list(step.fields), {}
    for part in step.rows:
        kept = 0
        for number in range(min(ROWS_MAX, _rows_posted(posted, part.name))):
            typed = [str(posted.get(f"{part.name}.{number}.{cell.name}") or "") for cell in part.cells]
            empty = not any(text.strip() for text, cell in zip(typed, part.cells, strict=True) if cell.kind != "choice")
            fields += [replace(one, required=False) if empty else one for one in cells(part, number)]
            kept = number + 1
        counts[part.name] = kept + (wish == f"more:{part.name}")
        if wish == f"more:{part.name}":
            fields += cells(part, kept)
    return await forms.read(request, fields) if wish[:5] != "more:" else await _read_loosely(request, fields), counts


def shown(step: Step, draft: Mapping[str, Any]) -> tuple[Filled, dict[str, int]]:
    """A step filled from a draft, with one empty row in a part that has none."""
    values: dict[str, Any] = {one.name: form_value(one, at(draft, one.name)) for one in step.fields}
    fields, counts = list(step.fields), {}
    for part in step.rows:
        rows: Sequence[Mapping[str, Any]] = at(draft, part.name) or []
        counts[part.name] = max(1, len(rows))
        for number in range(counts[part.name]):
            own = cells(part, number)
            fields += own
            row = rows[number] if number < len(rows) else {}
            values |= {one.name: form_value(one, row.get(cell.name)) for one, cell in zip(own, part.cells, strict=True)}
    return forms.blank(fields, {name: value for name, value in values.items() if value is not None}), counts


def cells(part: Rows, number: int) -> list[Field]:
    """The fields of one row; labels carry the row's number, so that they are told apart by ear."""
    return [
        replace(
            cell,
            name=f"{part.name}.{number}.{cell.name}",
            zh=f"第{number + 1}项 {cell.zh}",
            en=f"{cell.en} ({number + 1})",
        )
        for cell in part.cells
    ]


def rows_of(filled: Filled, part: Rows) -> list[dict[str, Any]]:
    """The rows of a part that hold something, as values by cell name."""
    found = []
    for number in range(ROWS_MAX):
        names = {cell.name: f"{part.name}.{number}.{cell.name}" for cell in part.cells}
        if not any(name in filled.typed for name in names.values()):
            break
        typed = [filled.typed.get(names[cell.name], "") for cell in part.cells if cell.kind != "choice"]
        if any(text.strip() for text in typed):
            found.append({cell: filled.values.get(name) for cell, name in names.items()})
    return found


def at(draft: Mapping[str, Any], path: str) -> Any:
    """What stands at a place of a draft, None where nothing does."""
    value: Any = draft
    for part in path.split("."):
        value = value.get(part) if isinstance(value, Mapping) else None
    return value


def put(draft: Draft, path: str, value: Any) -> None:
    """Write one place of a draft, making the parts above it."""
    *above, last = path.split(".")
    for part in above:
        inner = draft.get(part)
        if not isinstance(inner, dict):
            inner = draft[part] = {}
        draft = inner
    draft[last] = value


def form_value(one: Field, value: Any) -> Any:
    """A value of the document as its field holds it."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if one.kind == "choice" and isinstance(value, int):
        return str(value)
    if one.kind == "points" and isinstance(value, str):
        return forms.understood(replace(one, required=False), value)
    return value


def _rows_posted(posted: Mapping[str, Any], part: str) -> int:
    numbers = [name.removeprefix(f"{part}.").split(".")[0] for name in posted if name.startswith(f"{part}.")]
    return 1 + max((int(text) for text in numbers if text.isdecimal() and len(text) < 4), default=-1)


async def _read_loosely(request: Request[Any, Any, Any], fields: Sequence[Field]) -> Filled:
    """A form that only asked for one row more: what was typed is kept, nothing is judged yet."""
    filled = await forms.read(request, fields)
    return replace(filled, errors={})
