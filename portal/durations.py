"""Durations as people and programs write them: `20d`, `1h30m`, and ISO 8601 `P20D`, `PT1H30M`."""

from __future__ import annotations

import re
from datetime import timedelta

from crypto.refusal import Refused

DAYS_MAX = 3660
_ISO = re.compile(r"P(?:(\d{1,5})D)?(?:T(?:(\d{1,6})H)?(?:(\d{1,7})M)?(?:(\d{1,8}(?:\.\d{1,3})?)S)?)?")
_SHORT = re.compile(r"(?:(\d{1,5})d)?(?:(\d{1,6})h)?(?:(\d{1,7})m)?(?:(\d{1,8}(?:\.\d{1,3})?)s)?")


def parse(text: str) -> timedelta:
    """The duration, more than nothing and at most ten years. Raises Refused("duration_malformed")."""
    found = _ISO.fullmatch(text) or _SHORT.fullmatch(text)
    if found is None or not any(found.groups()):
        raise Refused("duration_malformed", text=text[:40])
    days, hours, minutes, seconds = (float(group or 0) for group in found.groups())
    length = timedelta(days=days, hours=hours, minutes=minutes, seconds=seconds)
    if not timedelta(0) < length <= timedelta(days=DAYS_MAX):
        raise Refused("duration_malformed", text=text[:40])
    return length


def iso(length: timedelta) -> str:
    """The ISO 8601 form, whole milliseconds."""
    milliseconds = round(length / timedelta(milliseconds=1))
    return f"PT{milliseconds // 1000}.{milliseconds % 1000:03d}S"
