// The self-test: the sealed bid will open. Made from the sealed file and the recovery file as written, never from memory.
// docs/spec/bidfile.md §2.5, the same as bidding/client/sealing.py: admission, the whole lock section made again,
// commitment, every body opened with every check of an opening. What the page seals is valid, or it is not sealed.
import { equal } from "../primitives/bytes.js";
import { Refused } from "../primitives/refusal.js";
import { readBidFile, segmentOf } from "./bidfile.js";
import { openBody } from "./envelope.js";
import { checkAdmission, encodeHeader } from "./header.js";
import { verifyLocks } from "./lock.js";
import { readRecovery } from "./recovery.js";

/**
 * The bid as it was read back. `tender` is what was proved of the TENDER act, `digests[envelope]` those of every file.
 * Refused("self_test_failed", {problem}) with the code that the opening would have given.
 */
export async function selfTest({ blob, recovery, passphrase, tender, spki, bidder, digests, moved = () => {} }) {
  try {
    const found = await readBidFile(blob);
    await checkAdmission(found.headers, { ...tender, spki, salt: found.salt, signature: found.signature });
    const kept = await readRecovery(recovery, passphrase);
    const same = kept.headers.length === found.headers.length && kept.lot === found.lot;
    if (!same || kept.headers.some((each, at) => !equal(encodeHeader(each), encodeHeader(found.headers[at])))) {
      throw new Refused("recovery_file");
    }
    for (const [number, envelope] of found.envelopes.entries()) {
      const dek = await verifyLocks(envelope.header, tender.roster, kept.secrets[number]);
      await openBody(envelope.header, dek, stored(blob, envelope, moved), {
        spki, lot: tender.lot, salt: found.salt, bidder, digests: digests[envelope.header.envelope],
      });
    }
    return found;
  } catch (error) {
    throw error instanceof Refused ? new Refused("self_test_failed", { problem: error.code }) : error;
  }
}

async function* stored(blob, envelope, moved) {
  for (let number = 0; number < envelope.leaves.length; number++) {
    const segment = await segmentOf(blob, envelope, number);
    moved(segment.length);
    yield segment;
  }
}
