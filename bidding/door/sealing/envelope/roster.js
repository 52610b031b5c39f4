// The roster of a tender: for each lock its threshold and the trustees' one-time X25519 keys.
// docs/spec/envelope.md §2, the same as crypto/roster.py. Whether these keys are trustees' is judged in
// ledger/certified.js, from acts that the roots of trust.json signed.
import { concat, toHex, utf8 } from "../primitives/bytes.js";
import { checkCanonical, checkOrder } from "../primitives/hpke.js";
import { Refused } from "../primitives/refusal.js";
import { sha256 } from "../primitives/sha256.js";

export const LOCKS_MIN = 2;
export const LOCKS_MAX = 4;
export const LOCK_TYPE = 1;

/** The locks [{t, keys: [32 bytes]}] of roster bytes. Refused: length n_locks lock_type threshold key_*. */
export function decodeRoster(data) {
  const locks = [];
  for (let rest = data; rest.length; ) {
    const end = 3 + (rest[2] ?? 0) * 32;
    if (rest.length < 3 || rest.length < end) throw new Refused("length", { part: "roster", bytes: data.length });
    checkLockCount(Math.max(locks.length + 1, LOCKS_MIN));
    if (rest[0] !== LOCK_TYPE) throw new Refused("lock_type", { lock: locks.length, lock_type: rest[0] });
    const keys = [];
    for (let at = 3; at < end; at += 32) keys.push(rest.slice(at, at + 32));
    locks.push({ t: rest[1], keys });
    rest = rest.subarray(end);
  }
  checkLockCount(locks.length);
  for (const lock of locks) checkThreshold(lock.t, lock.keys.length);
  checkKeys(locks.flatMap((lock) => lock.keys));
  return locks;
}

/** The bytes of a roster. */
export function encodeRoster(locks) {
  return concat(...locks.flatMap((lock) => [Uint8Array.of(LOCK_TYPE, lock.t, lock.keys.length), ...lock.keys]));
}

/** roster_hash of the headers. */
export function rosterHash(locks) {
  return sha256(concat(utf8("sealbid/v1 roster\0"), encodeRoster(locks)));
}

/** Refused("n_locks"). */
export function checkLockCount(count) {
  if (count < LOCKS_MIN || count > LOCKS_MAX) throw new Refused("n_locks", { n_locks: count });
}

/** Refused("threshold") unless 2 ≤ t < n ≤ 16. */
export function checkThreshold(t, n) {
  if (!(t >= 2 && t < n && n <= 16)) throw new Refused("threshold", { t, n });
}

/** All canonical, then all of full order, then all distinct. */
export function checkKeys(keys) {
  keys.forEach(checkCanonical);
  keys.forEach(checkOrder);
  if (new Set(keys.map(toHex)).size !== keys.length) throw new Refused("key_repeated");
}
