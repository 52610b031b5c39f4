// The tender as the ledger proves it to the page: the owner's notice, the certified roster; before anything is typed.
// docs/spec/release.md §2, the same rules as crypto/opening/{ceremony,certified}.py. Evidence is receipts of public acts
// (docs/spec/ledger.md §7), each in a tree that a quorum of the witnesses in trust.json cosigned.
// What this cannot see, because it does not read the whole ledger: that a roster key was named by an earlier TENDER act,
// and acts of this tender that the hall keeps back. The command line and every trustee see both.
import { equal, fromHex, toHex } from "../primitives/bytes.js";
import * as jcs from "../primitives/jcs.js";
import { Refused } from "../primitives/refusal.js";
import { sha256 } from "../primitives/sha256.js";
import { decodeRoster } from "../envelope/roster.js";
import { tenderId, verifyAct } from "./acts.js";
import { verifyChain } from "./certificates.js";
import { verifyReceipt } from "./receipt.js";

const GROUP_OF_LOCK = ["operation", "supervision"];
const INSTANT = /^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}\.\d{3}Z$/;

/**
 * What is proved of a lot. `evidence` = {tender: receipt bytes, hall: [receipt bytes], rulebook: raw object, terms: raw
 * object}. Gives {lot, tenderId, act, index, roster, seats, envelopes, plaintextMax, rehearsal, document, checkpoint}.
 * Refused: what receipts refuse, quorum, lot_not_in_log, act_fields, act_not_signed_by, rehearsal_not_declared,
 * key_not_certified, contributors_not_anchored, roster_seats, trustee_not_certified, roster_key_unknown, object_hash.
 */
export async function proveTender(lot, evidence, trust) {
  const proved = await witnessed(evidence.tender, trust);
  const { act } = proved.event;
  if (act?.kind !== "tender" || act.lot !== lot) throw new Refused("lot_not_in_log", { lot });
  const terms = await readTerms(act, proved.index);
  await requireOwner(act, terms.owners, trust);
  if (trust.rehearsal && !terms.rehearsal) throw new Refused("rehearsal_not_declared", { lot });
  const acts = await Promise.all(evidence.hall.map((each) => witnessed(each, trust)));
  const hall = await readHall(acts, trust);
  requireKeys(terms, hall, trust);
  await requireObject("rulebook", evidence.rulebook, act.rulebook?.hash);
  await requireObject("terms", evidence.terms, act.terms_hash);
  terms.seated = checkRoster(terms, hall, lock1Of(evidence.rulebook));
  return { ...terms, act, document: jcs.loads(evidence.terms), checkpoint: proved.checkpoint };
}

/** A receipt of grade B. Refused("quorum"). */
async function witnessed(data, trust) {
  const proved = await verifyReceipt(data, trust);
  if (proved.grade !== "B") throw new Refused("quorum", { cosigned: proved.cosigned.length, quorum: trust.quorum });
  return proved;
}

async function readTerms(act, index) {
  const wrong = (field) => {
    throw new Refused("act_fields", { kind: "tender", field });
  };
  const computed = await tenderId(act);
  if (toHex(computed) !== act.tender_id) wrong("tender_id");
  const key = (given, field) => fromHex(given, 32) ?? wrong(field);
  if (!Array.isArray(act.envelopes) || !act.envelopes.every(Number.isSafeInteger)) wrong("envelopes");
  if (!Array.isArray(act.seats) || !act.seats.every(Array.isArray)) wrong("seats");
  if (!Number.isSafeInteger(act.plaintext_max) || act.plaintext_max < 1) wrong("plaintext_max");
  if (typeof act.rehearsal !== "boolean") wrong("rehearsal");
  if (typeof act.deadline !== "string" || !INSTANT.test(act.deadline)) wrong("deadline");
  return {
    lot: act.lot,
    tenderId: computed,
    index,
    deadline: act.deadline,
    envelopes: [...act.envelopes].sort((a, b) => a - b),
    plaintextMax: act.plaintext_max,
    rehearsal: act.rehearsal,
    roster: decodeRoster(fromHex(act.roster) ?? wrong("roster")),
    seats: act.seats,
    openingKeys: { room: key(act.opening_keys?.room, "opening_keys"), verifier: key(act.opening_keys?.verifier, "opening_keys") },
    verdictKeys: { room: key(act.verdict_keys?.room, "verdict_keys"), verifier: key(act.verdict_keys?.verifier, "verdict_keys") },
    dutyKey: key(act.duty_key, "duty_key"),
    contributors: {
      centre: fromHex(act.contributors?.["1"]) ?? wrong("contributors"),
      supervision: fromHex(act.contributors?.["2"]) ?? wrong("contributors"),
    },
    owners: [act.owner, act.agent].filter(Boolean).map((each) => each.uscc ?? wrong("owner")),
  };
}

/** One signer is a certificate of owner or agent, valid when the act was made. Refused("act_not_signed_by"). */
async function requireOwner(act, owners, trust) {
  for (const signer of await verifyAct(act)) {
    if (signer.scheme !== "p256") continue;
    try {
      if (owners.includes((await verifyChain(signer.key, trust.caRoots, act.at)).uscc)) return;
    } catch (error) {
      if (!(error instanceof Refused)) throw error;
    }
  }
  throw new Refused("act_not_signed_by", { kind: act.kind, uscc: owners });
}

/** What the acts of the hall certify, in log order; an act that is not signed as acts.md demands has no effect. */
async function readHall(acts, trust) {
  const hall = { trustees: new Map(), preKeys: new Map(), keys: { duty: [], room: [], verifier: [] } };
  for (const { event, index } of [...acts].sort((a, b) => a.index - b.index)) {
    const { act } = event;
    let signers;
    try {
      signers = (await verifyAct(act ?? {})).map((each) => toHex(each.key));
    } catch (error) {
      if (error instanceof Refused) continue;
      throw error;
    }
    const signedBy = (...keys) => keys.every((key) => signers.includes(toHex(key)));
    const { centre, supervision } = trust.trusteeRoots;
    const rootOf = { duty: centre, room: centre, verifier: supervision }[act.purpose];
    if (act.kind === "trustee" && signedBy(centre, supervision) && fromHex(act.key, 32) && act.organisation?.uscc) {
      // One id keeps one key: a second act under the same name could take a seat over.
      if (!hall.trustees.has(act.trustee)) hall.trustees.set(act.trustee, { act, index });
    } else if (act.kind === "pre_keys" && Array.isArray(act.keys) && act.keys.length <= 500) {
      const trustee = hall.trustees.get(act.trustee);
      if (!trustee || !signers.includes(trustee.act.key)) continue;
      for (const key of act.keys) if (!hall.preKeys.has(key)) hall.preKeys.set(key, { trustee: act.trustee, index });
    } else if (act.kind === "key" && rootOf && signedBy(rootOf) && fromHex(act.key, 32)) {
      hall.keys[act.purpose].push(act.key);
    } else if (act.kind === "rotate" && rootOf && signedBy(rootOf) && signers.includes(act.old)) {
      if (hall.keys[act.purpose].includes(act.old) && fromHex(act.new, 32)) hall.keys[act.purpose].push(act.new);
    }
  }
  return hall;
}

function requireKeys(terms, hall, trust) {
  const certified = (purpose, key) => {
    if (!hall.keys[purpose].includes(toHex(key))) throw new Refused("key_not_certified", { purpose, key: toHex(key) });
  };
  certified("duty", terms.dutyKey);
  certified("room", terms.verdictKeys.room);
  certified("verifier", terms.verdictKeys.verifier);
  for (const side of ["centre", "supervision"]) {
    if (!equal(terms.contributors[side], trust.contributors[side])) {
      throw new Refused("contributors_not_anchored", { contributor: side });
    }
  }
}

/** Who sits in each place: [[{trustee, name, uscc, seat, group, key}]], `key` what it signs with (hex). Refused: roster_seats trustee_not_certified roster_key_unknown. */
function checkRoster({ roster, seats, index, owners }, hall, lock1) {
  if (seats.map((each) => each.length).join() !== roster.map((lock) => lock.keys.length).join()) {
    throw new Refused("roster_seats", { reason: "places" });
  }
  const seated = roster.map((lock, number) =>
    lock.keys.map((key, place) => {
      const id = seats[number][place];
      const trustee = hall.trustees.get(id);
      if (!trustee || trustee.index > index) throw new Refused("trustee_not_certified", { trustee: id });
      const owner = hall.preKeys.get(toHex(key));
      if (owner?.trustee !== id || owner.index >= index) {
        throw new Refused("roster_key_unknown", { trustee: id, lock: number, index: place + 1 });
      }
      const { organisation, seat, group, key: own } = trustee.act;
      return { trustee: id, name: organisation.name, uscc: organisation.uscc, seat, group, key: own };
    }),
  );
  const organisations = seated.flat().map((each) => each.uscc);
  if (new Set(organisations).size !== organisations.length) {
    throw new Refused("roster_seats", { reason: "one organisation twice" });
  }
  for (const [number, places] of seated.entries()) {
    for (const { trustee, uscc, group } of places) {
      const seatless = (reason) => new Refused("roster_seats", { reason: `${trustee} ${reason}` });
      if (GROUP_OF_LOCK[number] && group !== GROUP_OF_LOCK[number]) throw seatless(`is not of the group of lock ${number}`);
      if (number === 1 && owners.includes(uscc)) throw seatless("is owner or agent and sits in lock 1");
      if (number === 1 && lock1.length && !lock1.includes(uscc)) throw seatless("is not seated in lock 1 by the rulebook");
    }
  }
  return seated;
}

async function requireObject(name, data, hash) {
  if (typeof hash !== "string" || toHex(await sha256(data)) !== hash) throw new Refused("object_hash", { object: name });
}

/** The organisations that the pinned rulebook seats in lock 1; none when it names none. */
function lock1Of(rulebook) {
  try {
    const rows = JSON.parse(new TextDecoder().decode(rulebook)).lock_1 ?? [];
    return rows.flatMap((row) => row.organisations ?? []).map(String);
  } catch {
    throw new Refused("object_hash", { object: "rulebook" });
  }
}
