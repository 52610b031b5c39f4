// Disclosing the secrets of an own header that a trustee complained of: proved first, then sealed to the opening keys.
// docs/spec/release.md §6, acts.md (`rescue`), the same as bidding/client/recovering.py. Secrets open a bid, so nothing is
// sealed before this holds under trust.json: the tender and its opening keys; the freeze, signed by the tender's duty key
// and seen by a quorum of witnesses not before the deadline of the notice; a READY of a trustee on the roster, for that
// freeze, that names this very header; and that the secrets make this header again.
// What this cannot see, because it does not read the whole ledger: a later deadline that the hall keeps back. The command
// line sees it; but without that trustee's signature on a READY nobody gets this far.
import { concat, equal, fromHex, toHex, utf8 } from "./primitives/bytes.js";
import { Refused } from "./primitives/refusal.js";
import { sealDerand } from "./primitives/hpke.js";
import { p256Signer } from "./primitives/signing.js";
import { headerHash } from "./envelope/header.js";
import { SECRET_BYTES, verifyLocks } from "./envelope/lock.js";
import { signAct, verifyAct } from "./ledger/acts.js";
import { verifyReceipt } from "./ledger/receipt.js";

const RESCUE_LABEL = "sealbid/v1 rescue\0";
const VERB = "/api/v1/bidding/disclose";

/**
 * What trustees complained of, proved: {freeze: leaf hash, complaints: Map(H(header) hex → [trustee ids])}. `evidence` =
 * {freeze: receipt bytes, ready: [receipt bytes]}; `session` has checked the tender. Refused: quorum, act_not_asked_for,
 * deadline_not_witnessed, and what receipts and acts refuse.
 */
export async function proveComplaints(session, evidence) {
  const { tender } = session;
  const freeze = await proved(session, evidence.freeze, "freeze");
  const { act } = freeze.event;
  if (!(await signers(act)).includes(toHex(tender.dutyKey))) throw new Refused("act_not_asked_for", { verb: "freeze" });
  // Witnesses sign with their own clocks: before the deadline none of them can have seen what follows it.
  const deadline = Date.parse(tender.deadline) / 1000;
  if (freeze.cosigned.some((each) => each.at < deadline)) {
    throw new Refused("deadline_not_witnessed", { deadline: tender.deadline });
  }
  const complaints = new Map();
  for (const each of evidence.ready) {
    const { event } = await proved(session, each, "ready");
    const said = event.act;
    const place = tender.seated[said.lock]?.[said.index - 1];
    const seated = place && place.trustee === said.trustee && (await signers(said)).includes(place.key);
    if (!seated || said.freeze !== toHex(freeze.leafHash) || said.refusal !== null) continue;
    for (const { header } of said.complaints) {
      complaints.set(header, [...(complaints.get(header) ?? []), said.trustee]);
    }
  }
  return { freeze: freeze.leafHash, complaints };
}

/**
 * Discloses every header of a recovery file that was complained of: {lot, headers: [H(header) hex]}. `kept` as
 * envelope/recovery.js reads it, `identity` the key that signed the bid. Refused: recovery_of_another_bid,
 * nothing_to_disclose, lock_section, act_not_asked_for, and what the hall refuses.
 */
export async function disclose(session, { kept, proof, identity, entropy }) {
  const { tender, lot } = session;
  if (kept.lot !== lot || kept.headers.some((each) => !equal(each.tenderId, tender.tenderId))) {
    throw new Refused("recovery_of_another_bid", { file: lot, bid: kept.lot });
  }
  const done = [];
  for (const [number, header] of kept.headers.entries()) {
    const hashed = await headerHash(header);
    if (!proof.complaints.has(toHex(hashed))) continue;
    await verifyLocks(header, tender.roster, kept.secrets[number]);
    const sealed = {};
    for (const [reader, key] of Object.entries(tender.openingKeys)) {
      sealed[reader] = [];
      for (const [lock, secret] of kept.secrets[number].entries()) {
        const info = concat(utf8(RESCUE_LABEL), proof.freeze, Uint8Array.of(lock), hashed);
        const { enc, ct } = await sealDerand(key, info, entropy(SECRET_BYTES), secret);
        sealed[reader].push(toHex(concat(enc, ct)));
      }
    }
    await post(session, toHex(hashed), sealed, identity);
    done.push(toHex(hashed));
  }
  if (!done.length) throw new Refused("nothing_to_disclose", { lot });
  return { lot, headers: done };
}

async function post(session, header, sealed, { certificate, key }) {
  const { hall, lot, tender } = session;
  const body = { lot, header, ...sealed };
  const { sign } = await hall.post(VERB, body);
  const expect = { kind: "rescue", tender_id: toHex(tender.tenderId), header, sealed };
  const signed = await signAct(sign ?? {}, { certificate, sign: p256Signer(key), expect });
  return hall.post(VERB, { ...body, signed });
}

/** A receipt of a public act of this tender, of grade B. */
async function proved({ tender, trust }, data, kind) {
  const found = await verifyReceipt(data, trust);
  const { act } = found.event;
  if (found.grade !== "B") throw new Refused("quorum", { cosigned: found.cosigned.length, quorum: trust.quorum });
  if (act?.kind !== kind || !equal(fromHex(act.tender_id, 32) ?? new Uint8Array(), tender.tenderId)) {
    throw new Refused("act_not_asked_for", { verb: kind });
  }
  return found;
}

const signers = async (act) => (await verifyAct(act)).map((each) => toHex(each.key));
