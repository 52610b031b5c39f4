"""Files on the bidder's or trustee's own machine: JSON read strictly, and every file written whole or not at all.

What a person wrote is read with limits (size, depth, no name twice, no fraction, UTF-8 only), because a bid that was
read in two ways could be sealed in one and checked in the other. What the program writes is on the disk before anything
that depends on it leaves the machine.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from crypto.terminal import Unreadable

JSON_BYTES_MAX = 1 << 20
DEPTH_MAX = 16
DIGITS_MAX = 16
SECRET_MODE = 0o600
PUBLIC_MODE = 0o644


def read(path: Path, *, bytes_max: int = JSON_BYTES_MAX) -> bytes:
    """The bytes of a file of at most `bytes_max`. Raises Unreadable, naming the file and the mend."""
    try:
        with path.open("rb") as stream:
            data = stream.read(bytes_max + 1)
    except FileNotFoundError as error:
        raise Unreadable(f"{path}：没有这个文件 / no such file") from error
    except (OSError, ValueError) as error:
        # ValueError: a zero byte in the name.
        raise Unreadable(f"{path}：无法读取 / cannot be read ({error})") from error
    if len(data) > bytes_max:
        raise Unreadable(f"{path}：超过 {bytes_max} 字节 / more than {bytes_max} bytes")
    return data


def read_json(path: Path, *, bytes_max: int = JSON_BYTES_MAX) -> dict[str, Any]:
    """The object in a JSON file that a person wrote. Raises Unreadable: not UTF-8 (GBK), no JSON, a name twice, a
    fraction, NaN, an integer of more than 16 digits, more than 16 deep, no object."""
    try:
        text = read(path, bytes_max=bytes_max).decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise Unreadable(
            f"{path}：从第 {error.start} 字节起不是 UTF-8，请另存为 UTF-8（不要用 GBK） / "
            f"not UTF-8 from byte {error.start} on; save it as UTF-8, not GBK"
        ) from error
    try:
        value = json.loads(
            text, object_pairs_hook=_once, parse_int=_integer, parse_float=_no_number, parse_constant=_no_number
        )
    except (ValueError, RecursionError) as error:
        raise Unreadable(f"{path}：不是正确的 JSON / not proper JSON ({error or 'too deep'})") from error
    if not isinstance(value, dict) or _depth(value) > DEPTH_MAX:
        raise Unreadable(f"{path}：应为一个 JSON 对象，最多 {DEPTH_MAX} 层 / one JSON object, at most {DEPTH_MAX} deep")
    return value


def write(path: Path, data: bytes, *, mode: int = PUBLIC_MODE) -> None:
    """Write a file whole or not at all: to a neighbour, to the disk, in place, and the folder to the disk too."""
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(path.name + ".new")
    descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode)
    with os.fdopen(descriptor, "wb") as stream:
        os.fchmod(stream.fileno(), mode)
        stream.write(data)
        stream.flush()
        os.fsync(stream.fileno())
    beside.replace(path)
    settle(path.parent)


def write_secret(path: Path, data: bytes) -> None:
    """Write a file that only its owner may read."""
    write(path, data, mode=SECRET_MODE)


def write_json(path: Path, value: Mapping[str, Any], *, mode: int = PUBLIC_MODE) -> None:
    """Write an object as people can read it."""
    write(path, (json.dumps(value, ensure_ascii=False, indent=1) + "\n").encode(), mode=mode)


def check_arguments(given: Sequence[str]) -> None:
    """Refuse arguments that are no text: they could be neither sent nor printed. Raises Unreadable."""
    for each in given:
        if any(0xD800 <= ord(sign) <= 0xDFFF for sign in each):
            shown = each.encode("utf-8", "replace").decode()
            raise Unreadable(f"{shown}：参数不是 UTF-8，请改名或更换编码 / not UTF-8; rename it or change the encoding")


def settle(folder: Path) -> None:
    """Put the names in a folder on the disk; without it a rename may be forgotten by a power cut."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, value in pairs:
        if name in found:
            raise ValueError(f"“{name}” 出现两次 / stands there twice")
        found[name] = value
    return found


def _integer(digits: str) -> int:
    if len(digits.lstrip("-")) > DIGITS_MAX:
        raise ValueError(f"{digits[:20]}…：整数过长 / too long an integer")
    return int(digits)


def _no_number(text: str) -> Any:
    raise ValueError(f"{text[:20]}：只允许整数，金额以分为单位 / only integers; money is whole fen")


def _depth(value: Any) -> int:
    """How deep containers are nested; the parser has already refused what is thousands deep."""
    deepest, level = 0, [value]
    while level:
        inner = [each for each in level if isinstance(each, dict | list)]
        deepest += bool(inner)
        level = [item for each in inner for item in (each.values() if isinstance(each, dict) else each)]
    return deepest
