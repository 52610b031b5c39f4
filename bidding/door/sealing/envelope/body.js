// The body of an envelope: Cobblestone-256 (C2SP chunked-encryption, AES-256-GCM) in segments of 1 MiB.
// docs/spec/envelope.md §5, the same as crypto/sealing/body.py. Both directions stream: a few MiB of memory for a body
// of 2 GiB. AES-GCM of WebCrypto works on whole messages, which a chunk of 16 KiB is.
import { concat, equal, uint, utf8 } from "../primitives/bytes.js";
import { expand } from "../primitives/kdf.js";
import { Refused, assert } from "../primitives/refusal.js";
import { sha256 } from "../primitives/sha256.js";
import * as merkle from "../ledger/merkle.js";
import { PREFIX_BYTES, SEGMENT_BYTES } from "./header.js";

export const SALT_BYTES = 24;
export const CHUNK_BYTES = 16384;
const TAG_BYTES = 16;
const BATCH_CHUNKS = 64;
const BATCH_BYTES = BATCH_CHUNKS * CHUNK_BYTES;
const SEALED_CHUNK_BYTES = CHUNK_BYTES + TAG_BYTES;
const LABEL = utf8("c2sp.org/chunked-encryption@v1+AEAD_AES_256_GCM\0");

/** {key: CryptoKey, nonce 12, commitment 32} of a body: HKDF-Expand with SHA-512 from the DEK. */
export async function deriveKeys(dek, salt, context) {
  assert(dek.length === 32 && salt.length === SALT_BYTES, "a key of 32 and a salt of 24 bytes");
  const derived = await expand(dek, concat(LABEL, salt, context), 76, "SHA-512");
  const usages = ["encrypt", "decrypt"];
  const key = await crypto.subtle.importKey("raw", derived.subarray(0, 32), "AES-GCM", false, usages);
  return { key, nonce: derived.slice(32, 44), commitment: derived.slice(44) };
}

/** The keys that open a header's body, if this DEK is the one its prefix commits to. Refused("commitment"). */
export async function verifyCommitment(header, dek, context) {
  const salt = header.bodyPrefix.subarray(0, SALT_BYTES);
  const keys = await deriveKeys(dek, salt, context);
  if (!equal(keys.commitment, header.bodyPrefix.subarray(SALT_BYTES))) throw new Refused("commitment");
  return keys;
}

/** The body_root of the digests d_k of the segments. */
export async function rootOf(digests) {
  return merkle.root(await Promise.all(digests.map(merkle.leafHash)));
}

/** Encrypts a plaintext of a length known before; `sink` is given the body in segments of 1 MiB, in order. */
export class Sealer {
  #keys;
  #left;
  #sink;
  #plain = new Uint8Array(BATCH_BYTES);
  #held = 0;
  #body = new Uint8Array(SEGMENT_BYTES + BATCH_CHUNKS * SEALED_CHUNK_BYTES);
  #filled = PREFIX_BYTES;
  #chunk = 0;
  #digesting = [];

  constructor(keys, { salt, paddedLen, sink }) {
    assert(salt.length === SALT_BYTES && paddedLen % CHUNK_BYTES === 0, "a salt of 24 bytes, whole chunks");
    this.#keys = keys;
    this.#left = paddedLen;
    this.#sink = sink;
    this.prefix = concat(salt, keys.commitment);
    this.#body.set(this.prefix);
    this.length = 0;
  }

  /** More plaintext; never more than `paddedLen` altogether. */
  async write(data) {
    assert(data.length <= this.#left, "the plaintext is longer than announced");
    this.#left -= data.length;
    for (let at = 0; at < data.length; ) {
      const taken = Math.min(BATCH_BYTES - this.#held, data.length - at);
      this.#plain.set(data.subarray(at, at + taken), this.#held);
      this.#held += taken;
      at += taken;
      if (this.#held === BATCH_BYTES) await this.#sealHeld();
    }
  }

  /** Zero bytes up to the announced length. */
  async pad() {
    const zeros = new Uint8Array(BATCH_BYTES);
    while (this.#left) await this.write(zeros.subarray(0, Math.min(this.#left, BATCH_BYTES)));
  }

  /** Seals what is left and the empty last chunk; gives the digests d_k of all segments. */
  async finish() {
    assert(this.#left === 0, "the plaintext is shorter than announced");
    await this.#sealHeld();
    this.#append([await this.#sealChunk(new Uint8Array(0))]);
    await this.#emitWholeSegments();
    if (this.#filled) await this.#emit(this.#filled);
    return Promise.all(this.#digesting);
  }

  async #sealHeld() {
    const chunks = [];
    for (let at = 0; at < this.#held; at += CHUNK_BYTES) {
      chunks.push(this.#sealChunk(this.#plain.subarray(at, Math.min(at + CHUNK_BYTES, this.#held))));
    }
    this.#append(await Promise.all(chunks));
    this.#held = 0;
    await this.#emitWholeSegments();
  }

  async #sealChunk(chunk) {
    const iv = nonceOf(this.#keys.nonce, this.#chunk++);
    return new Uint8Array(await crypto.subtle.encrypt({ name: "AES-GCM", iv }, this.#keys.key, chunk));
  }

  #append(chunks) {
    for (const sealed of chunks) {
      this.#body.set(sealed, this.#filled);
      this.#filled += sealed.length;
    }
  }

  async #emitWholeSegments() {
    while (this.#filled >= SEGMENT_BYTES) await this.#emit(SEGMENT_BYTES);
  }

  async #emit(length) {
    const segment = this.#body.slice(0, length);
    this.#body.copyWithin(0, length, this.#filled);
    this.#filled -= length;
    this.length += length;
    this.#digesting.push(sha256(segment));
    await this.#sink(segment);
  }
}

/**
 * The plaintext of a body, piece by piece; every piece is authentic before it is given, the end once it is exhausted.
 * `segments` is an (async) iterable of the stored bytes. Refused: body_len, prefix, chunk.
 */
export async function* decrypt(segments, { keys, prefix, bodyLen, paddedLen }) {
  const chunkCount = paddedLen / CHUNK_BYTES;
  let held = new Uint8Array(0);
  let length = 0;
  let chunk = -1; // the prefix comes before the first chunk
  for await (const segment of segments) {
    length += segment.length;
    if (length > bodyLen) throw new Refused("body_len", { body_len: bodyLen });
    held = held.length ? concat(held, segment) : segment;
    let at = 0;
    if (chunk < 0 && held.length >= PREFIX_BYTES) {
      if (!equal(held.subarray(0, PREFIX_BYTES), prefix)) throw new Refused("prefix");
      at = PREFIX_BYTES;
      chunk = 0;
    }
    const opening = [];
    while (chunk >= 0 && chunk < chunkCount && held.length - at >= SEALED_CHUNK_BYTES) {
      opening.push(openChunk(keys, chunk++, held.subarray(at, at + SEALED_CHUNK_BYTES)));
      at += SEALED_CHUNK_BYTES;
    }
    for (const opened of await Promise.all(opening)) yield opened;
    held = held.slice(at);
  }
  if (length !== bodyLen) throw new Refused("body_len", { body_len: bodyLen, bytes: length });
  // The last chunk is empty: its tag says that the body ends here.
  if (chunk !== chunkCount || held.length !== TAG_BYTES) throw new Refused("chunk");
  await openChunk(keys, chunk, held);
}

async function openChunk(keys, chunk, sealed) {
  const iv = nonceOf(keys.nonce, chunk);
  try {
    return new Uint8Array(await crypto.subtle.decrypt({ name: "AES-GCM", iv }, keys.key, sealed));
  } catch {
    throw new Refused("chunk", { chunk });
  }
}

/** The nonce of chunk k: the base nonce xor k, big-endian. */
function nonceOf(base, chunk) {
  const nonce = base.slice();
  uint(chunk, 6).forEach((byte, at) => (nonce[6 + at] ^= byte));
  return nonce;
}
