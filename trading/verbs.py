"""The verbs of this room at its doors (contract: HTTP, Verbs)."""

from __future__ import annotations

from trading.commands import award, certificates, entry, notice, objections, parties, venue
from trading.counter.verbs import Verb
from trading.roles import Permission as P

DESK = (
    Verb(P.TENDER_ENTER, entry.EnterTender, entry.enter_tender, "Hand in a tender document for entry"),
    Verb(P.TENDER_PUBLISH, notice.PublishTender, notice.publish_tender, "Publish the notice and open the bidding"),
    Verb(P.TENDER_AMEND, notice.Amend, notice.amend, "Clarify or modify the documents"),
    Verb(P.DEADLINE_EXTEND, notice.ExtendDeadline, notice.extend_deadline, "Move the deadline later"),
    Verb(P.TENDER_TERMINATE, notice.Terminate, notice.terminate, "End the tender before its opening"),
    Verb(P.OBJECTION_ANSWER, objections.Answer, objections.answer, "Answer an objection"),
    Verb(P.REPORT_REVIEW, award.ReviewReport, award.review_report, "Say that the report was read"),
    Verb(P.CANDIDATES_PUBLISH, award.Publicise, award.publicise, "Publish the candidates"),
    Verb(P.TENDER_AWARD, award.Award, award.award, "Award to a candidate"),
    Verb(P.CONTRACT_FILE, award.FileContract, award.file_contract, "File the contract"),
    Verb(P.REGULATOR_REPORT, award.ReportToRegulator, award.report_to_regulator, "Report to the regulator"),
)
CENTRE = (
    Verb(P.ENTRY_ACCEPT, entry.AcceptEntry, entry.accept_entry, "Register an entry and give its codes"),
    Verb(
        P.ORGANISATION_REGISTER, parties.RegisterOrganisation, parties.register_organisation, "Register an organisation"
    ),
    Verb(P.PERSON_REGISTER, parties.RegisterPerson, parties.register_person, "Register a person in a role"),
    Verb(
        P.ORGANISATION_GRAPH_EDIT,
        parties.EditOrganisationGraph,
        parties.edit_organisation_graph,
        "Change the organisation graph",
    ),
    Verb(P.VENUE_RECORD, venue.RecordVenue, venue.record_venue, "Record what was seen at the venue"),
    Verb(P.TRUSTEE_CERTIFY, parties.CertifyTrustee, parties.certify_trustee, "Log a trustee both roots signed"),
)
KEYS = (
    Verb(
        P.CERTIFICATE_ADD, certificates.AddCertificate, certificates.add_certificate, "Add a key of one's organisation"
    ),
    Verb(
        P.CERTIFICATE_REVOKE,
        certificates.RevokeCertificate,
        certificates.revoke_certificate,
        "Revoke a key of one's organisation",
    ),
)
BIDDERS = (
    Verb(P.DOCUMENTS_DOWNLOAD, notice.Download, notice.download, "Download the documents"),
    Verb(P.QUESTION_ASK, objections.Ask, objections.ask, "Ask about the documents"),
    Verb(P.OBJECTION_FILE, objections.Object, objections.object_, "Object to the documents or to the result"),
    Verb(None, parties.Enrol, parties.enrol, "Enrol as a bidder", name="trading.enrol"),
)
