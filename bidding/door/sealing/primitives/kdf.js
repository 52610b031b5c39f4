// HMAC and RFC 5869 Expand by WebCrypto: docs/spec/envelope.md §4 (SHA-256) and C2SP chunked-encryption (SHA-512).
import { concat } from "./bytes.js";

/** HMAC(key, data); a key of zero length is 32 zero bytes, which is the same by definition and WebCrypto takes it. */
export async function hmac(key, data, hash = "SHA-256") {
  return (await keyed(key, hash))(data);
}

/** RFC 5869 Expand: `length` bytes from prk under info. */
export async function expand(prk, info, length, hash = "SHA-256") {
  const mac = await keyed(prk, hash);
  let out = new Uint8Array(0);
  let block = new Uint8Array(0);
  for (let counter = 1; out.length < length; counter++) {
    block = await mac(concat(block, info, Uint8Array.of(counter)));
    out = concat(out, block);
  }
  return out.subarray(0, length);
}

async function keyed(key, hash) {
  const raw = key.length ? key : new Uint8Array(32);
  const imported = await crypto.subtle.importKey("raw", raw, { name: "HMAC", hash }, false, ["sign"]);
  return async (data) => new Uint8Array(await crypto.subtle.sign("HMAC", imported, data));
}
