"""The verbs of this room at its doors (contract: HTTP, Verbs).

Two verbs have no permission of their own in the matrix: saving a sheet is part of locking it, judging competition part
of rejecting. Their commands ask for that permission before anything else.
"""

from __future__ import annotations

from experts.commands import draw, pool, report, review, room, scoring
from trading.counter.verbs import Verb
from trading.roles import Permission as P

DRAW = (
    Verb(P.POOL_IMPORT, pool.ImportPool, pool.import_pool, "Import the register of experts"),
    Verb(P.DRAW_REQUEST, draw.RequestDraw, draw.request_draw, "Ask for the draw of the panel"),
    Verb(P.DRAW_CONTRIBUTE, draw.ContributeToDraw, draw.contribute_to_draw, "Hand in a sealed random number"),
    Verb(P.DRAW_RUN, draw.RunDraw, draw.run_draw, "Close the draw"),
    Verb(P.CALL_RECORD, room.RecordCall, room.record_call, "Log a call that was not answered"),
)
PANEL = (
    Verb(P.INVITATION_ANSWER, room.AnswerInvitation, room.answer_invitation, "Accept or decline an invitation"),
    Verb(P.EXPERT_SIGN_IN, room.SignIn, room.sign_in, "Sign in with both declarations"),
    Verb(P.EXPERT_RECUSE, room.Recuse, room.recuse, "Withdraw because of a conflict"),
    Verb(P.BID_REJECT, review.RejectBid, review.reject_bid, "Move to reject a bid, or vote on it"),
    Verb(
        None,
        review.JudgeCompetition,
        review.judge_competition,
        "Say whether competition is lacking",
        name="experts.judge_competition",
    ),
    Verb(P.PANEL_ASK, review.AskBidder, review.ask_bidder, "Propose a question to a bidder, or vote on it"),
    Verb(None, scoring.SaveSheet, scoring.save_sheet, "Save one's own sheet", name="experts.save_sheet"),
    Verb(P.SHEET_LOCK, scoring.LockSheet, scoring.lock_sheet, "Lock one's own sheet"),
    Verb(P.REPORT_SIGN, report.SignReport, report.sign_report, "Sign the report, or dissent in writing"),
)
BIDDERS = (Verb(P.PANEL_ANSWER, review.AnswerPanel, review.answer_panel, "Answer a question of the panel"),)
VERBS: tuple[Verb, ...] = (*DRAW, *PANEL, *BIDDERS)
