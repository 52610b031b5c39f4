"""The fields of every act and object, as tables: what is not listed is refused (docs/spec/acts.md, bundle.md §3, §5).

A shape is a function from a value to None that raises Misshapen; `check` adds where the value stands. After check 0
every later check may rely on these types. Hashes are lower-case hex, instants and money as acts.md §1 says.

Where a field stands is put together only once one is wrong: of a million fields of a large tender none should be.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from typing import Any, Final

Shape = Callable[[Any], None]

TEXT_LENGTH_MAX: Final = 20_000
LEAST_MILLISECOND: Final = timedelta(milliseconds=1)

_INSTANT = re.compile(r"[1-9][0-9]{3}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\.[0-9]{3}Z")


class Misshapen(Exception):
    """A value does not have the form this page gives it; `path` names the field."""

    def __init__(self, path: str, wanted: str) -> None:
        super().__init__(path, wanted)
        self.path = path
        self.wanted = wanted

    def __str__(self) -> str:
        return f"{self.path}: {self.wanted}"

    def under(self, path: str) -> Misshapen:
        """The same of a value that stands under `path`."""
        return Misshapen(path + self.path, self.wanted)


def check(shape: Shape, value: Any, path: str) -> None:
    """The value under `path` has the shape. Raises Misshapen."""
    try:
        shape(value)
    except Misshapen as wrong:
        raise wrong.under(path) from None


def record(**fields: Shape) -> Shape:
    """An object with exactly these fields."""
    names = fields.keys()

    def shape(value: Any) -> None:
        if not isinstance(value, dict):
            raise Misshapen("", "an object")
        complete = value.keys() == names
        if not complete:
            _refuse_unknown(value, fields)
        for name, inner in fields.items():
            if not complete and name not in value:
                raise Misshapen(f".{name}", "is missing")
            try:
                inner(value[name])
            except Misshapen as wrong:
                raise wrong.under(f".{name}") from None

    return shape


def rows(inner: Shape, *, least: int = 0) -> Shape:
    """A list whose every item has the shape."""

    def shape(value: Any) -> None:
        if not isinstance(value, list) or len(value) < least:
            raise Misshapen("", f"a list of at least {least}")
        for number, item in enumerate(value):
            try:
                inner(item)
            except Misshapen as wrong:
                raise wrong.under(f"[{number}]") from None

    return shape


def by_name(inner: Shape) -> Shape:
    """An object whose names are free and whose values have the shape."""

    def shape(value: Any) -> None:
        if not isinstance(value, dict):
            raise Misshapen("", "an object")
        for name, item in value.items():
            check(inner, item, f".{name[:60]}")

    return shape


def maybe(inner: Shape) -> Shape:
    """null or the shape."""

    def shape(value: Any) -> None:
        if value is not None:
            inner(value)

    return shape


def one_of(*choices: Any) -> Shape:
    """One of these values, type included."""
    wanted = "one of " + ", ".join(map(str, choices))

    def shape(value: Any) -> None:
        for choice in choices:
            if value == choice and type(value) is type(choice):
                return
        raise Misshapen("", wanted)

    return shape


def matching(pattern: str, wanted: str) -> Shape:
    """A text that matches the whole pattern."""
    matches = re.compile(pattern).fullmatch

    def shape(value: Any) -> None:
        if not isinstance(value, str) or matches(value) is None:
            raise Misshapen("", wanted)

    return shape


def whole(low: int, high: int = 2**53 - 1) -> Shape:
    """An integer in low … high."""

    def shape(value: Any) -> None:
        if type(value) is not int or not low <= value <= high:
            raise Misshapen("", f"an integer from {low}")

    return shape


def hexed(length: int) -> Shape:
    """`length` bytes in lower-case hex."""
    return matching(f"[0-9a-f]{{{2 * length}}}", f"{length} bytes in hex")


def anything(value: Any) -> None:
    """Any JSON value: its hash alone is judged."""


def text(value: Any) -> None:
    """A text of at most 20,000 characters, empty allowed."""
    if not isinstance(value, str) or len(value) > TEXT_LENGTH_MAX:
        raise Misshapen("", "a text")


def any_text(value: Any) -> None:
    """A text of any length."""
    if not isinstance(value, str):
        raise Misshapen("", "a text")


def flag(value: Any) -> None:
    """true or false."""
    if not isinstance(value, bool):
        raise Misshapen("", "true or false")


def moment(value: Any) -> None:
    """`YYYY-MM-DDTHH:MM:SS.mmmZ`."""
    try:
        instant(value)
    except (TypeError, ValueError):
        raise Misshapen("", "an instant") from None


def legal_day(value: Any) -> None:
    """`YYYY-MM-DD`."""
    try:
        if not isinstance(value, str) or date.fromisoformat(value).isoformat() != value:
            raise ValueError
    except ValueError:
        raise Misshapen("", "a day") from None


def instant(value: str) -> datetime:
    """An aware UTC datetime from its one text form, from the year 1000 on. Raises ValueError, TypeError."""
    if _INSTANT.fullmatch(value) is None:
        raise ValueError(value)
    read = datetime.fromisoformat(value[:-1])
    # Later Pythons read 24:00:00 as the next day's midnight.
    if read.isoformat(timespec="milliseconds") != value[:-1]:
        raise ValueError(value)
    return read.replace(tzinfo=UTC)


def _refuse_unknown(value: dict[str, Any], fields: dict[str, Shape]) -> None:
    for name in value:
        if name not in fields:
            raise Misshapen(f".{name}", "no such field")
