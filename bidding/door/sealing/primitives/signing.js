// Signatures by WebCrypto: ECDSA P-256 raw r‖s for organisations, Ed25519 verification for log, trustees, witnesses.
// docs/spec/ledger.md §1: every signed message is `label || 0x00 || 32-byte hash`; Ed25519 keys that are not canonical
// or of low order are refused, for under them signatures that nobody made verify.
import { concat, equal, fromHex, utf8 } from "./bytes.js";
import { Refused, assert } from "./refusal.js";

export const SPKI_BYTES = 91;
export const SIGNATURE_BYTES = 64;

const ECDSA = { name: "ECDSA", hash: "SHA-256" };
const SPKI_PREFIX = fromHex("3059301306072a8648ce3d020106082a8648ce3d03010703420004");
const ED25519_PRIME = 2n ** 255n - 19n;
const LOW_ORDER_Y = new Set([
  0n,
  1n,
  ED25519_PRIME - 1n,
  0x05fc536d880238b13933c6d305acdfd5f098eff289f4c345b027b2c28f95e826n,
  0x7a03ac9277fdc74ec6cc392cfa53202a0f67100d760b3cba4fd83d3d706a17c7n,
]);

/** The message that is signed for a purpose. */
export function labelled(label, digest) {
  assert(digest.length === 32, "a digest has 32 bytes");
  return concat(utf8(label), Uint8Array.of(0), digest);
}

/** A signer of a P-256 private CryptoKey: message → 64 bytes r‖s. */
export function p256Signer(key) {
  return async (message) => new Uint8Array(await crypto.subtle.sign(ECDSA, key, message));
}

/** Refused("key_not_p256" | "signature") unless 64 bytes r‖s over `message` verify under the SPKI (91 bytes). */
export async function verifyP256(spki, signature, message) {
  if (spki.length !== SPKI_BYTES || !equal(spki.subarray(0, SPKI_PREFIX.length), SPKI_PREFIX)) {
    throw new Refused("key_not_p256", { key_bytes: spki.length });
  }
  let key;
  try {
    key = await crypto.subtle.importKey("spki", spki, { name: "ECDSA", namedCurve: "P-256" }, false, ["verify"]);
  } catch {
    throw new Refused("key_not_p256", { key_bytes: spki.length });
  }
  if (signature.length !== SIGNATURE_BYTES || !(await crypto.subtle.verify(ECDSA, key, signature, message))) {
    throw new Refused("signature", { scheme: "p256" });
  }
  return spki;
}

/** Refused("key_not_ed25519") unless 32 bytes, canonical and not of low order. */
export function checkEd25519(key) {
  const y = key.reduceRight((value, byte) => value * 256n + BigInt(byte), 0n) & (2n ** 255n - 1n);
  if (key.length !== 32 || y >= ED25519_PRIME || LOW_ORDER_Y.has(y)) throw new Refused("key_not_ed25519");
  return key;
}

/** Refused("key_not_ed25519" | "signature") unless 64 bytes over `message` verify under the key (32 bytes). */
export async function verifyEd25519(key, signature, message) {
  checkEd25519(key);
  let imported;
  try {
    imported = await crypto.subtle.importKey("raw", key, { name: "Ed25519" }, false, ["verify"]);
  } catch {
    throw new Refused("key_not_ed25519");
  }
  const right = signature.length === SIGNATURE_BYTES;
  if (!right || !(await crypto.subtle.verify({ name: "Ed25519" }, imported, signature, message))) {
    throw new Refused("signature", { scheme: "ed25519" });
  }
  return key;
}
