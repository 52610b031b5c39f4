// The Merkle tree of RFC 6962 over SHA-256: roots and inclusion proofs (docs/spec/ledger.md §4, envelope.md §5).
// A verifier refuses every proof that the prover would not write.
import { concat, equal } from "../primitives/bytes.js";
import { Refused } from "../primitives/refusal.js";
import { sha256 } from "../primitives/sha256.js";

/** H(0x00 || data). */
export const leafHash = (data) => sha256(concat(Uint8Array.of(0), data));

/** H(0x01 || left || right). */
export const nodeHash = (left, right) => sha256(concat(Uint8Array.of(1), left, right));

/** The root over leaf hashes; SHA-256 of nothing for none. */
export async function root(leafHashes) {
  if (!leafHashes.length) return sha256(new Uint8Array(0));
  let level = leafHashes;
  while (level.length > 1) {
    const pairs = [];
    for (let at = 0; at + 1 < level.length; at += 2) pairs.push(nodeHash(level[at], level[at + 1]));
    const above = await Promise.all(pairs);
    // A lone last node moves up unchanged.
    level = level.length % 2 ? [...above, level[level.length - 1]] : above;
  }
  return level[0];
}

/** Refused("inclusion_proof") unless leaf hash number `index` of `size` leads to `root`. RFC 9162 §2.1.3.2. */
export async function verifyInclusion(leaf, index, size, proof, root) {
  const wrong = new Refused("inclusion_proof", { index, size });
  if (!Number.isSafeInteger(index) || !Number.isSafeInteger(size) || index < 0 || index >= size) throw wrong;
  if ([leaf, root, ...proof].some((each) => each.length !== 32)) throw wrong;
  let number = BigInt(index);
  let last = BigInt(size) - 1n;
  let computed = leaf;
  for (const sibling of proof) {
    if (last === 0n) throw wrong;
    if (number & 1n || number === last) {
      computed = await nodeHash(sibling, computed);
      while (!(number & 1n) && number) {
        number >>= 1n;
        last >>= 1n;
      }
    } else computed = await nodeHash(computed, sibling);
    number >>= 1n;
    last >>= 1n;
  }
  if (last !== 0n || !equal(computed, root)) throw wrong;
}
