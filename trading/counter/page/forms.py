"""Forms: fields once described, read, kept as typed, and told about all their defects at once (一次性告知).

A form keeps everything that was typed, also what it could not understand. A defect stands at its field, in the page's
language, with the rule where it is one. Amounts are typed in yuan and read as integer fen; instants are typed in
Asia/Shanghai and read as UTC text; a browser without scripts is enough.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime
from decimal import Decimal, InvalidOperation
from typing import Any, Literal

from litestar import Request
from litestar.datastructures import UploadFile

from crypto.refusal import Refused
from storage.world import instant, stamp
from trading import codes
from trading.calendar import CHINA

Kind = Literal[
    "text", "area", "money", "points", "number", "date", "instant", "choice", "check", "lines", "uscc", "password",
    "new-password", "email", "code", "search", "file", "hidden",
]  # fmt: skip
Words = tuple[str, str]
TEXT_CHARACTERS_MAX = 200
AREA_CHARACTERS_MAX = 20_000


@dataclass(frozen=True, slots=True)
class Field:
    """One field: its name in the request, its label in both languages, and how it is read.

    `choices` are (value, zh, en). `max` is characters of a text, or the largest number. `rule` is the rule or article
    that wants it and is shown beside the label.
    """

    name: str
    zh: str
    en: str
    kind: Kind = "text"
    required: bool = True
    hint: Words | None = None
    choices: Sequence[tuple[str, str, str]] = ()
    max: int | None = None
    min: int | None = None
    rows: int = 4
    rule: str | None = None
    autocomplete: str = "off"
    accept: str = ""


class Defect(Exception):
    """What is wrong with one field, in both languages."""

    def __init__(self, words: Words) -> None:
        super().__init__(words[1])
        self.words = words


@dataclass(frozen=True, slots=True)
class Upload:
    """A file that came with a form."""

    name: str
    data: bytes


@dataclass(frozen=True, slots=True)
class Filled:
    """A form as it stands: `typed` is what was typed, `values` what was understood, `errors` what is wrong, by field;
    `wrong` is what is wrong with the whole, with its rule."""

    fields: Sequence[Field]
    typed: Mapping[str, str] = field(default_factory=dict)
    values: Mapping[str, Any] = field(default_factory=dict)
    errors: Mapping[str, Words] = field(default_factory=dict)
    wrong: Sequence[tuple[Words, str | None]] = ()

    @property
    def ok(self) -> bool:
        """Whether nothing is wrong."""
        return not self.errors and not self.wrong

    def field(self, name: str) -> Field:
        """The field of a name; KeyError if the form has none."""
        return next(one for one in self.fields if one.name == name)

    def with_error(self, name: str, zh: str, en: str) -> Filled:
        """The same form with a defect at one field."""
        return replace(self, errors={**self.errors, name: (zh, en)})

    def refused(self, message: Mapping[str, str], rule: str | None = None) -> Filled:
        """The same form with what a command refused."""
        return replace(self, wrong=[*self.wrong, ((message["zh"], message["en"]), rule)])


def blank(fields: Sequence[Field], values: Mapping[str, Any] | None = None) -> Filled:
    """A form with nothing wrong, showing these values (as `read` would give them)."""
    given = values or {}
    by_name = {one.name: one for one in fields}
    typed = {name: shown(by_name[name], value) for name, value in given.items() if name in by_name}
    return Filled(fields, typed, dict(given))


async def read(request: Request[Any, Any, Any], fields: Sequence[Field]) -> Filled:
    """Read a posted form. Unknown names are ignored; every field is judged, so that all defects are told at once."""
    posted = await request.form()
    typed: dict[str, str] = {}
    values: dict[str, Any] = {}
    errors: dict[str, Words] = {}
    for one in fields:
        given = posted.get(one.name)
        if isinstance(given, UploadFile):
            data = await given.read()
            if data:
                values[one.name] = Upload(given.filename, data)
            elif one.required:
                errors[one.name] = ("请选择文件。", "Choose a file.")
            continue
        text = str(given or "").replace("\r\n", "\n")
        text = text if one.kind in ("area", "password", "new-password") else text.strip()
        typed[one.name] = text
        try:
            values[one.name] = understood(one, text)
        except Defect as defect:
            errors[one.name] = defect.words
    return Filled(fields, typed, values, errors)


def understood(one: Field, text: str) -> Any:
    """The value that was typed; None for an empty field that need not be filled. Raises Defect."""
    if one.kind == "check":
        return text in ("on", "true", "1")
    if not text:
        if one.required:
            raise _wrong("请填写此项。", "Fill this in.")
        return [] if one.kind == "lines" else None
    limit = one.max or (AREA_CHARACTERS_MAX if one.kind in ("area", "lines") else TEXT_CHARACTERS_MAX)
    match one.kind:
        case "money":
            return _decimal(text, places=2, maximum=one.max, minimum=one.min)
        case "points":
            return _decimal(text, places=2, maximum=one.max, minimum=one.min)
        case "number":
            return _number(text, one)
        case "date":
            return _date(text).isoformat()
        case "instant":
            return _instant(text)
        case "choice":
            if text not in {value for value, _, _ in one.choices}:
                raise _wrong("请从列出的选项中选择。", "Choose one of the options.")
            return text
        case "uscc":
            try:
                codes.check_uscc(text.upper())
            except Refused as refused:
                raise _wrong(
                    "统一社会信用代码为18位,请核对;校验码不符。",
                    "The unified social credit code has 18 characters; its check character does not fit.",
                ) from refused
            return text.upper()
    if len(text) > limit:
        raise _wrong(
            f"最多 {limit} 个字符,现为 {len(text)} 个。", f"At most {limit} characters; these are {len(text)}."
        )
    if any(ord(sign) < 32 and sign not in "\n\t" for sign in text):
        raise _wrong("含有不可见的控制字符,请删除。", "It holds invisible control characters; remove them.")
    if one.kind == "email" and not re.fullmatch(r"[^@\s]+@[^@\s]+\.[^@\s]+", text):
        raise _wrong("请填写完整的电子邮箱,例如 name@example.com。", "Give a whole address, such as name@example.com.")
    if one.kind == "lines":
        return [line.strip() for line in text.split("\n") if line.strip()]
    return text


def shown(one: Field, value: Any) -> str:
    """A value as its field shows it; the other way round of `understood`."""
    if value is None:
        return ""
    match one.kind:
        case "money" | "points":
            return f"{Decimal(value) / 100:.2f}"
        case "instant":
            return f"{instant(value).astimezone(CHINA):%Y-%m-%dT%H:%M}"
        case "check":
            return "on" if value else ""
        case "lines":
            return "\n".join(value)
    return str(value)


def _wrong(zh: str, en: str) -> Defect:
    return Defect((zh, en))


def _decimal(text: str, *, places: int, maximum: int | None, minimum: int | None) -> int:
    try:
        number = Decimal(text.replace(",", "").replace(",", "").replace("¥", ""))
    except InvalidOperation as error:
        raise _wrong("请填写数字,例如 24390646.39。", "Give a number, such as 24390646.39.") from error
    scaled = number.scaleb(places)
    if not number.is_finite() or scaled != scaled.to_integral_value() or abs(scaled) > 10**17:
        raise _wrong("最多两位小数。", "At most two decimals.")
    value = int(scaled)
    if maximum is not None and value > maximum:
        raise _wrong(f"不得高于 {Decimal(maximum) / 100:.2f}。", f"No more than {Decimal(maximum) / 100:.2f}.")
    if value < (minimum if minimum is not None else 0):
        floor = Decimal(minimum or 0) / 100
        raise _wrong(f"不得低于 {floor:.2f}。", f"No less than {floor:.2f}.")
    return value


def _number(text: str, one: Field) -> int:
    if not re.fullmatch(r"-?\d{1,15}", text):
        raise _wrong("请填写整数。", "Give a whole number.")
    number, low = int(text), one.min if one.min is not None else 0
    if number < low or (one.max is not None and number > one.max):
        raise _wrong(f"请填写 {low} 到 {one.max or '…'} 之间的整数。", f"Between {low} and {one.max or '…'}.")
    return number


def _date(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError as error:
        raise _wrong("请按 2026-03-24 的格式填写日期。", "Give a date such as 2026-03-24.") from error


def _instant(text: str) -> str:
    try:
        local = datetime.fromisoformat(text.replace(" ", "T", 1))
    except ValueError as error:
        raise _wrong("请按 2026-03-24 09:30 的格式填写日期和时间。", "Give a time such as 2026-03-24 09:30.") from error
    if local.tzinfo is None:
        local = local.replace(tzinfo=CHINA)
    return stamp(local.astimezone(UTC))
