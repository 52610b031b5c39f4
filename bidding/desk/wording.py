"""What the bidder's pages say: states of a bid, how far it came, what cannot be done in this browser, verdicts."""

from __future__ import annotations

from collections.abc import Mapping

from crypto import words
from crypto.words import Sentence

Words = tuple[str, str]

STATUS: dict[str, tuple[Words, str]] = {
    "standing": (("有效,等待开标", "stands, waits for the opening"), "good"),
    "replaced": (("已被新版本替换", "replaced by a later version"), "over"),
    "withdrawn": (("已撤回", "withdrawn"), "over"),
    "frozen": (("已封存,待开启", "frozen, to be opened"), ""),
    "refused": (("未计入", "does not count"), "bad"),
    "opened": (("已开启", "opened"), "good"),
    "deemed_withdrawn": (("视为撤回(非投标人原因未能解密)", "deemed withdrawn (not the bidder's fault)"), "bad"),
    "deemed_revoked": (("视为撤销(投标人原因未能解密)", "deemed revoked (the bidder's fault)"), "bad"),
}
"""What became of a version: words, and the colour of its badge."""

STAGES: dict[str, tuple[Words, Words, str]] = {
    "uploaded": (
        ("已上传", "Uploaded"),
        ("密文已到大厅。仅此不算投标。", "The sealed bytes are at the hall. That alone is no bid."),
        "warn",
    ),
    "received": (
        ("已接收", "Received"),
        ("大厅已应答。仅此不是凭证。", "The hall has answered. That alone proves nothing."),
        "",
    ),
    "submitted": (
        ("已递交", "Submitted"),
        ("已记入账本,回执已核验(A级)。", "It stands in the ledger; the receipt is verified (grade A)."),
        "good",
    ),
    "witnessed": (
        ("已见证", "Witnessed"),
        (
            "足够的见证方已联署,回执最完整(B级)。",
            "A quorum of witnesses has cosigned; the receipt is complete (grade B).",
        ),
        "good",
    ),
}
"""How far a submission came (docs/spec/bidfile.md §3): its word, what the word means, the colour."""

MISSING: dict[str, Words] = {
    "secure_context": (
        "此页面不是通过加密连接(https)打开的,浏览器不提供密码功能。",
        "This page was not opened over https; the browser offers no cryptography here.",
    ),
    "x25519": ("浏览器不支持 X25519 密钥交换。", "This browser has no X25519."),
    "ed25519": ("浏览器不支持 Ed25519 签名。", "This browser has no Ed25519."),
    "workers": ("浏览器不允许后台计算(Worker)。", "This browser allows no workers."),
    "well_formed_texts": ("浏览器版本过旧。", "This browser is too old."),
    "indexeddb": ("浏览器不允许保存数据(可能处于隐私模式)。", "This browser keeps no data (perhaps a private window)."),
}
"""Why a browser cannot seal here (supported.js)."""

OBJECTION: dict[str, Words] = {
    "document": ("可对招标文件提出异议", "You may object to the documents"),
    "opening": ("可对开标当场提出异议", "You may object to the opening on the spot"),
    "result": ("可对评标结果提出异议", "You may object to the result"),
}

PAPERS: dict[str, Words] = {
    "licence": ("营业执照", "business licence"),
    "qualification": ("资质证书", "qualification"),
    "safety": ("安全生产许可证", "work safety permit"),
    "person": ("人员证书", "certificate of a person"),
    "performance": ("业绩证明", "proof of performance"),
    "finance": ("财务资料", "financial statement"),
    "other": ("其他", "other"),
}
"""What a bidder's papers are (static/cabinet.js KINDS)."""

_HERE = {
    "self_test_failed": (
        "封标后的自检没有通过({problem}),没有生成可用的投标。请重新封标;再次出现请改用命令行。",
        "The test after sealing failed ({problem}); nothing usable was made. Seal again; if it happens again, use the "
        "command line.",
    ),
    "answer_unexpected": (
        "大厅的回答无法理解。请刷新页面再试。",
        "The hall's answer cannot be understood. Reload the page and try again.",
    ),
    "http_error": ("大厅拒绝了请求(HTTP {status})。请稍后再试。", "The hall refused (HTTP {status}). Try again later."),
    "cabinet_fields": (
        "请填写名称,选择不为空的文件;有效期按日期填写。",
        "Give a title and a file that is not empty; the validity is a day.",
    ),
    "cabinet_file": (
        "这不是完整的资料库文件,没有载入任何内容。",
        "This is no whole file of papers; nothing was loaded.",
    ),
    "cabinet_of_another": (
        "这个资料库文件属于 {organisation},不是本单位的,没有载入。",
        "This file belongs to {organisation}, not to your organisation; nothing was loaded.",
    ),
    "deadline_not_witnessed": (
        "见证方尚未确认投标截止时间已过,未披露任何内容。请稍后再试;再次出现请通知监督部门。",
        "The witnesses have not confirmed that the deadline passed; nothing was disclosed. Try again later; if it "
        "happens again, tell the supervisor.",
    ),
    "bid_not_handed_in": ("该版本尚未递交。", "This version is not handed in yet."),
}


def table() -> Mapping[str, Sentence]:
    """The sentences that scripts of these pages need, by code: what sealing, receipts and the box refuse."""
    own = {code: Sentence(zh, en) for code, (zh, en) in _HERE.items()}
    return {**words.load("bidding.client"), **words.load("crypto", "bidding"), **own, **_certificate()}


def _certificate() -> Mapping[str, Sentence]:
    trading = words.load("trading")
    return {code: trading[code] for code in ("certificate_missing",)}
