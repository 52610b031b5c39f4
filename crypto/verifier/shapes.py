"""The fields of every act and object, as tables: what is not listed is refused (docs/spec/acts.md, bundle.md §3, §5).

A shape is a function from a value to None that raises Misshapen with the path of the field that is wrong. After check 0
every later check may rely on these types. Hashes are lower-case hex, instants and money as acts.md §1 says.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from typing import Any, Final

Shape = Callable[[Any, str], None]

TEXT_LENGTH_MAX: Final = 20_000
LEAST_MILLISECOND: Final = timedelta(milliseconds=1)


class Misshapen(Exception):
    """A value does not have the form this page gives it; `path` names the field."""

    def __init__(self, path: str, wanted: str) -> None:
        super().__init__(f"{path}: {wanted}")
        self.path = path
        self.wanted = wanted


def record(**fields: Shape) -> Shape:
    """An object with exactly these fields."""

    def check(value: Any, path: str) -> None:
        if not isinstance(value, dict):
            raise Misshapen(path, "an object")
        for name in value:
            if name not in fields:
                raise Misshapen(f"{path}.{name}", "no such field")
        for name, shape in fields.items():
            if name not in value:
                raise Misshapen(f"{path}.{name}", "is missing")
            shape(value[name], f"{path}.{name}")

    return check


def rows(shape: Shape, *, least: int = 0) -> Shape:
    """A list whose every item has the shape."""

    def check(value: Any, path: str) -> None:
        if not isinstance(value, list) or len(value) < least:
            raise Misshapen(path, f"a list of at least {least}")
        for number, item in enumerate(value):
            shape(item, f"{path}[{number}]")

    return check


def by_name(shape: Shape) -> Shape:
    """An object whose names are free and whose values have the shape."""

    def check(value: Any, path: str) -> None:
        if not isinstance(value, dict):
            raise Misshapen(path, "an object")
        for name, item in value.items():
            shape(item, f"{path}.{name[:60]}")

    return check


def maybe(shape: Shape) -> Shape:
    """null or the shape."""

    def check(value: Any, path: str) -> None:
        if value is not None:
            shape(value, path)

    return check


def one_of(*choices: Any) -> Shape:
    """One of these values, type included."""

    def check(value: Any, path: str) -> None:
        if not any(type(value) is type(choice) and value == choice for choice in choices):
            raise Misshapen(path, "one of " + ", ".join(map(str, choices)))

    return check


def matching(pattern: str, wanted: str) -> Shape:
    """A text that matches the whole pattern."""
    compiled = re.compile(pattern)

    def check(value: Any, path: str) -> None:
        if not isinstance(value, str) or not compiled.fullmatch(value):
            raise Misshapen(path, wanted)

    return check


def whole(low: int, high: int = 2**53 - 1) -> Shape:
    """An integer in low … high."""

    def check(value: Any, path: str) -> None:
        if type(value) is not int or not low <= value <= high:
            raise Misshapen(path, f"an integer from {low}")

    return check


def hexed(length: int) -> Shape:
    """`length` bytes in lower-case hex."""
    return matching(f"[0-9a-f]{{{2 * length}}}", f"{length} bytes in hex")


def anything(value: Any, path: str) -> None:
    """Any JSON value: its hash alone is judged."""


def text(value: Any, path: str) -> None:
    """A text of at most 20,000 characters, empty allowed."""
    if not isinstance(value, str) or len(value) > TEXT_LENGTH_MAX:
        raise Misshapen(path, "a text")


def any_text(value: Any, path: str) -> None:
    """A text of any length."""
    if not isinstance(value, str):
        raise Misshapen(path, "a text")


def flag(value: Any, path: str) -> None:
    """true or false."""
    if not isinstance(value, bool):
        raise Misshapen(path, "true or false")


def moment(value: Any, path: str) -> None:
    """`YYYY-MM-DDTHH:MM:SS.mmmZ`."""
    try:
        instant(value)
    except (TypeError, ValueError):
        raise Misshapen(path, "an instant") from None


def legal_day(value: Any, path: str) -> None:
    """`YYYY-MM-DD`."""
    try:
        if not isinstance(value, str) or date.fromisoformat(value).isoformat() != value:
            raise ValueError
    except ValueError:
        raise Misshapen(path, "a day") from None


def instant(value: str) -> datetime:
    """An aware UTC datetime from its one text form. Raises ValueError, TypeError."""
    read = datetime.strptime(value, "%Y-%m-%dT%H:%M:%S.%fZ").replace(tzinfo=UTC)
    if read.strftime("%Y-%m-%dT%H:%M:%S.") + f"{read.microsecond // 1000:03d}Z" != value:
        raise ValueError(value)
    return read
