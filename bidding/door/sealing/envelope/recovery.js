// The recovery file: what a bidder needs to read its own sealed bid again, or to disclose S, under a passphrase.
// docs/spec/envelope.md §9, the same as crypto/sealing/recovery.py. Argon2id of 64 MiB takes seconds: only in a worker.
import { concat, equal, fromHex, toHex, utf8 } from "../primitives/bytes.js";
import { argon2id } from "../primitives/argon2.js";
import * as jcs from "../primitives/jcs.js";
import { Refused } from "../primitives/refusal.js";
import { encodeHeader, parseHeader } from "./header.js";

export const PASSPHRASE_LENGTH_MIN = 8;
const FILE_BYTES_MAX = 64 * 1024;
const MAGIC = utf8("SEALREC1");
const SALT_BYTES = 16;
const NONCE_BYTES = 12;
const FIRST = MAGIC.length + SALT_BYTES + NONCE_BYTES;
const COST = { passes: 3, lanes: 4, memoryKib: 64 * 1024, length: 32 };
const FIELDS = "envelopes,lot,salt,submit_signature,v";

/** The passphrase itself, long enough. Refused("passphrase_short"). */
export function checkPassphrase(passphrase) {
  if ([...passphrase.normalize("NFC")].length < PASSPHRASE_LENGTH_MIN) {
    throw new Refused("passphrase_short", { length_min: PASSPHRASE_LENGTH_MIN });
  }
  return passphrase;
}

/** The file of {lot, salt, signature, headers, secrets}. */
export async function writeRecovery({ lot, salt, signature, headers, secrets }, passphrase, entropy) {
  checkPassphrase(passphrase);
  const drawn = { salt: entropy(SALT_BYTES), nonce: entropy(NONCE_BYTES) };
  const contents = jcs.dumps({
    v: 1,
    lot,
    salt: toHex(salt),
    submit_signature: toHex(signature),
    envelopes: headers.map((each, number) => ({
      header: toHex(encodeHeader(each)),
      secrets: secrets[number].map(toHex),
    })),
  });
  const start = concat(MAGIC, drawn.salt, drawn.nonce);
  const key = await keyOf(passphrase, drawn.salt, ["encrypt"]);
  const algorithm = { name: "AES-GCM", iv: drawn.nonce, additionalData: start };
  return concat(start, new Uint8Array(await crypto.subtle.encrypt(algorithm, key, contents)));
}

/** The contents of a file. Refused: recovery_file (not one, or cut short), recovery_passphrase (wrong, or changed). */
export async function readRecovery(data, passphrase) {
  const whole = data.length > FIRST + 16 && data.length <= FILE_BYTES_MAX;
  if (!whole || !equal(data.subarray(0, MAGIC.length), MAGIC)) throw new Refused("recovery_file");
  const key = await keyOf(passphrase, data.subarray(MAGIC.length, MAGIC.length + SALT_BYTES), ["decrypt"]);
  const start = data.subarray(0, FIRST);
  const algorithm = { name: "AES-GCM", iv: data.subarray(FIRST - NONCE_BYTES, FIRST), additionalData: start };
  let contents;
  try {
    contents = new Uint8Array(await crypto.subtle.decrypt(algorithm, key, data.subarray(FIRST)));
  } catch {
    throw new Refused("recovery_passphrase");
  }
  return kept(jcs.loads(contents));
}

function kept(value) {
  const wrong = new Refused("recovery_file");
  if (!value || Object.keys(value).sort().join() !== FIELDS || value.v !== 1 || !Array.isArray(value.envelopes)) throw wrong;
  const bytes = (given, length) => {
    const read = fromHex(given, length);
    if (!read) throw wrong;
    return read;
  };
  return {
    lot: value.lot,
    salt: bytes(value.salt, 32),
    signature: bytes(value.submit_signature, 64),
    headers: value.envelopes.map((each) => parseHeader(bytes(each.header))),
    secrets: value.envelopes.map((each) => each.secrets.map((secret) => bytes(secret, 32))),
  };
}

async function keyOf(passphrase, salt, usages) {
  // NFC, so that the same words typed on another system are the same key.
  const key = argon2id(utf8(passphrase.normalize("NFC")), salt, COST);
  return crypto.subtle.importKey("raw", key, "AES-GCM", false, usages);
}
