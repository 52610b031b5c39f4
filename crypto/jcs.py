"""Canonical JSON: RFC 8785 (JCS), narrowed to what the protocol writes (docs/spec/envelope.md §1).

- Strings, integers with |n| < 2^53, true, false, null, arrays and objects; no floats, no exponent, no minus zero.
- Names are sorted by UTF-16 unit and unique; no byte order mark, no lone surrogate; at most 16 containers deep.
- A reader writes again what it read and demands the same bytes: one value has one text, so one hash.

Input comes from strangers: size and digits are limited before the parser of the standard library sees them, and depth
by that parser's own limit. Reading has two ways that agree: `_accepted` only says yes, quickly; what it does not take
goes to `_judged`, which looks for everything that may be wrong in the order in which it is told.
"""

from __future__ import annotations

import json
import re
from typing import Any

from crypto.refusal import Refused

DEPTH_MAX = 16
INTEGER_MAX = 2**53 - 1
DOCUMENT_BYTES_MAX = 16 * 1024 * 1024

_DIGITS_MAX = 17
_STRING = re.compile(rb'"(?:[^"\\]|\\.)*+"?', re.DOTALL)
_NO_BRACKET = bytes(set(range(256)) - set(b"[]{}"))
_print = json.JSONEncoder(ensure_ascii=False, allow_nan=False, check_circular=False, separators=(",", ":")).encode


def dumps(value: Any) -> bytes:
    """The one canonical text of `value` (dict, list or tuple, str, int, bool, None), UTF-8.

    Raises Refused: jcs_type, jcs_number, jcs_surrogate, jcs_depth.
    """
    try:
        return _print(_ordered(value, 0)).encode("utf-8")
    except UnicodeEncodeError:
        raise Refused("jcs_surrogate") from None


def loads(data: bytes, *, bytes_max: int = DOCUMENT_BYTES_MAX) -> Any:
    """The value of a canonical text of at most `bytes_max` bytes.

    Raises Refused: jcs_size, jcs_utf8, jcs_depth, jcs_number, jcs_repeated_name, jcs_syntax, jcs_surrogate,
    jcs_not_canonical.
    """
    if len(data) > bytes_max:
        raise Refused("jcs_size", bytes=len(data), bytes_max=bytes_max)
    accepted = _accepted(data)
    return accepted[0] if accepted else _judged(data)


def _accepted(data: bytes) -> tuple[Any] | None:
    """The value of a text that is canonical in every respect, in a tuple; None where anything at all is wrong."""
    try:
        text = bytes(data).decode("utf-8")
        value = _READER.decode(text)
        # Names were read in order, so printing in the order read is printing canonically: nothing is sorted twice.
        if _print(value) == text and _is_shallow(data, value):
            return (value,)
    except (ValueError, RecursionError, Refused):
        return None
    return None


def _judged(data: bytes) -> Any:
    """The value of a text, or the first of the refusals that `loads` names."""
    _refuse_depth(data)
    try:
        text = bytes(data).decode("utf-8")
    except UnicodeDecodeError as wrong:
        raise Refused("jcs_utf8", at=wrong.start) from None
    try:
        value = json.loads(
            text,
            object_pairs_hook=_object,
            parse_int=_integer,
            parse_float=_refuse_number,
            parse_constant=_refuse_number,
        )
    except json.JSONDecodeError as wrong:
        raise Refused("jcs_syntax", at=wrong.pos) from None
    if dumps(value) != data:
        raise Refused("jcs_not_canonical")
    return value


def _is_shallow(data: bytes, value: Any) -> bool:
    """At most `DEPTH_MAX` containers lie in one another; a text with no more brackets than that needs no look."""
    if data.count(b"[") + data.count(b"{") <= DEPTH_MAX:
        return True
    level: list[Any] = [[value]]
    for _ in range(DEPTH_MAX + 1):
        level = [
            inner
            for outer in level
            for inner in (outer.values() if type(outer) is dict else outer)
            if type(inner) is dict or type(inner) is list
        ]
    return not level


def _refuse_depth(data: bytes) -> None:
    """Counts brackets outside strings, so that no text can exhaust the parser's stack."""
    depth = 0
    for bracket in _STRING.sub(b"", data).translate(None, _NO_BRACKET):
        if bracket in b"[{":
            depth += 1
            if depth > DEPTH_MAX:
                raise Refused("jcs_depth", depth_max=DEPTH_MAX)
        else:
            depth -= 1


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    built: dict[str, Any] = {}
    for name, value in pairs:
        if name in built:
            raise Refused("jcs_repeated_name", name=name[:80])
        built[name] = value
    return built


def _object_in_order(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    built = dict(pairs)
    if len(built) != len(pairs) or list(built) != _sorted_names(built):
        raise ValueError("names repeated or out of order")
    return built


def _integer(digits: str) -> int:
    if len(digits) > _DIGITS_MAX or digits == "-0" or abs(int(digits)) > INTEGER_MAX:
        raise Refused("jcs_number", number=digits[:40])
    return int(digits)


def _refuse_number(text: str) -> None:
    raise Refused("jcs_number", number=text[:40])


def _ordered(value: Any, depth: int) -> Any:
    # Exact types first: a verifier of a thousand bids comes here a million times.
    kind = type(value)
    if kind is str or value is None or kind is bool:
        return value
    if kind is int or isinstance(value, int):
        if abs(value) > INTEGER_MAX:
            raise Refused("jcs_number", number=hex(value)[:40])
        return int(value)
    if isinstance(value, dict):
        _refuse_deeper(depth)
        names = _sorted_names(value)
        return {name: inner if type(inner := value[name]) is str else _ordered(inner, depth + 1) for name in names}
    if isinstance(value, list | tuple):
        _refuse_deeper(depth)
        return [inner if type(inner) is str else _ordered(inner, depth + 1) for inner in value]
    if isinstance(value, str):
        return value
    if isinstance(value, float):
        raise Refused("jcs_number", number=repr(value))
    raise Refused("jcs_type", type=kind.__name__)


def _refuse_deeper(depth: int) -> None:
    if depth >= DEPTH_MAX:
        raise Refused("jcs_depth", depth_max=DEPTH_MAX)


def _sorted_names(value: dict[Any, Any]) -> list[str]:
    """By UTF-16 code units; of ASCII names that is the order they have anyway."""
    try:
        ascii_only = "".join(value).isascii()
    except TypeError:
        raise Refused("jcs_type", type="a name that is not a string") from None
    return sorted(value) if ascii_only else sorted(value, key=_utf16_units)


def _utf16_units(name: str) -> bytes:
    try:
        return name.encode("utf-16-be")
    except UnicodeEncodeError:
        raise Refused("jcs_surrogate") from None


_READER = json.JSONDecoder(
    object_pairs_hook=_object_in_order,
    parse_int=_integer,
    parse_float=_refuse_number,
    parse_constant=_refuse_number,
)
