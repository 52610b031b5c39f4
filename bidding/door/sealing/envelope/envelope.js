// One envelope as a whole: sealing it, and opening it again as the opening will.
// docs/spec/envelope.md §4 to §8, the same as crypto/sealing/envelope.py. Entropy is drawn as S_0, S_1, …, DEK, body
// salt; nothing else in an envelope is random, and all of it is fresh for every envelope of every version.
import { concat, equal, readUint, toHex, uint } from "../primitives/bytes.js";
import * as jcs from "../primitives/jcs.js";
import { Refused, assert } from "../primitives/refusal.js";
import { Sha256, sha256 } from "../primitives/sha256.js";
import { labelled, verifyP256 } from "../primitives/signing.js";
import * as body from "./body.js";
import * as header from "./header.js";
import { SECRET_BYTES, makeLocks } from "./lock.js";
import * as manifest from "./manifest.js";
import { rosterHash } from "./roster.js";

export const READ_BYTES = 1048576;
const NOTHING = new Uint8Array(0);

/** Reads a File or Blob piece by piece, a MiB at a time. */
export async function* pieces(blob) {
  for (let at = 0; at < blob.size; at += READ_BYTES) {
    yield new Uint8Array(await blob.slice(at, at + READ_BYTES).arrayBuffer());
  }
}

/**
 * Reads a file once for its manifest: {size, sha256, digests}. `digests` are of its pieces of 1 MiB: while sealing and
 * in the self-test each piece is compared with them, so that all three readings saw the same bytes.
 */
export async function facts(blob, moved = () => {}) {
  const whole = new Sha256();
  const digests = [];
  for await (const piece of pieces(blob)) {
    const digest = sha256(piece);
    whole.update(piece);
    digests.push(await digest);
    moved(piece.length);
  }
  return { size: blob.size, sha256: whole.digest(), digests };
}

/**
 * Seals one envelope, streaming: `sink(segment)` gets the body in segments of 1 MiB, in order, and must keep them.
 * `files` [{blob, digests}] in the manifest's order; `sign(message)` gives 64 bytes. Gives {header, leaves, secrets}.
 * Refused: manifest_*, file_place, plaintext_too_long, and file_hash when a file changed since it was read.
 */
export async function seal({
  tenderId, envelope, roster, sign, spki, salt, bidNonce, version, page, files, entropy, sink, plaintextMax,
}) {
  manifest.checkFields(page);
  const pageBytes = jcs.dumps(page);
  if (pageBytes.length > manifest.MANIFEST_BYTES_MAX) throw new Refused("manifest_length", { bytes: pageBytes.length });
  if (files.length !== page.files.length) throw new Refused("file_place", { files: files.length });
  const sizes = page.files.reduce((sum, entry) => sum + entry.size, 0);
  const length = 4 + pageBytes.length + manifest.SIGNATURE_BYTES + sizes;
  const paddedLen = header.padded(length);
  manifest.checkPlaces(page, pageBytes.length, paddedLen);
  const limit = Math.min(plaintextMax ?? header.PLAINTEXT_BYTES_MAX, header.PLAINTEXT_BYTES_MAX);
  if (paddedLen > limit) throw new Refused("plaintext_too_long", { length: paddedLen, length_max: limit });
  const secrets = roster.map(() => entropy(SECRET_BYTES));
  const dek = entropy(SECRET_BYTES);
  const bodySalt = entropy(body.SALT_BYTES);
  const drawn = [...secrets, dek].map(toHex);
  assert(new Set(drawn).size === drawn.length, "entropy does not repeat itself");
  const fields = {
    tenderId, envelope, bidderTag: await header.bidderTag(salt, spki), bidNonce, version,
    rosterHash: await rosterHash(roster), bodyLen: header.bodyLenOf(paddedLen),
    bodyRoot: new Uint8Array(32), bodyPrefix: new Uint8Array(header.PREFIX_BYTES),
  };
  // The first 94 bytes, all the body's context needs, do not depend on the root and prefix that the body will give.
  const keys = await body.deriveKeys(dek, bodySalt, await header.bodyContext(header.encodeHead(fields)));
  const sealer = new body.Sealer(keys, { salt: bodySalt, paddedLen, sink });
  const signature = await sign(labelled(manifest.LABEL, await sha256(pageBytes)));
  await sealer.write(concat(uint(pageBytes.length, 4), pageBytes, signature));
  for (const [number, file] of files.entries()) await sealFile(page.files[number], file, sealer);
  await sealer.pad();
  const leaves = await sealer.finish();
  assert(sealer.length === fields.bodyLen, "the body has the length that was announced");
  fields.bodyRoot = await body.rootOf(leaves);
  fields.bodyPrefix = sealer.prefix;
  const locks = await makeLocks(header.encodeHead(fields), roster, secrets, dek);
  return { header: { ...fields, ...locks }, leaves, secrets };
}

async function sealFile(entry, { blob, digests }, sealer) {
  const changed = new Refused("file_hash", { file: entry.name });
  if (blob.size !== entry.size) throw changed;
  let number = 0;
  try {
    for await (const piece of pieces(blob)) {
      if (!equal(await sha256(piece), digests[number++])) throw changed;
      await sealer.write(piece);
    }
  } catch (error) {
    // A browser refuses to read a file that changed on the disk since it was chosen.
    throw error.name === "NotReadableError" || error.name === "NotFoundError" ? changed : error;
  }
}

/**
 * Opens a body and checks everything that the plaintext claims, as crypto.sealing.envelope.open_body does.
 * `segments` is an (async) iterable of the stored segments, `digests[number]` those of facts() for each file.
 * Refused: commitment body_len prefix chunk manifest_* jcs file_place file_hash padding.
 */
export async function openBody(sealed, dek, segments, { spki, lot, salt, bidder, digests }) {
  const context = await header.bodyContext(header.encodeHead(sealed));
  const keys = await body.verifyCommitment(sealed, dek, context);
  const paddedLen = header.paddedOfBody(sealed.bodyLen);
  const opened = body.decrypt(segments, { keys, prefix: sealed.bodyPrefix, bodyLen: sealed.bodyLen, paddedLen });
  const reader = new Reader(opened);
  const manifestLen = readUint(await reader.take(4));
  const room = Math.min(manifest.MANIFEST_BYTES_MAX, paddedLen - 4 - manifest.SIGNATURE_BYTES);
  if (manifestLen < 1 || manifestLen > room) throw new Refused("manifest_length", { bytes: manifestLen });
  const pageBytes = await reader.take(manifestLen);
  const signature = await reader.take(manifest.SIGNATURE_BYTES);
  let value;
  try {
    value = jcs.loads(pageBytes);
  } catch (refused) {
    throw new Refused("jcs", { problem: refused.code });
  }
  const page = manifest.checkFields(value);
  try {
    await verifyP256(spki, signature, labelled(manifest.LABEL, await sha256(pageBytes)));
  } catch {
    throw new Refused("manifest_signature");
  }
  manifest.checkIds(page, { lot, envelope: sealed.envelope, salt, bidder });
  manifest.checkPlaces(page, manifestLen, paddedLen);
  for (const [number, entry] of page.files.entries()) await openFile(reader, entry, digests[number]);
  for (let rest; (rest = await reader.some(READ_BYTES)).length; ) {
    if (rest.some((byte) => byte !== 0)) throw new Refused("padding");
  }
  return { manifest: page, manifestBytes: pageBytes, signature };
}

async function openFile(reader, entry, digests) {
  for (let at = 0, number = 0; at < entry.size; at += READ_BYTES, number++) {
    const piece = await reader.take(Math.min(READ_BYTES, entry.size - at));
    if (!digests?.[number] || !equal(await sha256(piece), digests[number])) {
      throw new Refused("file_hash", { file: entry.name });
    }
  }
}

/** Takes a plaintext apart that arrives in pieces of any size. */
class Reader {
  #source;
  #have = NOTHING;

  constructor(source) {
    this.#source = source;
  }

  /** Up to `length` bytes; none at the end. */
  async some(length) {
    if (!this.#have.length) {
      const { value, done } = await this.#source.next();
      if (done) return NOTHING;
      this.#have = value;
    }
    const taken = this.#have.subarray(0, length);
    this.#have = this.#have.subarray(taken.length);
    return taken;
  }

  /** Exactly `length` bytes: the length of the body was checked to hold them. */
  async take(length) {
    const out = new Uint8Array(length);
    for (let at = 0; at < length; ) {
      const some = await this.some(length - at);
      if (!some.length) throw new Refused("chunk");
      out.set(some, at);
      at += some.length;
    }
    return out;
  }
}
