"""Amounts of money in Chinese capital figures (大写金额), both ways, from integer fen.

Source: 《支付结算办法》附件一《正确填写票据和结算凭证的基本规定》. Where that text leaves a choice one form is
fixed, so that one amount has one wording: no 人民币 before it; 整 after 元 and never after 角 or 分; a 零 for
every gap inside the yuan and between 元 and 分, none between a full 角 and what stands before it; amounts below one
yuan begin with 角 or 分.
"""

from __future__ import annotations

from typing import Final

from crypto.refusal import Refused

FEN_MAX: Final = 2**53 - 1
WORDS_LENGTH_MAX: Final = 64

_DIGITS = "零壹贰叁肆伍陆柒捌玖"
_PLACES = ("", "拾", "佰", "仟")
_PLACE_OF = {"拾": 10, "佰": 100, "仟": 1000}


def words(fen: int) -> str:
    """`fen` (0 … 2^53 − 1) in capital figures, for example 140950 → 壹仟肆佰零玖元伍角.

    Raises Refused: amount_outside_range.
    """
    if isinstance(fen, bool) or not 0 <= fen <= FEN_MAX:
        raise Refused("amount_outside_range", fen=fen, fen_max=FEN_MAX)
    yuan, cents = divmod(fen, 100)
    tenths, hundredths = divmod(cents, 10)
    whole = _integer(yuan) + "元" if yuan else ""
    if not cents:
        return (whole or "零元") + "整"
    if tenths:
        whole += _DIGITS[tenths] + "角"
    elif whole:
        whole += "零"
    return whole + (_DIGITS[hundredths] + "分" if hundredths else "")


def fen(words_given: str) -> int:
    """The fen of an amount written exactly as `words` writes it. Raises Refused: amount_words."""
    text = words_given
    if len(text) > WORDS_LENGTH_MAX or set(text) - set("零壹贰叁肆伍陆柒捌玖拾佰仟万亿元角分整"):
        raise Refused("amount_words", words=text[:WORDS_LENGTH_MAX])
    whole, yuan_mark, rest = text.partition("元")
    if not yuan_mark:
        whole, rest = "", text
    value = _read_integer(whole) * 100
    for mark, unit in (("角", 10), ("分", 1)):
        before, found, after = rest.partition(mark)
        if found:
            value += _digit(before[-1:]) * unit
            rest = after
    if value > FEN_MAX or words(value) != text:
        raise Refused("amount_words", words=text)
    return value


def _integer(number: int) -> str:
    """A whole number below 10^16 in groups of four: 万 within, 亿 above eight places."""
    high, low = divmod(number, 10**8)
    if high:
        return _integer(high) + "亿" + _after_gap(low, 10**7)
    high, low = divmod(number, 10**4)
    if high:
        return _integer(high) + "万" + _after_gap(low, 10**3)
    return _group(number)


def _after_gap(number: int, full_from: int) -> str:
    """What follows 万 or 亿: nothing for zero, and a 零 first where its highest place is empty."""
    if not number:
        return ""
    return ("" if number >= full_from else "零") + _integer(number)


def _group(number: int) -> str:
    text, gap = "", False
    for place in (3, 2, 1, 0):
        digit = number // 10**place % 10
        if digit:
            text += ("零" if gap and text else "") + _DIGITS[digit] + _PLACES[place]
            gap = False
        else:
            gap = True
    return text


def _read_integer(text: str) -> int:
    """A generous reader; `fen` writes the result again and compares."""
    total = section = digit = 0
    for sign in text:
        if sign in _PLACE_OF:
            section += digit * _PLACE_OF[sign]
            digit = 0
        elif sign == "万":
            section = (section + digit) * 10**4
            digit = 0
        elif sign == "亿":
            total = (total + section + digit) * 10**8
            section = digit = 0
        else:
            digit = _digit(sign)
    return total + section + digit


def _digit(sign: str) -> int:
    return max(_DIGITS.find(sign), 0) if sign else 0
