"""The words of the expert's door: seats, sheets, grounds and reasons, Chinese and English (docs/glossary.md)."""

from __future__ import annotations

from experts.clarification import Ground
from experts.panel import SeatState
from experts.votes import RejectionReason

Words = tuple[str, str]

SEATS: dict[str, Words] = {
    SeatState.INVITED: ("待答复", "waiting for your answer"),
    SeatState.ACCEPTED: ("已接受,待签到", "accepted, sign in next"),
    SeatState.DECLINED: ("已谢绝", "declined"),
    SeatState.NO_ANSWER: ("未接通", "no answer"),
    SeatState.SIGNED_IN: ("已签到", "signed in"),
    SeatState.RECUSED: ("已回避", "withdrawn"),
    "over": ("已结束", "over"),
}
REASONS: dict[str, Words] = {
    RejectionReason.NOT_SEALED_AND_SIGNED: ("投标文件未经投标单位盖章和单位负责人签字", "not sealed and signed"),
    RejectionReason.CONSORTIUM_WITHOUT_AGREEMENT: ("联合体没有提交共同投标协议", "consortium without agreement"),
    RejectionReason.NOT_QUALIFIED: ("投标人不符合资格条件", "bidder not qualified"),
    RejectionReason.TWO_BIDS_OR_PRICES: ("提交两个以上不同的投标文件或报价", "two different bids or prices"),
    RejectionReason.BELOW_COST_OR_ABOVE_MAX_PRICE: (
        "报价低于成本或者高于最高投标限价",
        "price below cost or above the max price",
    ),
    RejectionReason.NOT_RESPONSIVE: ("没有对实质性要求和条件作出响应", "not responsive to mandatory requirements"),
    RejectionReason.COLLUSION_FRAUD_OR_BRIBERY: ("串通投标、弄虚作假、行贿等", "collusion, fraud or bribery"),
}
GROUNDS: dict[str, Words] = {
    Ground.UNCLEAR: ("含义不明确", "unclear meaning"),
    Ground.OBVIOUS_WORDING_ERROR: ("明显文字错误", "obvious error of wording"),
    Ground.ARITHMETIC_ERROR: ("明显计算错误", "error of arithmetic"),
    Ground.SUSPECTED_LOW_PRICE: ("报价明显偏低", "suspiciously low price"),
}


def choices(table: dict[str, Words]) -> list[tuple[str, str, str]]:
    """A table as the choices of a field."""
    return [(str(name), zh, en) for name, (zh, en) in table.items()]
