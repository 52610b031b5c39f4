"""What the opening hall says: phases, steps, seats and happenings, in Chinese and English."""

from __future__ import annotations

from bidding.ceremony import Phase
from bidding.opening_hall.scene import FAILED, OPENED

Words = tuple[str, str]

PHASES: dict[str, Words] = {
    Phase.BIDDING: ("等待开标", "Waiting for the opening"),
    Phase.SETTLING: ("投标已截止,正在收尾", "Bidding is over; the box is being closed"),
    Phase.CLOSED: ("投标已截止,即将封存", "Closed; the bids are about to be frozen"),
    Phase.CHALLENGE: ("已封存,核对期", "Frozen: time to compare"),
    Phase.READYING: ("等待受托人就绪", "Waiting for the trustees"),
    Phase.RESCUE: ("补救期", "Rescue window"),
    Phase.RELEASING: ("受托人放出份额,正在开启", "Trustees release their shares"),
    Phase.HELD: ("已暂停", "On hold"),
    Phase.SUSPENDED: ("监督部门责令暂停", "Suspended by the supervisor"),
    Phase.ENDED: ("开标已结束", "The opening is over"),
    OPENED: ("已开标,记录已公布", "Opened: the record is public"),
    FAILED: ("本次招标已结束,不再开标", "This tender ended without an opening"),
}
MEANING: dict[str, Words] = {
    Phase.BIDDING: (
        "截止时间之前,没有任何人知道有几份投标、谁投了标;投标文件由运行组、监督组两把锁共同锁住,谁都打不开。",
        "Until the deadline nobody knows how many bids there are or whose they are. They stay sealed under two locks, "
        "the operation group's and the supervision group's; no single party can open them.",
    ),
    Phase.SETTLING: (
        "系统等待截止前已送达的投标全部记入账本,然后关闭投标箱。截止后送达的一律不收。",
        "What arrived before the deadline is being written into the ledger; then the box is closed. Nothing that comes "
        "later is taken.",
    ),
    Phase.CLOSED: (
        "投标箱已关闭。系统正在把全部投标列成封存清单。",
        "The box is closed. All bids are being listed.",
    ),
    Phase.CHALLENGE: (
        "封存清单已公布。投标人可用手中的回执核对自己的投标是否在清单之中;核对期满后受托人才放出份额。",
        "The list of frozen bids is public. Bidders compare it with their receipts; only after this time do the "
        "trustees release anything.",
    ),
    Phase.READYING: (
        "每把锁要有足够的受托人各自读过账本并报到,才会进入开启。",
        "At each lock enough trustees must have read the ledger themselves and said that they are ready.",
    ),
    Phase.RESCUE: (
        "有受托人报告某份投标的密封有问题,该投标人可在此期间补交密钥。",
        "A trustee reported a fault in a sealed bid; its bidder may now disclose the secret itself.",
    ),
    Phase.RELEASING: (
        "受托人逐个放出份额。所有投标都判定完毕之后,记录才一次公布。",
        "The trustees release their shares one after the other. The record is public when every bid has been judged.",
    ),
    Phase.HELD: ("异议处理期间,开标暂停。", "The opening waits while an objection is answered."),
    Phase.SUSPENDED: ("监督部门已下达暂停指令。", "A supervisor's directive suspends the proceedings."),
    Phase.ENDED: ("", ""),
    OPENED: (
        "报价次序不是名次:中标候选人由评标委员会按招标文件规定的办法评定。",
        "The order of prices is no ranking: the panel finds the candidates by the method of the tender document.",
    ),
    FAILED: ("已收到的投标保持密封。", "Bids that were received stay sealed."),
}
STEPS: dict[str, Words] = {
    "deadline": ("投标截止", "Deadline"),
    "close": ("关闭投标箱", "Box closed"),
    "freeze": ("封存", "Frozen"),
    "challenge": ("核对期满", "Compared"),
    "release": ("放出份额", "Shares out"),
    "opened": ("公布记录", "Record public"),
}
LOCKS: tuple[Words, ...] = (
    ("运行组的锁", "The operation group's lock"),
    ("监督组的锁", "The supervision group's lock"),
)
SEATS: dict[str, Words] = {
    "owner": ("招标人", "owner"),
    "centre": ("交易中心", "trading centre"),
    "notary": ("公证机构", "notary"),
    "regulator": ("行业监管部门", "regulator"),
    "inspector": ("审计或监察机构", "inspector"),
    "independent": ("独立机构", "independent body"),
}
SIGNERS: dict[str, Words] = {"room": ("开标室", "opening room"), "verifier": ("监督方验证机", "supervision's verifier")}
CONSEQUENCES: dict[str, Words] = {
    "deemed_withdrawn": ("视为撤回投标文件(非投标人原因未能解密)", "deemed withdrawn (not the bidder's fault)"),
    "deemed_revoked": ("视为撤销投标文件(投标人原因未能解密)", "deemed revoked (the bidder's fault)"),
}
HAPPENINGS: dict[str, Words] = {
    "amendment": ("发布澄清或修改", "A clarification was published"),
    "deadline": ("投标截止时间延长", "The deadline was extended"),
    "hold": ("开标暂停", "The proceedings are on hold"),
    "resume": ("程序恢复", "The proceedings go on"),
    "incident": ("系统故障记录在案", "An incident was recorded"),
    "close": ("投标箱关闭", "The box was closed"),
    "freeze": ("全部投标封存", "All bids were frozen"),
    "refused": ("一份迟到或无效的投标未列入清单", "A bid that does not count was left out of the list"),
    "ready": ("受托人就绪", "A trustee is ready"),
    "rescue": ("投标人补交密钥", "A bidder disclosed its secret"),
    "release": ("受托人放出份额", "A trustee released its shares"),
    "verdict": ("每份投标均已判定", "Every bid has been judged"),
    "opened": ("开标记录公布", "The opening record is public"),
    "failed": ("招标失败", "The tender failed"),
    "terminate": ("招标终止", "The tender was terminated"),
    "directive": ("监督指令", "A supervisor's directive"),
}


def lock(number: int) -> Words:
    """The name of a lock by its number in docs/spec/envelope.md §2: that of its group, so that nobody counts locks."""
    return LOCKS[number] if number < len(LOCKS) else (f"{number} 号锁", f"Lock {number}")
