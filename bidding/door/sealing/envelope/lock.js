// The lock section of a header: made from the secrets, and made again to prove it.
// docs/spec/envelope.md §4, the same as crypto/sealing/lock.py. Every byte is a function of (S, header[0:226], roster):
// whoever holds the secrets makes the whole section again and demands equal bytes.
import { concat, equal, utf8, xor } from "../primitives/bytes.js";
import { sealDerand } from "../primitives/hpke.js";
import { expand, hmac } from "../primitives/kdf.js";
import { Refused, assert } from "../primitives/refusal.js";
import { sha256 } from "../primitives/sha256.js";
import * as shamir from "../primitives/shamir.js";
import { HEAD_BYTES, challenge, checkRoster, encodeHead, encodeHeader } from "./header.js";

export const SECRET_BYTES = 32;

/** {wrappedDek, locks} for header[0:226] = `head`; one secret of 32 bytes per lock, and the DEK to wrap. */
export async function makeLocks(head, roster, secrets, dek) {
  assert(head.length === HEAD_BYTES && dek.length === SECRET_BYTES, "a head of 226 bytes and a key of 32");
  assert(secrets.length === roster.length, "one secret for each lock");
  const ch = await challenge(head);
  const derive = await schedule(ch, secrets);
  const wrappedDek = xor(dek, await derive(utf8("wrap"), SECRET_BYTES));
  const locks = [];
  for (const [number, { t, keys }] of roster.entries()) {
    const joined = await derive(concat(utf8("coef"), Uint8Array.of(number)), SECRET_BYTES * (t - 1));
    const coefficients = Array.from({ length: t - 1 }, (_, m) => joined.subarray(32 * m, 32 * m + 32));
    const shares = keys.map((key, at) => {
      const share = shamir.share(secrets[number], coefficients, at + 1);
      return sealShare(derive, ch, number, at + 1, key, share);
    });
    locks.push({ t, shares: await Promise.all(shares) });
  }
  return { wrappedDek, locks };
}

/** The DEK of a header whose lock section is exactly what the secrets give. Refused: roster, lock_section. */
export async function verifyLocks(header, roster, secrets) {
  await checkRoster(header, roster);
  if (secrets.length !== header.locks.length || secrets.some((secret) => secret.length !== SECRET_BYTES)) {
    throw new Refused("lock_section");
  }
  const head = encodeHead(header);
  const derive = await schedule(await challenge(head), secrets);
  const dek = xor(header.wrappedDek, await derive(utf8("wrap"), SECRET_BYTES));
  const again = await makeLocks(head, roster, secrets, dek);
  if (!equal(encodeHeader({ ...header, ...again }), encodeHeader(header))) throw new Refused("lock_section");
  return dek;
}

/** d(label, L) of the key schedule. */
async function schedule(ch, secrets) {
  const prk = await hmac(utf8("sealbid/v1 root"), concat(...secrets, ch));
  return (label, length) => expand(prk, concat(utf8("sealbid/v1 "), label, ch), length);
}

async function sealShare(derive, ch, lock, index, key, share) {
  const place = Uint8Array.of(lock, index);
  const ekm = await derive(concat(utf8("ekm"), place), SECRET_BYTES);
  const com = await sha256(concat(utf8("sealbid/v1 com\0"), ch, place, share));
  const { enc, ct } = await sealDerand(key, concat(utf8("sealbid/v1 share\0"), ch, place), ekm, share);
  return { com, enc, ct };
}
