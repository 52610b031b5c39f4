"""Who may do what: roles, their families, permissions, and the pairs that never meet in one hand (管办分离).

Denied by default: a role has a permission only where MATRIX says so, and `tests/golden/permissions.txt` shows the whole
matrix, so that a privilege change is one flipped mark in a review. 条例 §5, §46;
20号令 §15, §23, §50; 法 §14. A permission's value is the verb of the API: POST /api/v1/<room>/<verb>.

Whoever holds an `administrator` account keeps the hall running; they cannot act in a tender, and no role can grant
itself another.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from crypto.refusal import Refused
from trading import powers
from trading.calendar import legal_day


class Family(StrEnum):
    """Groups of roles; one organisation belongs to one family in a tender, and so does one person."""

    TRADE = "trade"
    BIDDER = "bidder"
    EXPERT = "expert"
    OPERATION = "operation"
    SUPERVISION = "supervision"
    INDEPENDENT = "independent"
    MACHINE = "machine"
    PUBLIC = "public"


class Role(StrEnum):
    """What an actor is in one act. The Chinese terms stand in docs/glossary.md."""

    OWNER = "owner"
    AGENT = "agent"
    BIDDER = "bidder"
    EXPERT = "expert"
    OWNER_REPRESENTATIVE = "owner_representative"
    CENTRE = "centre"
    ADMINISTRATOR = "administrator"
    SUPERVISOR = "supervisor"
    INSPECTOR = "inspector"
    AUDITOR = "auditor"
    NOTARY = "notary"
    TRUSTEE = "trustee"
    WITNESS = "witness"
    CLOCKWORK = "clockwork"
    OPENING = "opening"
    VERIFIER = "verifier"
    ERASER = "eraser"
    PUBLIC = "public"


class Permission(StrEnum):
    """One per verb of the API. `<room>.<verb>`."""

    TENDER_ENTER = "trading.enter_tender"
    ENTRY_ACCEPT = "trading.accept_entry"
    TENDER_PUBLISH = "trading.publish_tender"
    DOCUMENTS_DOWNLOAD = "trading.download"
    QUESTION_ASK = "trading.ask"
    TENDER_AMEND = "trading.amend"
    DEADLINE_EXTEND = "trading.extend_deadline"
    TENDER_TERMINATE = "trading.terminate"
    OBJECTION_FILE = "trading.object"
    OBJECTION_ANSWER = "trading.answer"
    REPORT_REVIEW = "trading.review_report"
    CANDIDATES_PUBLISH = "trading.publicise"
    TENDER_AWARD = "trading.award"
    CONTRACT_FILE = "trading.file_contract"
    REGULATOR_REPORT = "trading.report_to_regulator"
    DIRECTIVE_EXECUTE = "trading.execute_directive"
    CLOCK_ACT = "trading.act_by_clock"
    ORGANISATION_REGISTER = "trading.register_organisation"
    PERSON_REGISTER = "trading.register_person"
    ORGANISATION_GRAPH_EDIT = "trading.edit_organisation_graph"
    TRUSTEE_CERTIFY = "trading.certify_trustee"
    VENUE_RECORD = "trading.record_venue"
    CERTIFICATE_ADD = "trading.add_certificate"
    CERTIFICATE_REVOKE = "trading.revoke_certificate"
    BID_UPLOAD = "bidding.upload"
    BID_SUBMIT = "bidding.submit"
    BID_WITHDRAW = "bidding.withdraw"
    BID_DISCLOSE = "bidding.disclose"
    TRUSTEE_KEYS = "bidding.pre_keys"
    TRUSTEE_READY = "bidding.ready"
    TRUSTEE_RELEASE = "bidding.release"
    BIDS_OPEN = "bidding.open"
    VERDICT_SIGN = "bidding.sign_verdict"
    READING_GRANT = "bidding.grant_reading"
    BID_READ = "bidding.read"
    OPENING_OBJECT = "bidding.object"
    OPENING_ANSWER = "bidding.answer"
    POOL_IMPORT = "experts.import_pool"
    DRAW_REQUEST = "experts.request_draw"
    DRAW_RUN = "experts.run_draw"
    DRAW_CONTRIBUTE = "experts.contribute_to_draw"
    CALL_RECORD = "experts.record_call"
    INVITATION_ANSWER = "experts.answer_invitation"
    ROOM_OPEN = "experts.open_room"
    EXPERT_SIGN_IN = "experts.sign_in"
    EXPERT_RECUSE = "experts.recuse"
    BID_REJECT = "experts.reject_bid"
    PANEL_ASK = "experts.ask_bidder"
    PANEL_ANSWER = "experts.answer_panel"
    SHEET_LOCK = "experts.lock_sheet"
    REPORT_SIGN = "experts.sign_report"
    DIRECTIVE_ISSUE = "supervision.issue_directive"
    TRAIL_READ = "supervision.read_trail"
    FULL_BUNDLE_EXPORT = "supervision.export_full_bundle"
    REPORT_RECEIVE = "supervision.receive_report"
    CHECKPOINT_COSIGN = "supervision.cosign"
    DATA_ERASE = "storage.erase"


FAMILY: dict[Role, Family] = {
    Role.OWNER: Family.TRADE,
    Role.AGENT: Family.TRADE,
    Role.OWNER_REPRESENTATIVE: Family.TRADE,
    Role.BIDDER: Family.BIDDER,
    Role.EXPERT: Family.EXPERT,
    Role.CENTRE: Family.OPERATION,
    Role.ADMINISTRATOR: Family.OPERATION,
    Role.SUPERVISOR: Family.SUPERVISION,
    Role.INSPECTOR: Family.SUPERVISION,
    Role.AUDITOR: Family.SUPERVISION,
    Role.NOTARY: Family.INDEPENDENT,
    Role.TRUSTEE: Family.INDEPENDENT,
    Role.WITNESS: Family.INDEPENDENT,
    Role.CLOCKWORK: Family.MACHINE,
    Role.OPENING: Family.MACHINE,
    Role.VERIFIER: Family.MACHINE,
    Role.ERASER: Family.MACHINE,
    Role.PUBLIC: Family.PUBLIC,
}

OFFICIALS = frozenset(role for role, family in FAMILY.items() if family in (Family.OPERATION, Family.SUPERVISION))
PANEL = frozenset({Role.EXPERT, Role.OWNER_REPRESENTATIVE})

# Pairs that one natural person, and one organisation, may never hold together, in any tender (管办分离).
NEVER_TOGETHER: frozenset[frozenset[Family]] = frozenset(
    frozenset({Family.SUPERVISION, other}) for other in (Family.TRADE, Family.BIDDER, Family.EXPERT, Family.OPERATION)
) | {frozenset({Family.OPERATION, other}) for other in (Family.TRADE, Family.BIDDER, Family.EXPERT)}

# Pairs that may not meet in one lot; elsewhere the same organisation may well buy here and bid there.
INCOMPATIBLE: frozenset[frozenset[Family]] = NEVER_TOGETHER | {
    frozenset(pair)
    for pair in (
        (Family.TRADE, Family.BIDDER),
        (Family.TRADE, Family.EXPERT),
        (Family.BIDDER, Family.EXPERT),
        (Family.BIDDER, Family.INDEPENDENT),
        (Family.EXPERT, Family.INDEPENDENT),
    )
}

_P = Permission
_OWNER = frozenset(
    {
        _P.TENDER_ENTER,
        _P.TENDER_PUBLISH,
        _P.DOCUMENTS_DOWNLOAD,
        _P.TENDER_AMEND,
        _P.DEADLINE_EXTEND,
        _P.TENDER_TERMINATE,
        _P.OBJECTION_ANSWER,
        _P.REPORT_REVIEW,
        _P.CANDIDATES_PUBLISH,
        _P.TENDER_AWARD,
        _P.CONTRACT_FILE,
        _P.REGULATOR_REPORT,
        _P.DRAW_REQUEST,
        _P.DRAW_CONTRIBUTE,
        _P.BID_READ,
        _P.OPENING_ANSWER,
        _P.CERTIFICATE_ADD,
        _P.CERTIFICATE_REVOKE,
    }
)
_PANEL = frozenset(
    {_P.EXPERT_SIGN_IN, _P.EXPERT_RECUSE, _P.BID_READ, _P.BID_REJECT, _P.PANEL_ASK, _P.SHEET_LOCK, _P.REPORT_SIGN}
)

MATRIX: dict[Role, frozenset[Permission]] = {
    Role.OWNER: _OWNER,
    Role.AGENT: _OWNER - {_P.CONTRACT_FILE, _P.DRAW_CONTRIBUTE},
    Role.OWNER_REPRESENTATIVE: _PANEL,
    Role.BIDDER: frozenset(
        {
            _P.DOCUMENTS_DOWNLOAD,
            _P.QUESTION_ASK,
            _P.OBJECTION_FILE,
            _P.BID_UPLOAD,
            _P.BID_SUBMIT,
            _P.BID_WITHDRAW,
            _P.BID_DISCLOSE,
            _P.OPENING_OBJECT,
            _P.PANEL_ANSWER,
            _P.CERTIFICATE_ADD,
            _P.CERTIFICATE_REVOKE,
        }
    ),
    Role.EXPERT: _PANEL | {_P.INVITATION_ANSWER},
    Role.CENTRE: frozenset(
        {
            _P.ENTRY_ACCEPT,
            _P.DIRECTIVE_EXECUTE,
            _P.ORGANISATION_REGISTER,
            _P.PERSON_REGISTER,
            _P.ORGANISATION_GRAPH_EDIT,
            _P.TRUSTEE_CERTIFY,
            _P.POOL_IMPORT,
            _P.DRAW_REQUEST,
            _P.DRAW_RUN,
            _P.DRAW_CONTRIBUTE,
            _P.CALL_RECORD,
            _P.ROOM_OPEN,
            _P.VENUE_RECORD,
        }
    ),
    Role.ADMINISTRATOR: frozenset(),
    Role.SUPERVISOR: frozenset(
        {
            _P.DIRECTIVE_ISSUE,
            _P.TRAIL_READ,
            _P.FULL_BUNDLE_EXPORT,
            _P.REPORT_RECEIVE,
            _P.TRUSTEE_CERTIFY,
            _P.DRAW_CONTRIBUTE,
        }
    ),
    Role.INSPECTOR: frozenset({_P.TRAIL_READ, _P.FULL_BUNDLE_EXPORT}),
    Role.AUDITOR: frozenset({_P.TRAIL_READ, _P.FULL_BUNDLE_EXPORT}),
    Role.NOTARY: frozenset(),
    Role.TRUSTEE: frozenset({_P.TRUSTEE_KEYS, _P.TRUSTEE_READY, _P.TRUSTEE_RELEASE}),
    Role.WITNESS: frozenset({_P.CHECKPOINT_COSIGN}),
    Role.CLOCKWORK: frozenset({_P.CLOCK_ACT, _P.DRAW_RUN}),
    Role.OPENING: frozenset({_P.BIDS_OPEN, _P.VERDICT_SIGN, _P.READING_GRANT}),
    Role.VERIFIER: frozenset({_P.VERDICT_SIGN}),
    Role.ERASER: frozenset({_P.DATA_ERASE}),
    Role.PUBLIC: frozenset({_P.DOCUMENTS_DOWNLOAD}),
}


@dataclass(frozen=True)
class Parties:
    """The organisations (uscc) that a tender belongs to; an owner or agent acts in its own tenders only."""

    owner: str
    agent: str | None


@dataclass(frozen=True)
class Actor:
    """Who acts: a natural person for an organisation (uscc) in one role, from an address and a device (20号令 §49)."""

    person: str
    organisation: str
    role: Role
    address: str
    device: str

    def must(
        self,
        permission: Permission,
        *,
        now: datetime,
        parties: Parties | None = None,
        power: str | None = None,
        power_list: Iterable[powers.Power] | None = None,
    ) -> powers.Power | None:
        """Return the power exercised (None where no official acts), or raise: permission_denied, not_this_tender, then
        the power_code_* refusals of powers.check. `power_list` defaults to the hall's list in force."""
        if permission not in MATRIX[self.role]:
            raise Refused("permission_denied", permission=permission.value, role=self.role.value)
        if parties is not None:
            own = {Role.OWNER: parties.owner, Role.AGENT: parties.agent}.get(self.role, self.organisation)
            if own != self.organisation:
                raise Refused("not_this_tender", role=self.role.value, organisation=self.organisation)
        if self.role not in OFFICIALS:
            return None
        in_force = powers.load() if power_list is None else power_list
        return powers.check(in_force, power, role=self.role, permission=permission, day=legal_day(now))


@dataclass(frozen=True)
class Appointment:
    """One role held by one person for one organisation; `lot` None = in the whole hall."""

    person: str
    organisation: str
    role: Role
    lot: str | None = None


def check_appointment(held: Iterable[Appointment], new: Appointment) -> Appointment:
    """Return the new appointment, or raise roles_incompatible (facts: who, the two roles) when the same person or the
    same organisation would hold two families that may not meet: never anywhere, or not in this lot. Supervisory staff
    on a panel is refused under E-66 (条例 §46)."""
    for other in held:
        same_person, same_organisation = other.person == new.person, other.organisation == new.organisation
        pair = frozenset({FAMILY[other.role], FAMILY[new.role]})
        same_lot = other.lot is None or new.lot is None or other.lot == new.lot
        if not (same_person or same_organisation) or pair not in (INCOMPATIBLE if same_lot else NEVER_TOGETHER):
            continue
        on_panel = Family.SUPERVISION in pair and not PANEL.isdisjoint({other.role, new.role})
        raise Refused(
            "supervisory_staff_on_panel" if on_panel else "roles_incompatible",
            rule="E-66" if on_panel else None,
            who=new.person if same_person else new.organisation,
            role=other.role.value,
            new_role=new.role.value,
        )
    return new


def matrix_text() -> str:
    """The role x verb matrix as text, one verb a line: the golden file and the public page are made from it."""
    width = max(len(permission) for permission in Permission)
    lines = [" " * width + "  " + " ".join(role.value for role in Role)]
    for permission in Permission:
        marks = " ".join(("x" if permission in MATRIX[role] else ".").center(len(role.value)) for role in Role)
        lines.append(f"{permission.value:<{width}}  {marks.rstrip()}")
    return "\n".join(line.rstrip() for line in lines) + "\n"
