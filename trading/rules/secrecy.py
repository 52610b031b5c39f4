"""Who may know what, and from when: E-20 the downloaders and the number of bids, E-65 the names of the panel.

法 §22, §37; 20号令 §21, §27. Stricter than the law before the freeze: nobody learns who downloaded or how many bid,
not even the owner (notices reach every downloader through the system). This table explains and refuses; what really
keeps the secret is that the data cannot be read: ciphertext, salted leaves, and database views joined on the freeze.
"""

from __future__ import annotations

from enum import StrEnum

from crypto.refusal import Refused
from trading.roles import FAMILY, Family, Role
from trading.tender import Tender


class Secret(StrEnum):
    """What is kept from people for a while."""

    DOWNLOADERS = "downloaders"
    BID_COUNT = "bid_count"
    PANEL_NAMES = "panel_names"


RULES = {Secret.DOWNLOADERS: "E-20", Secret.BID_COUNT: "E-20", Secret.PANEL_NAMES: "E-65"}
AFTER_FREEZE = frozenset({Role.OWNER, Role.AGENT, Role.SUPERVISOR, Role.INSPECTOR, Role.AUDITOR})
AFTER_SIGN_IN = frozenset({Role.EXPERT, Role.OWNER_REPRESENTATIVE, Role.SUPERVISOR, Role.INSPECTOR, Role.AUDITOR})


def check_may_know(secret: Secret, *, role: Role, tender: Tender) -> Secret:
    """Return the secret if this role may know it now, else raise still_secret under the secret's rule."""
    match secret:
        case Secret.DOWNLOADERS:
            allowed = tender.freeze is not None and role in AFTER_FREEZE
        case Secret.BID_COUNT:
            allowed = tender.freeze is not None
        case Secret.PANEL_NAMES:
            seated = bool(tender.seats) and len(tender.signed_in) >= tender.panel_members
            # Once the result is fixed the law's secrecy ends (法 §37); machines never need names.
            allowed = (seated and role in AFTER_SIGN_IN) or (
                tender.award is not None and FAMILY[role] is not Family.MACHINE
            )
    if not allowed:
        raise Refused("still_secret", rule=RULES[secret], secret=secret.value, role=role.value)
    return secret
