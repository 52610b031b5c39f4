// The header of an envelope: its bytes, and whether it may be admitted to a tender.
// docs/spec/envelope.md §3, the same as crypto/sealing/header.py: refused with the first code of the table there.
import { concat, equal, readUint, toHex, uint, utf8 } from "../primitives/bytes.js";
import { Refused, assert } from "../primitives/refusal.js";
import { sha256 } from "../primitives/sha256.js";
import { labelled, verifyP256 } from "../primitives/signing.js";
import { LOCK_TYPE, checkKeys, checkLockCount, checkThreshold, rosterHash } from "./roster.js";

export const HEAD_BYTES = 226;
export const PREFIX_BYTES = 56;
export const SEGMENT_BYTES = 1048576;
export const PLAINTEXT_BYTES_MAX = 2 * 1024 ** 3;
export const RECORD = 0;
export const DOCUMENTS = 1;
export const SUBMIT_LABEL = "sealbid/v1 submit";

const MAGIC = utf8("SEALBID1");
const FIXED_BYTES = 259;
const HEADER_BYTES_MAX = 8192;
const SHARE_BYTES = 112;
const PAD_SMALL = 65536;

/** header[0:226] of {tenderId, envelope, bidderTag, bidNonce, version, rosterHash, bodyLen, bodyRoot, bodyPrefix}. */
export function encodeHead(fields) {
  const head = concat(
    MAGIC, uint(1, 2), uint(0, 2), fields.tenderId, uint(fields.envelope, 2), fields.bidderTag, fields.bidNonce,
    uint(fields.version, 4), fields.rosterHash, uint(fields.bodyLen, 8), fields.bodyRoot, fields.bodyPrefix,
  );
  assert(head.length === HEAD_BYTES, "the head of a header has 226 bytes");
  return head;
}

/** The canonical bytes of a header: its fields, wrappedDek and locks [{t, shares: [{com, enc, ct}]}]. */
export function encodeHeader(header) {
  const parts = [encodeHead(header), header.wrappedDek, Uint8Array.of(header.locks.length)];
  for (const lock of header.locks) {
    parts.push(Uint8Array.of(LOCK_TYPE, lock.t, lock.shares.length, 0));
    for (const share of lock.shares) parts.push(share.com, share.enc, share.ct);
  }
  return concat(...parts);
}

/** H(header bytes). */
export const headerHash = (header) => sha256(encodeHeader(header));

/** ch = H(header[0:226]). */
export const challenge = (head) => sha256(head.subarray(0, HEAD_BYTES));

/** The Cobblestone context of the envelope whose header begins with `head` (at least 94 bytes). */
export async function bodyContext(head) {
  return concat(utf8("sealbid/v1 body\0"), await sha256(head.subarray(0, 94)));
}

/** The name of one version of one bid: H(header[0:94]) of the record envelope. */
export function bidId(record) {
  assert(record.envelope === RECORD, "only the record envelope names the bid");
  return sha256(encodeHead(record).subarray(0, 94));
}

/** Names the signer to who knows the salt, and nobody to who does not. */
export const bidderTag = (salt, spki) => sha256(concat(utf8("sealbid/v1 bidder\0"), salt, spki));

/** P for L = `length`: up to a multiple of 64 KiB up to 1 MiB, of 1 MiB above; nothing added to a multiple. */
export function padded(length) {
  const unit = length <= SEGMENT_BYTES ? PAD_SMALL : SEGMENT_BYTES;
  return Math.ceil(length / unit) * unit;
}

/** Length of the body over P bytes. */
export const bodyLenOf = (paddedLen) => 72 + paddedLen + paddedLen / 1024;

/** P of a body length. Refused("body_len"). */
export function paddedOfBody(bodyLen) {
  const paddedLen = Math.floor(((bodyLen - 72) * 1024) / 1025);
  const right = bodyLenOf(paddedLen) === bodyLen && padded(paddedLen) === paddedLen;
  if (!right || paddedLen < PAD_SMALL || paddedLen > PLAINTEXT_BYTES_MAX) {
    throw new Refused("body_len", { body_len: bodyLen });
  }
  return paddedLen;
}

/** The header of a bid's envelope. Refused: length … key_repeated in the order of the table, and envelope. */
export function parseHeader(data) {
  const length = () => new Refused("length", { part: "header", bytes: data.length });
  if (data.length < FIXED_BYTES || data.length > HEADER_BYTES_MAX) throw length();
  if (!equal(data.subarray(0, 8), MAGIC)) throw new Refused("magic");
  if (readUint(data.subarray(8, 10)) !== 1) throw new Refused("suite", { suite: readUint(data.subarray(8, 10)) });
  if (data[10] || data[11]) throw new Refused("flags");
  const version = readUint(data.subarray(94, 98));
  if (version === 0) throw new Refused("version", { version });
  checkLockCount(data[258]);
  const starts = [];
  let end = FIXED_BYTES;
  for (let number = 0; number < data[258]; number++) {
    if (end + 4 > data.length) throw length();
    starts.push(end);
    end += 4 + data[end + 2] * SHARE_BYTES;
  }
  if (end !== data.length) throw length();
  for (const at of starts) if (data[at] !== LOCK_TYPE) throw new Refused("lock_type", { lock_type: data[at] });
  for (const at of starts) checkThreshold(data[at + 1], data[at + 2]);
  for (const at of starts) if (data[at + 3] !== 0) throw new Refused("lock_reserved");
  const header = {
    tenderId: data.slice(12, 44),
    envelope: readUint(data.subarray(44, 46)),
    bidderTag: data.slice(46, 78),
    bidNonce: data.slice(78, 94),
    version,
    rosterHash: data.slice(98, 130),
    bodyLen: readUint(data.subarray(130, 138)),
    bodyRoot: data.slice(138, 170),
    bodyPrefix: data.slice(170, 226),
    wrappedDek: data.slice(226, 258),
    locks: starts.map((at) => ({ t: data[at + 1], shares: readShares(data, at + 4, data[at + 2]) })),
  };
  paddedOfBody(header.bodyLen);
  checkKeys(header.locks.flatMap((lock) => lock.shares.map((share) => share.enc)));
  if (header.envelope > 2) throw new Refused("envelope", { envelope: header.envelope });
  return header;
}

/** Judges the headers of one bid. Refused: tender envelope roster bidder_tag mixed_bid submit_signature. Gives {bidId, d}. */
export async function checkAdmission(headers, { tenderId, envelopes, roster, spki, salt, signature }) {
  for (const header of headers) if (!equal(header.tenderId, tenderId)) throw new Refused("tender");
  const wanted = [...envelopes].sort((a, b) => a - b);
  if (!headers.length || headers.map((each) => each.envelope).join() !== wanted.join()) {
    throw new Refused("envelope", { envelopes: headers.map((each) => each.envelope), expected: wanted });
  }
  for (const header of headers) await checkRoster(header, roster);
  const tag = await bidderTag(salt, spki);
  if (salt.length !== 32 || headers.some((each) => !equal(each.bidderTag, tag))) throw new Refused("bidder_tag");
  const [first] = headers;
  if (headers.some((each) => !equal(each.bidNonce, first.bidNonce) || each.version !== first.version)) {
    throw new Refused("mixed_bid");
  }
  const d = await submitDigest(headers);
  try {
    await verifyP256(spki, signature, labelled(SUBMIT_LABEL, d));
  } catch {
    throw new Refused("submit_signature");
  }
  return { bidId: await bidId(first), d };
}

/** D = H(H(header_a) || H(header_b) …) in ascending order of envelope. */
export async function submitDigest(headers) {
  const ordered = [...headers].sort((a, b) => a.envelope - b.envelope);
  return sha256(concat(...(await Promise.all(ordered.map(headerHash)))));
}

/** Refused("roster") unless the header is sealed to exactly this roster. */
export async function checkRoster(header, roster) {
  const shape = (locks, count) => locks.map((lock) => `${lock.t} of ${count(lock)}`).join();
  const same = shape(header.locks, (lock) => lock.shares.length) === shape(roster, (lock) => lock.keys.length);
  if (!same || !equal(header.rosterHash, await rosterHash(roster))) {
    throw new Refused("roster", { roster_hash: toHex(header.rosterHash) });
  }
}

/** Refused("prefix") unless the body begins as the header says. */
export function checkPrefix(header, bodyStart) {
  if (!equal(bodyStart.subarray(0, PREFIX_BYTES), header.bodyPrefix)) throw new Refused("prefix");
}

function readShares(data, start, count) {
  return Array.from({ length: count }, (_, number) => {
    const at = start + number * SHARE_BYTES;
    return { com: data.slice(at, at + 32), enc: data.slice(at + 32, at + 64), ct: data.slice(at + 64, at + 112) };
  });
}
