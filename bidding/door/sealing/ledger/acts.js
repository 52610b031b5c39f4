// Acts as leaves of the ledger, their signatures, the tender_id, and signing an act as the bidder.
// docs/spec/ledger.md §2 and §3, acts.md; the same as crypto/ledger/acts.py and crypto/signing.py.
import { concat, equal, fromHex, toHex, utf8 } from "../primitives/bytes.js";
import * as jcs from "../primitives/jcs.js";
import { Refused } from "../primitives/refusal.js";
import { sha256 } from "../primitives/sha256.js";
import { labelled, verifyEd25519, verifyP256 } from "../primitives/signing.js";
import { spkiOf } from "./certificates.js";

const ACT_LABEL = "sealbid/v1 act";
const LEAF_BYTES_MAX = 65535;
const SIGNATURES_MAX = 16;
const HALL_TENDER_ID = "0".repeat(64);
const HALL_KINDS = new Set(["trustee", "pre_keys", "key", "rotate", "clock", "scripts"]);
const PUBLIC_KINDS = new Set([
  ...HALL_KINDS, "tender", "amendment", "deadline", "hold", "resume", "terminate", "incident", "close", "freeze",
  "refused", "rescue", "ready", "release", "opened", "verdict", "failed", "draw_pool", "draw_close", "draw_result",
  "recusal", "scores_committed", "scores_locked", "report", "publicity", "award", "contract", "directive",
]);
const EVERY = ["v", "kind", "tender_id", "prev", "at", "role", "power", "rule"];
const PUBLIC_FIELDS = [...EVERY, "seq", "context", "signatures"];
const INSTANT = /^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}\.\d{3}Z$/;

/** The bytes of a public leaf. Refused: act_kind act_fields act_private act_outside_its_chain act_unsigned leaf_too_large. */
export function publicLeaf(act) {
  requireFields(act, PUBLIC_FIELDS);
  const { kind } = act;
  if (!PUBLIC_KINDS.has(kind)) throw new Refused("act_private", { kind });
  if (!Number.isSafeInteger(act.seq) || act.seq < 0) throw new Refused("act_fields", { kind, field: "seq" });
  if (HALL_KINDS.has(kind) !== (act.tender_id === HALL_TENDER_ID)) throw new Refused("act_outside_its_chain", { kind });
  if (!act.signatures?.length) throw new Refused("act_unsigned", { kind });
  const leaf = concat(Uint8Array.of(1), jcs.dumps(act));
  if (leaf.length > LEAF_BYTES_MAX) throw new Refused("leaf_too_large", { kind, bytes: leaf.length });
  return leaf;
}

/** H(salt || JCS(part)). */
export function partHash(part, salt) {
  if (salt.length !== 32) throw new Refused("salt_length");
  return sha256(concat(salt, jcs.dumps(part)));
}

/** The 33 bytes of a private leaf: the public part opened, the confidential one as its hash. Refused: act_* act_hidden. */
export async function privateLeaf(publicPart, saltP, confidentialHash) {
  requireFields(publicPart, EVERY);
  if (PUBLIC_KINDS.has(publicPart.kind)) throw new Refused("act_hidden", { kind: publicPart.kind });
  const publicHash = await partHash(publicPart, saltP);
  const inner = concat(utf8("sealbid/v1 private\0"), publicHash, confidentialHash);
  return concat(Uint8Array.of(2), await sha256(inner));
}

/** H("sealbid/v1 tender\0" || JCS(TENDER act without tender_id, seq, prev, signatures)). Refused("act_kind"). */
export function tenderId(act) {
  if (act.kind !== "tender") throw new Refused("act_kind", { kind: act.kind });
  const payload = without(act, ["tender_id", "seq", "prev", "signatures"]);
  return sha256(concat(utf8("sealbid/v1 tender\0"), jcs.dumps(payload)));
}

/** What every signature of an act covers. */
export async function actMessage(act) {
  return labelled(ACT_LABEL, await sha256(jcs.dumps(without(act, ["signatures"]))));
}

/**
 * A copy of an act that the hall showed, signed: `certificate` DER, `sign(message)` 64 bytes. `expect` are the fields
 * that the act must have for the signer to mean it. Refused: act_not_asked_for, signature_repeated.
 */
export async function signAct(act, { certificate, sign, by = "bidder", expect = {} }) {
  if (act.signatures?.length || typeof act.kind !== "string") throw new Refused("act_not_asked_for");
  for (const [field, value] of Object.entries(expect)) {
    const same = field in act && equal(jcs.dumps(act[field]), jcs.dumps(value));
    if (!same) throw new Refused("act_not_asked_for", { field });
  }
  const entry = { by, key: toHex(certificate), sig: toHex(await sign(await actMessage(act))) };
  return { ...act, signatures: [entry] };
}

/** Every signature of an act verified: [{by, scheme, key}]. Refused: act_unsigned act_signatures signature*. */
export async function verifyAct(act) {
  const { signatures, kind } = act;
  if (!signatures || !signatures.length) throw new Refused("act_unsigned", { kind });
  if (!Array.isArray(signatures) || signatures.length > SIGNATURES_MAX) throw new Refused("act_signatures", { kind });
  const message = await actMessage(act);
  const proved = [];
  for (const entry of signatures) {
    const exact = entry && Object.keys(entry).sort().join() === "by,key,sig";
    const key = exact && fromHex(entry.key);
    const signature = exact && fromHex(entry.sig);
    if (!key || !signature || !entry.by || typeof entry.by !== "string") throw new Refused("act_signatures", { kind });
    if (proved.some((each) => equal(each.key, key))) throw new Refused("signature_repeated", { by: entry.by });
    const scheme = key.length === 32 ? "ed25519" : "p256";
    if (scheme === "ed25519") await verifyEd25519(key, signature, message);
    else await verifyP256(spkiOf(key), signature, message);
    proved.push({ by: entry.by, scheme, key });
  }
  return proved;
}

function without(act, names) {
  return Object.fromEntries(Object.entries(act).filter(([name]) => !names.includes(name)));
}

function requireFields(act, fields) {
  const kind = act.kind;
  if (typeof kind !== "string" || !/^[a-z][a-z_]{0,39}$/.test(kind)) throw new Refused("act_kind", { kind: String(kind) });
  const missing = fields.find((field) => !(field in act));
  if (missing) throw new Refused("act_fields", { kind, field: missing });
  if (act.v !== 1) throw new Refused("act_fields", { kind, field: "v" });
  if (!fromHex(act.tender_id, 32)) throw new Refused("act_fields", { kind, field: "tender_id" });
  if (!fromHex(act.prev, 32)) throw new Refused("act_fields", { kind, field: "prev" });
  if (typeof act.at !== "string" || !INSTANT.test(act.at)) throw new Refused("act_fields", { kind, field: "at" });
}
