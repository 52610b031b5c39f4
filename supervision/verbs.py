"""The verbs of this room at its door (contract: HTTP, Verbs)."""

from __future__ import annotations

from supervision import commands
from trading.counter.verbs import Verb
from trading.roles import Permission as P

VERBS: tuple[Verb, ...] = (
    Verb(P.DIRECTIVE_ISSUE, commands.IssueDirective, commands.issue_directive, "Issue a directive"),
    Verb(P.REPORT_RECEIVE, commands.ReceiveReport, commands.receive_report, "Receive the written report"),
)
