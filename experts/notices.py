"""Invitations to drawn experts: when and where, and nothing about whose project it is.

Rule upheld: the panel is secret until the result is fixed (招标投标法 §37, E-65); an expert who does not know the
project before sign-in cannot be sought out by a bidder, nor seek one. What the owner or the project is called must not
occur in the text, whoever wrote the place's name.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone

from crypto.refusal import Refused

SHANGHAI = timezone(timedelta(hours=8))
FORBIDDEN_CHARACTERS_MIN = 2


@dataclass(frozen=True, slots=True)
class Invitation:
    """The texts for one expert: `zh` is what is sent and read out, `en` the same for a hall that works in English."""

    zh: str
    en: str


def invitation(
    *, starts: datetime, place: str, answer_until: datetime, contact: str, forbidden: Collection[str]
) -> Invitation:
    """The invitation; instants are aware, shown as Shanghai time. `forbidden` = names of project, lot, owner and agent.

    Raises Refused `invitation_names_the_project` (E-65) when any of them occurs in it, `invitation_answer_too_late`.
    """
    if answer_until >= starts:
        raise Refused("invitation_answer_too_late", starts=_shown(starts), answer_until=_shown(answer_until))
    zh = (
        f"您好:您已被随机抽取为评标专家。评标时间:{_shown(starts)},地点:{place}。"
        f"请于{_shown(answer_until)}前答复:确认出席请按1,因故不能出席请按2。联系电话:{contact}。"
        "项目信息在签到后告知;请勿向任何人透露本通知。"
    )
    en = (
        f"You have been drawn at random as an evaluation expert. Time: {_shown(starts)}; place: {place}. "
        f"Please answer before {_shown(answer_until)}: 1 = I will attend, 2 = I cannot attend. Contact: {contact}. "
        "You will learn the project after signing in; please tell nobody of this notice."
    )
    for name in forbidden:
        text = "".join(name.split()).casefold()
        if len(text) >= FORBIDDEN_CHARACTERS_MIN and any(text in "".join(each.split()).casefold() for each in (zh, en)):
            raise Refused("invitation_names_the_project", rule="E-65")
    return Invitation(zh, en)


def _shown(instant: datetime) -> str:
    assert instant.tzinfo is not None, "instants are aware"
    return instant.astimezone(SHANGHAI).strftime("%Y-%m-%d %H:%M")
