"""The verbs of this room at its doors (contract: HTTP, Verbs)."""

from __future__ import annotations

from bidding import commands, objections, trustee_commands
from trading.counter.verbs import Verb
from trading.roles import Permission as P

BIDDERS = (
    Verb(P.BID_SUBMIT, commands.SubmitBid, commands.submit, "Hand in a sealed bid, or replace one"),
    Verb(P.BID_WITHDRAW, commands.WithdrawBid, commands.withdraw, "Withdraw own bids up to a version, for ever"),
    Verb(P.BID_DISCLOSE, commands.Disclose, commands.disclose, "Disclose secrets that a trustee complained of"),
    Verb(P.OPENING_OBJECT, objections.ObjectToOpening, objections.object_, "Object to the opening, on the spot"),
)
OWNERS = (Verb(P.OPENING_ANSWER, objections.AnswerAtOpening, objections.answer, "Answer an objection to the opening"),)
# No account: the trustee's own signature in the act decides.
TRUSTEES = (
    Verb(None, trustee_commands.PreKeys, trustee_commands.pre_keys, "Hand in one-time keys", name=P.TRUSTEE_KEYS.value),
    Verb(None, trustee_commands.Ready, trustee_commands.ready, "Say READY or refuse", name=P.TRUSTEE_READY.value),
    Verb(
        None,
        trustee_commands.Release,
        trustee_commands.release,
        "Release shares",
        name=P.TRUSTEE_RELEASE.value,
        bytes_max=trustee_commands.RELEASE_BYTES_MAX,
    ),
)
VERBS = (*BIDDERS, *OWNERS, *TRUSTEES)
