// HPKE base mode (RFC 9180), one message, suite DHKEM(X25519, HKDF-SHA256) / HKDF-SHA256 / AES-256-GCM, sealing only.
// docs/spec/envelope.md §4: the ephemeral key is derived, so that everybody who holds the secrets can make every
// ciphertext again. Held to RFC 9180's vectors and to crypto/sealing/hpke.py. WebCrypto takes an X25519 private key only
// as PKCS#8, and gives its public key only in a JWK.
import { concat, uint, utf8 } from "./bytes.js";
import { hmac } from "./kdf.js";
import { Refused } from "./refusal.js";

const EMPTY = new Uint8Array(0);
const PKCS8_PREFIX = Uint8Array.from([48, 46, 2, 1, 0, 48, 5, 6, 3, 43, 101, 110, 4, 34, 4, 32]);
const KEM_ID = concat(utf8("KEM"), uint(0x0020, 2));
const SUITE_ID = concat(utf8("HPKE"), uint(0x0020, 2), uint(0x0001, 2), uint(0x0002, 2));
const FIELD = 2n ** 255n - 19n;
// Points of small order: a Diffie-Hellman with them gives zero, whatever the other key is.
const LOW_ORDER = new Set([
  0n,
  1n,
  FIELD - 1n,
  0x00b8495f16056286fdb1329ceb8d09da6ac49ff1fae35616aeb8413b7c7aebe0n,
  0x57119fd0dd4e22d8868e1c58c45c44045bef839c55b1d0b1248c50a3bc959c5fn,
]);

/** The number that a key is, read little-endian. */
function number(key) {
  return key.reduceRight((value, byte) => value * 256n + BigInt(byte), 0n);
}

/** Refused("key_not_canonical") unless 32 bytes, bit 255 clear and below the field's prime. */
export function checkCanonical(key) {
  if (key.length !== 32 || number(key) >= FIELD) throw new Refused("key_not_canonical");
}

/** Refused("key_low_order"). */
export function checkOrder(key) {
  if (LOW_ORDER.has(number(key))) throw new Refused("key_low_order");
}

/** RFC 9180 §7.1.3 DeriveKeyPair, then SealBase to `pk` with empty aad: {enc 32, ct = plaintext + 16}. */
export async function sealDerand(pk, info, ekm, plaintext) {
  checkCanonical(pk);
  checkOrder(pk);
  const scalar = await deriveScalar(ekm);
  const pkcs8 = concat(PKCS8_PREFIX, scalar);
  const [secret, theirs] = await Promise.all([
    crypto.subtle.importKey("pkcs8", pkcs8, { name: "X25519" }, true, ["deriveBits"]),
    crypto.subtle.importKey("raw", pk, { name: "X25519" }, false, []),
  ]);
  const enc = unbase64url((await crypto.subtle.exportKey("jwk", secret)).x);
  const dh = new Uint8Array(await crypto.subtle.deriveBits({ name: "X25519", public: theirs }, secret, 256));
  const prk = await labeledExtract(KEM_ID, EMPTY, "eae_prk", dh);
  const shared = await labeledExpand(KEM_ID, prk, "shared_secret", concat(enc, pk), 32);
  const { key, nonce } = await schedule(shared, info);
  const cipher = await crypto.subtle.importKey("raw", key, "AES-GCM", false, ["encrypt"]);
  const ct = new Uint8Array(await crypto.subtle.encrypt({ name: "AES-GCM", iv: nonce }, cipher, plaintext));
  return { enc, ct };
}

async function deriveScalar(ekm) {
  const prk = await labeledExtract(KEM_ID, EMPTY, "dkp_prk", ekm);
  return labeledExpand(KEM_ID, prk, "sk", EMPTY, 32);
}

/** RFC 9180 §5.1 KeySchedule in base mode. */
async function schedule(shared, info) {
  const [psk, infoHash, secret] = await Promise.all([
    labeledExtract(SUITE_ID, EMPTY, "psk_id_hash", EMPTY),
    labeledExtract(SUITE_ID, EMPTY, "info_hash", info),
    labeledExtract(SUITE_ID, shared, "secret", EMPTY),
  ]);
  const context = concat(Uint8Array.of(0), psk, infoHash);
  const [key, nonce] = await Promise.all([
    labeledExpand(SUITE_ID, secret, "key", context, 32),
    labeledExpand(SUITE_ID, secret, "base_nonce", context, 12),
  ]);
  return { key, nonce };
}

function labeledExtract(suite, salt, label, ikm) {
  return hmac(salt, concat(utf8("HPKE-v1"), suite, utf8(label), ikm));
}

async function labeledExpand(suite, prk, label, info, length) {
  const message = concat(uint(length, 2), utf8("HPKE-v1"), suite, utf8(label), info, Uint8Array.of(1));
  return (await hmac(prk, message)).subarray(0, length);
}

function unbase64url(given) {
  return Uint8Array.from(atob(given.replaceAll("-", "+").replaceAll("_", "/")), (sign) => sign.charCodeAt(0));
}
