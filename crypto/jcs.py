"""Canonical JSON: RFC 8785 (JCS), narrowed to what the protocol writes (docs/spec/envelope.md §1).

- Strings, integers with |n| < 2^53, true, false, null, arrays and objects; no floats, no exponent, no minus zero.
- Names are sorted by UTF-16 unit and unique; no byte order mark, no lone surrogate; at most 16 containers deep.
- A reader writes again what it read and demands the same bytes: one value has one text, so one hash.

Input comes from strangers: size, depth and digits are limited before the parser of the standard library sees it.
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


def dumps(value: Any) -> bytes:
    """The one canonical text of `value` (dict, list or tuple, str, int, bool, None), UTF-8.

    Raises Refused: jcs_type, jcs_number, jcs_surrogate, jcs_depth.
    """
    ordered = _ordered(value, 0)
    try:
        return json.dumps(ordered, ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode("utf-8")
    except UnicodeEncodeError:
        raise Refused("jcs_surrogate") from None


def loads(data: bytes, *, bytes_max: int = DOCUMENT_BYTES_MAX) -> Any:
    """The value of a canonical text of at most `bytes_max` bytes.

    Raises Refused: jcs_size, jcs_utf8, jcs_depth, jcs_number, jcs_repeated_name, jcs_syntax, jcs_surrogate,
    jcs_not_canonical.
    """
    if len(data) > bytes_max:
        raise Refused("jcs_size", bytes=len(data), bytes_max=bytes_max)
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


def _integer(digits: str) -> int:
    if len(digits) > _DIGITS_MAX or digits == "-0" or abs(int(digits)) > INTEGER_MAX:
        raise Refused("jcs_number", number=digits[:40])
    return int(digits)


def _refuse_number(text: str) -> None:
    raise Refused("jcs_number", number=text[:40])


def _ordered(value: Any, depth: int) -> Any:
    if type(value) is str:
        # Most values are: a verifier of a thousand bids comes here millions of times.
        return value
    match value:
        case None | bool() | str():
            return value
        case int():
            if abs(value) > INTEGER_MAX:
                raise Refused("jcs_number", number=hex(value)[:40])
            return int(value)
        case float():
            raise Refused("jcs_number", number=repr(value))
        case dict():
            _refuse_deeper(depth)
            return {name: _ordered(value[name], depth + 1) for name in _sorted_names(value)}
        case list() | tuple():
            _refuse_deeper(depth)
            return [_ordered(item, depth + 1) for item in value]
        case _:
            raise Refused("jcs_type", type=type(value).__name__)


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
