// Receipts (C2SP tlog-proof): one file that proves offline that the ledger holds an act, verified in the page.
// docs/spec/ledger.md §7, the same as crypto/ledger/receipt.py. Grade A: the log signed a tree that holds the act. Grade
// B: a quorum of witnesses saw that tree too.
import { fromBase64, fromHex, text, utf8 } from "../primitives/bytes.js";
import * as jcs from "../primitives/jcs.js";
import { Refused } from "../primitives/refusal.js";
import { partHash, privateLeaf, publicLeaf } from "./acts.js";
import { leafHash, verifyInclusion } from "./merkle.js";
import { lacking, isRehearsal, parseNote, verifyCheckpoint, verifyCosignatures } from "./note.js";

const HEADER = "c2sp.org/tlog-proof@v1";
const RECEIPT_BYTES_MAX = 512 * 1024;
const PROOF_HASHES_MAX = 63;
const FIELDS = ["kind", "event", "salt_p", "salt_c", "context"];

/**
 * Proves that the act in a receipt stands in the log of `trust`:
 * {event, leafHash, index, checkpoint, grade, cosigned, context, rehearsal}; `context` was proved by nothing.
 * Refused: receipt, what acts and note refuse, inclusion_proof.
 */
export async function verifyReceipt(data, trust) {
  const { extra, index, proof, note } = parse(data);
  const hashed = await leafHash(await eventLeaf(extra));
  const checkpoint = await verifyCheckpoint(note, trust.log);
  const cosigned = await verifyCosignatures(note, trust.witnesses);
  await verifyInclusion(hashed, index, checkpoint.size, proof, checkpoint.root);
  return {
    event: extra.event,
    leafHash: hashed,
    index,
    checkpoint,
    grade: lacking(cosigned, trust.quorum) ? "A" : "B",
    cosigned,
    context: extra.context ?? {},
    rehearsal: isRehearsal(checkpoint.origin),
  };
}

/** The private act in a receipt says exactly this. Refused("receipt_of_another_act", {field}). */
export function requireFields(proved, expected) {
  for (const [field, right] of Object.entries(expected)) {
    const said = proved.event.public?.[field];
    if (said === undefined || JSON.stringify(said) !== JSON.stringify(right)) {
      throw new Refused("receipt_of_another_act", { field });
    }
  }
  return proved;
}

function parse(data) {
  const wrong = new Refused("receipt", { bytes: data.length });
  if (data.length > RECEIPT_BYTES_MAX) throw wrong;
  let whole;
  try {
    whole = text(data);
  } catch {
    throw wrong;
  }
  const cut = whole.indexOf("\n\n");
  if (cut < 0) throw wrong;
  const lines = whole.slice(0, cut).split("\n");
  if (lines.shift() !== HEADER) throw wrong;
  const extra = lines[0]?.startsWith("extra ") && fromBase64(lines.shift().slice(6));
  const index = lines[0]?.startsWith("index ") ? lines.shift().slice(6) : "";
  if (!extra || !/^(0|[1-9][0-9]{0,15})$/.test(index) || lines.length > PROOF_HASHES_MAX) throw wrong;
  const proof = lines.map(fromBase64);
  if (proof.includes(null)) throw wrong;
  const value = jcs.loads(extra, RECEIPT_BYTES_MAX);
  const fields = value && typeof value === "object" && value.kind === "receipt";
  if (!fields || !Object.keys(value).every((name) => FIELDS.includes(name)) || !isObject(value.event)) throw wrong;
  if ("context" in value && !isObject(value.context)) throw wrong;
  return { extra: value, index: Number(index), proof, note: parseNote(utf8(whole.slice(cut + 2))) };
}

async function eventLeaf(extra) {
  const { event } = extra;
  const parts = Object.keys(event).sort().join();
  const salts = ["salt_p", "salt_c"].filter((name) => name in extra).join();
  const hash = (fields, name) => {
    const read = fromHex(fields[name], 32);
    if (!read) throw new Refused("receipt", { field: name });
    return read;
  };
  const part = (name) => {
    if (!isObject(event[name])) throw new Refused("receipt", { field: name });
    return event[name];
  };
  if (parts === "act" && salts === "") return publicLeaf(part("act"));
  if (parts === "confidential,public" && salts === "salt_p,salt_c") {
    const [saltP, saltC] = [hash(extra, "salt_p"), hash(extra, "salt_c")];
    if (extra.salt_p === extra.salt_c) throw new Refused("salt_repeated");
    return privateLeaf(part("public"), saltP, await partHash(part("confidential"), saltC));
  }
  if (parts === "confidential_hash,public" && salts === "salt_p") {
    return privateLeaf(part("public"), hash(extra, "salt_p"), hash(event, "confidential_hash"));
  }
  throw new Refused("receipt", { field: "event" });
}

function isObject(value) {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
