// Bytes and their texts: joining, comparing, big-endian integers, hex, base64, UTF-8.
// docs/spec/envelope.md §1, ledger.md: every text has one spelling, so readers refuse what writers would not write.

const HEX = Array.from({ length: 256 }, (_, value) => value.toString(16).padStart(2, "0"));
const ENCODER = new TextEncoder();
const BASE64_SLICE = 0x8000;

/** All parts back to back. */
export function concat(...parts) {
  const joined = new Uint8Array(parts.reduce((length, part) => length + part.length, 0));
  let at = 0;
  for (const part of parts) {
    joined.set(part, at);
    at += part.length;
  }
  return joined;
}

/** Whether two byte strings are the same. */
export function equal(a, b) {
  if (a.length !== b.length) return false;
  let differs = 0;
  for (let at = 0; at < a.length; at++) differs |= a[at] ^ b[at];
  return differs === 0;
}

/** Byte order: below, at or above zero. */
export function compare(a, b) {
  const length = Math.min(a.length, b.length);
  for (let at = 0; at < length; at++) if (a[at] !== b[at]) return a[at] - b[at];
  return a.length - b.length;
}

/** a xor b, equal lengths. */
export function xor(a, b) {
  if (a.length !== b.length) throw new Error("xor of different lengths");
  return a.map((value, at) => value ^ b[at]);
}

/** UTF-8 of a text; a lone surrogate must have been refused before. */
export const utf8 = (text) => ENCODER.encode(text);

/** The text of UTF-8 bytes, a byte order mark kept; throws TypeError for other bytes. */
export const text = (data) => new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(data);

/** Unsigned big-endian integer below 2^53 in `width` bytes. */
export function uint(value, width) {
  if (!Number.isSafeInteger(value) || value < 0) throw new Error("not an unsigned integer: " + value);
  const out = new Uint8Array(width);
  let rest = value;
  for (let at = width - 1; at >= 0; at--) {
    out[at] = rest % 256;
    rest = Math.floor(rest / 256);
  }
  if (rest) throw new Error(value + " does not fit in " + width + " bytes");
  return out;
}

/** The unsigned big-endian integer in `data`; Infinity above 2^53, where no number is exact. */
export function readUint(data) {
  let value = 0;
  for (const byte of data) value = value * 256 + byte;
  return Number.isSafeInteger(value) ? value : Infinity;
}

/** Lower-case hex. */
export function toHex(data) {
  let out = "";
  for (const byte of data) out += HEX[byte];
  return out;
}

/** The bytes of lower-case hex, `length` of them when given; null for anything else. */
export function fromHex(given, length = undefined) {
  if (typeof given !== "string" || given.length % 2 || !/^[0-9a-f]*$/.test(given)) return null;
  if (length !== undefined && given.length !== 2 * length) return null;
  const out = new Uint8Array(given.length / 2);
  for (let at = 0; at < out.length; at++) out[at] = parseInt(given.slice(2 * at, 2 * at + 2), 16);
  return out;
}

/** Standard base64 with padding. */
export function toBase64(data) {
  let binary = "";
  for (let at = 0; at < data.length; at += BASE64_SLICE) {
    binary += String.fromCharCode(...data.subarray(at, at + BASE64_SLICE));
  }
  return btoa(binary);
}

/** The bytes of standard base64 in its one spelling; null for anything else. */
export function fromBase64(given) {
  if (typeof given !== "string" || !/^[A-Za-z0-9+/]*={0,2}$/.test(given)) return null;
  let binary;
  try {
    binary = atob(given);
  } catch {
    return null;
  }
  const out = Uint8Array.from(binary, (sign) => sign.charCodeAt(0));
  return toBase64(out) === given ? out : null;
}
