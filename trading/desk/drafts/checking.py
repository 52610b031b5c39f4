"""Whether a draft is a whole tender document, and at which step a defect is mended."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from crypto.refusal import Refused
from trading import tender_document
from trading.tender_document import TenderDocument


def read_document(draft: Mapping[str, Any]) -> tuple[TenderDocument | None, Refused | None]:
    """A draft as the tender document, or what keeps it from being one. Parts that were left empty are left out, so that
    they are told as missing."""
    kept = {name: value for name, value in draft.items() if value != ""}
    try:
        return tender_document.parse(json.dumps(_filled_in(kept), ensure_ascii=False).encode()), None
    except Refused as refused:
        return None, refused


def _filled_in(value: Any) -> Any:
    """Empty optional texts as null; what was not filled in otherwise is missing."""
    keep = {"max_price_fen", "max_price_method", "agent", "above", "below"}
    if isinstance(value, Mapping):
        return {name: _filled_in(one) for name, one in value.items() if one is not None or name in keep}
    return [_filled_in(one) for one in value] if isinstance(value, list) else value


def place(refused: Refused) -> str:
    """The step at which a defect is mended."""
    field = str(refused.facts.get("field", "")).removeprefix("$.")
    by_code = {
        "documents_withdrawn_too_early": "schedule",
        "deadline_too_early": "schedule",
        "opening_not_at_the_deadline": "schedule",
        "publicity_too_short": "schedule",
        "min_price_forbidden": "scope",
        "max_price_not_stated": "scope",
        "too_many_candidates": "panel",
        "requirement_without_a_file": "requirements",
    }
    by_field = {
        "notice.title": "scope",
        "notice": "project",
        "owner": "project",
        "agent": "project",
        "region": "project",
        "project": "project",
        "lot": "scope",
        "price": "scope",
        "items": "method",
        "method": "method",
        "schedule": "schedule",
        "requirements": "requirements",
    }
    if refused.code in by_code:
        return by_code[refused.code]
    found = next((step for prefix, step in by_field.items() if field.startswith(prefix)), "")
    if found:
        return found
    if refused.rule == "E-61" or field.startswith(("panel", "opening", "remedies", "candidates")):
        return "panel"
    return "method" if refused.rule == "E-69" else "project"
