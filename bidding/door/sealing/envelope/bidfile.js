// The sealed bid as one file: bodies first, then an index with headers, digests of the segments, and the signature.
// docs/spec/bidfile.md §1, the same as bidding/client/bidfile.py: what the page seals, the command line can hand in, and
// the other way round. A reader believes nothing.
import { concat, equal, fromHex, readUint, toHex, uint, utf8 } from "../primitives/bytes.js";
import * as jcs from "../primitives/jcs.js";
import { Refused } from "../primitives/refusal.js";
import { sha256 } from "../primitives/sha256.js";
import { labelled, verifyP256 } from "../primitives/signing.js";
import { spkiOf } from "../ledger/certificates.js";
import { rootOf } from "./body.js";
import * as header from "./header.js";
import { decodeRoster, encodeRoster } from "./roster.js";

export const MAGIC = utf8("SEALBIDF");
const END = utf8("FDIBLAES");
const INDEX_BYTES_MAX = 4 << 20;
const TAIL_BYTES = 32 + 4 + END.length;
const FIELDS = "certificate,envelopes,lot,roster,salt,signature,tender_id,v";

/** What stands after the bodies: index, its hash and length, the closing mark. */
export async function encodeIndex({ lot, tenderId, roster, salt, signature, certificate, envelopes }) {
  const index = jcs.dumps({
    v: 1,
    lot,
    tender_id: toHex(tenderId),
    roster: toHex(encodeRoster(roster)),
    salt: toHex(salt),
    signature: toHex(signature),
    certificate: toHex(certificate),
    envelopes: envelopes.map(({ header: each, leaves }) => ({
      header: toHex(header.encodeHeader(each)),
      leaves: leaves.map(toHex),
    })),
  });
  return concat(index, await sha256(index), uint(index.length, 4), END);
}

/**
 * Opens a bid file (a Blob) and judges its index: {lot, tenderId, roster, salt, signature, certificate, spki, version,
 * d, bidId, headers, envelopes: [{header, leaves, offset, size}]}.
 * Refused: bid_file_unreadable bid_file_index bid_file_length body_root roster tender bidder_tag mixed_bid
 * submit_signature, and the header's own codes.
 */
export async function readBidFile(blob) {
  const { index, bodiesEnd } = await readIndex(blob);
  const wrong = new Refused("bid_file_index");
  const bytes = (given, length) => {
    const read = fromHex(given, length);
    if (!read) throw wrong;
    return read;
  };
  if (Object.keys(index).sort().join() !== FIELDS || index.v !== 1 || typeof index.lot !== "string") throw wrong;
  if (!Array.isArray(index.envelopes) || !index.envelopes.every((row) => Array.isArray(row?.leaves))) throw wrong;
  const found = {
    lot: index.lot,
    tenderId: bytes(index.tender_id, 32),
    roster: decodeRoster(bytes(index.roster)),
    salt: bytes(index.salt, 32),
    signature: bytes(index.signature, 64),
    certificate: bytes(index.certificate),
    envelopes: [],
  };
  let offset = MAGIC.length;
  for (const row of index.envelopes) {
    const parsed = header.parseHeader(bytes(row.header));
    const leaves = row.leaves.map((leaf) => bytes(leaf, 32));
    if (leaves.length !== Math.ceil(parsed.bodyLen / header.SEGMENT_BYTES)) throw wrong;
    if (!equal(await rootOf(leaves), parsed.bodyRoot)) throw new Refused("body_root", { bytes: parsed.bodyLen });
    found.envelopes.push({ header: parsed, leaves, offset, size: parsed.bodyLen });
    offset += parsed.bodyLen;
  }
  if (!found.envelopes.length || offset !== bodiesEnd) throw new Refused("bid_file_length", { bytes: bodiesEnd });
  found.headers = found.envelopes.map((each) => each.header);
  found.spki = spkiOf(found.certificate);
  await checkOneBid(found);
  return found;
}

/** One segment of an envelope, if it still is the one in the index. Refused("bid_file_changed"). */
export async function segmentOf(blob, envelope, number) {
  const start = envelope.offset + number * header.SEGMENT_BYTES;
  const end = Math.min(start + header.SEGMENT_BYTES, envelope.offset + envelope.size);
  const segment = new Uint8Array(await blob.slice(start, end).arrayBuffer());
  if (!equal(await sha256(segment), envelope.leaves[number])) {
    throw new Refused("bid_file_changed", { envelope: envelope.header.envelope, segment: number });
  }
  return segment;
}

/** The headers are one bid of the certificate in the file; gives it a version, D and its name. */
async function checkOneBid(found) {
  const { headers, spki } = found;
  const tag = await header.bidderTag(found.salt, spki);
  if (headers.some((each) => !equal(each.bidderTag, tag))) throw new Refused("bidder_tag");
  for (const each of headers) await header.checkRoster(each, found.roster);
  if (headers.some((each) => !equal(each.tenderId, found.tenderId))) throw new Refused("tender");
  const ascending = headers.every((each, at) => at === 0 || headers[at - 1].envelope < each.envelope);
  const [first] = headers;
  const one = headers.every((each) => equal(each.bidNonce, first.bidNonce) && each.version === first.version);
  if (!ascending || !one) throw new Refused("mixed_bid");
  found.version = first.version;
  found.d = await header.submitDigest(headers);
  found.bidId = await header.bidId(first);
  try {
    await verifyP256(spki, found.signature, labelled(header.SUBMIT_LABEL, found.d));
  } catch {
    throw new Refused("submit_signature");
  }
}

async function readIndex(blob) {
  const unreadable = new Refused("bid_file_unreadable", { bytes: blob.size });
  const part = async (start, end) => new Uint8Array(await blob.slice(start, end).arrayBuffer());
  if (blob.size < MAGIC.length + TAIL_BYTES) throw unreadable;
  const [magic, tail] = [await part(0, MAGIC.length), await part(blob.size - TAIL_BYTES, blob.size)];
  const length = readUint(tail.subarray(32, 36));
  const bodiesEnd = blob.size - TAIL_BYTES - length;
  const framed = equal(magic, MAGIC) && equal(tail.subarray(36), END);
  if (!framed || length < 1 || length > INDEX_BYTES_MAX || bodiesEnd < MAGIC.length) throw unreadable;
  const index = await part(bodiesEnd, bodiesEnd + length);
  const wrong = new Refused("bid_file_index");
  if (!equal(await sha256(index), tail.subarray(0, 32))) throw wrong;
  let value;
  try {
    value = jcs.loads(index, INDEX_BYTES_MAX);
  } catch {
    throw wrong;
  }
  if (typeof value !== "object" || value === null || Array.isArray(value)) throw wrong;
  return { index: value, bodiesEnd };
}
