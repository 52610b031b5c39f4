"""The one exception that says no: a code that reads as a sentence, the rule it upholds, and the facts of the case.

Every room raises it; words in Chinese and English for each code stand in the room's `refusals.toml`, and only a door
or a command line turns them into text (architecture: refusals are sentences).
"""

from __future__ import annotations


class Refused(Exception):
    """Something was asked that the rules or the protocol do not allow.

    `code`  lower-case words joined by underscores, for example `bid_received_after_deadline`.
    `rule`  the rule id of docs/rules.md that it upholds, or None where only the protocol speaks.
    `facts` what the sentence needs to be of use: the deadline, the limit, the name of the field.
    """

    def __init__(self, code: str, *, rule: str | None = None, **facts: object) -> None:
        super().__init__(code)
        self.code = code
        self.rule = rule
        self.facts = facts

    def __str__(self) -> str:
        told = ", ".join(f"{name}={value!r}" for name, value in self.facts.items())
        return self.code + (f" [{self.rule}]" if self.rule else "") + (f" ({told})" if told else "")
