// Signed notes, the checkpoints of a log in them, and the cosignatures of its witnesses (C2SP, Ed25519 only).
// docs/spec/ledger.md §5, the same as crypto/ledger/note.py: lines of unknown keys are ignored, one false line of a known
// key refuses the whole note, a quorum needs a witness of operation and one of supervision.
import { concat, equal, fromBase64, readUint, text, toHex, utf8 } from "../primitives/bytes.js";
import { Refused } from "../primitives/refusal.js";
import { sha256 } from "../primitives/sha256.js";
import { checkEd25519, verifyEd25519 } from "../primitives/signing.js";

export const LOG_SIGNATURE = 0x01;
export const COSIGNATURE = 0x04;
const NOTE_BYTES_MAX = 64 * 1024;
const SIGNATURES_MAX = 64;
const STAMP_MAX_S = 253402300799; // the last second of the year 9999

/** {name, kind, key 32, id 4} of `name+hash+base64(type || key)`. Refused: verifier_key key_name key_not_ed25519. */
export async function parseVerifierKey(given) {
  const [name, id, ...encoded] = String(given).split("+");
  const material = fromBase64(encoded.join("+"));
  if (material?.length !== 33 || ![LOG_SIGNATURE, COSIGNATURE].includes(material[0])) {
    throw new Refused("verifier_key", { name: name.slice(0, 80) });
  }
  requireName(name);
  const key = checkEd25519(material.slice(1));
  const computed = (await sha256(concat(utf8(name + "\n"), material))).subarray(0, 4);
  if (toHex(computed) !== id) throw new Refused("verifier_key", { name });
  return { name, kind: material[0], key, id: computed };
}

/** {text, lines: [{name, id, signature}]} of a signed note, nothing verified. Refused: note, key_name. */
export function parseNote(data) {
  const wrong = new Refused("note", { bytes: data.length });
  if (data.length > NOTE_BYTES_MAX) throw wrong;
  let whole;
  try {
    whole = text(data);
  } catch {
    throw wrong;
  }
  if (/[\u0000-\u0009\u000b-\u001f]/.test(whole) || !whole.endsWith("\n")) throw wrong;
  const cut = whole.lastIndexOf("\n\n");
  if (cut < 1) throw wrong;
  const lines = whole.slice(cut + 2, -1).split("\n");
  if (lines.length > SIGNATURES_MAX) throw wrong;
  return { text: whole.slice(0, cut + 1), lines: lines.map(parseLine) };
}

/** {origin, size, root} of the text of a checkpoint: exactly three lines. Refused("checkpoint"). */
export function parseCheckpoint(given) {
  const lines = given.split("\n");
  const root = fromBase64(lines[2] ?? "");
  const size = Number(lines[1]);
  const right = lines.length === 4 && lines[3] === "" && /^(0|[1-9][0-9]{0,15})$/.test(lines[1]);
  if (!right || !Number.isSafeInteger(size) || root?.length !== 32) {
    throw new Refused("checkpoint", { origin: lines[0].slice(0, 80) });
  }
  requireName(lines[0]);
  return { origin: lines[0], size, root };
}

/** The checkpoint that the log signed under its own origin. Refused: note_not_signed signature checkpoint origin. */
export async function verifyCheckpoint(note, log) {
  const line = lineOf(note, log);
  if (!line) throw new Refused("note_not_signed", { by: log.name });
  await verifyEd25519(log.key, line.signature, utf8(note.text));
  const checkpoint = parseCheckpoint(note.text);
  if (checkpoint.origin !== log.name) throw new Refused("origin", { origin: checkpoint.origin });
  return checkpoint;
}

/** Every verified cosignature of a known witness: [{witness, at}] (seconds since 1970), by stamp. Refused("cosignature"). */
export async function verifyCosignatures(note, witnesses) {
  const found = [];
  for (const witness of witnesses) {
    const line = lineOf(note, witness.key);
    if (!line) continue;
    const at = readUint(line.signature.subarray(0, 8));
    try {
      if (!(at > 0 && at <= STAMP_MAX_S)) throw new Refused("cosignature");
      const message = utf8(`cosignature/v1\ntime ${at}\n${note.text}`);
      await verifyEd25519(witness.key.key, line.signature.subarray(8), message);
    } catch {
      throw new Refused("cosignature", { witness: witness.name });
    }
    found.push({ witness, at });
  }
  return found.sort((a, b) => a.at - b.at || (a.witness.name < b.witness.name ? -1 : 1));
}

/** Why these cosignatures are no quorum ("quorum" or "quorum_group"), or null. */
export function lacking(cosigned, quorum) {
  if (cosigned.length < quorum) return "quorum";
  const groups = new Set(cosigned.map((each) => each.witness.group));
  return groups.has("operation") && groups.has("supervision") ? null : "quorum_group";
}

/** Whether an origin is that of a demo hall; everything proved under it must be called a rehearsal. */
export const isRehearsal = (origin) => origin.endsWith("/rehearsal");

function parseLine(line) {
  const parts = /^— ([^ ]*) (.*)$/s.exec(line);
  const blob = parts && fromBase64(parts[2]);
  if (!blob || blob.length < 5) throw new Refused("note", { line: line.slice(0, 80) });
  requireName(parts[1]);
  return { name: parts[1], id: blob.subarray(0, 4), signature: blob.subarray(4) };
}

function lineOf(note, key) {
  const lines = note.lines.filter((line) => line.name === key.name && equal(line.id, key.id));
  if (lines.length > 1) throw new Refused("signature_repeated", { by: key.name });
  return lines[0];
}

function requireName(name) {
  if (!name || /[+\s\u0000-\u001f\u0085]/u.test(name)) throw new Refused("key_name", { name: name.slice(0, 80) });
}
