// Sealing a whole bid: all envelopes, one file, a recovery file, and a self-test before either counts.
// docs/spec/envelope.md §4 to §9, bidfile.md §2; the same order of draws as bidding/client/sealing.py, so that the same
// inputs and the same entropy give the same bytes. No window, no worker, no address is known here.
import { Refused } from "./primitives/refusal.js";
import { labelled } from "./primitives/signing.js";
import { MAGIC, encodeIndex } from "./envelope/bidfile.js";
import { facts, seal as sealEnvelope } from "./envelope/envelope.js";
import { RECORD, SUBMIT_LABEL, bodyLenOf, padded, submitDigest } from "./envelope/header.js";
import * as manifest from "./envelope/manifest.js";
import { checkPassphrase, writeRecovery } from "./envelope/recovery.js";
import { selfTest } from "./envelope/selftest.js";

const INDEX_ROOM = 4096;

/**
 * Seals a bid into `store` and proves that it will open.
 * `tender` {lot, tenderId, envelopes, roster, plaintextMax} as ledger/certified.js proved it; `identity` {certificate,
 * spki, bidder {name, uscc}}; `sign(message)` 64 bytes; `files` [{blob, name, envelope}] in order; `opening` {price_fen,
 * period_days, quality, leader}; `environment` for the documents envelope; `entropy(length)`; `moved({phase, bytes})`.
 * Gives {blob, recovery, bid} (bid as readBidFile gives it). Refused: manifest_*, file_*, plaintext_too_long,
 * passphrase_short, self_test_failed.
 */
export async function sealBid({
  tender, identity, sign, version, opening, files, environment, passphrase, entropy, store, moved = () => {},
}) {
  // A passphrase that will be refused is refused before the long work.
  checkPassphrase(passphrase);
  const stray = files.find((file) => file.envelope === RECORD || !tender.envelopes.includes(file.envelope));
  if (stray) throw new Refused("bid_file_envelope_wrong", { file: stray.name, envelopes: tender.envelopes });
  files.forEach((file) => manifest.checkFileName(file.name));
  const tell = (phase) => (bytes) => moved({ phase, bytes });
  const salt = entropy(32);
  const bidNonce = entropy(16);
  const sealed = [];
  const digests = {};
  store.write(MAGIC);
  for (const number of tender.envelopes) {
    const own = files.filter((file) => file.envelope === number);
    const read = [];
    for (const { blob, name } of own) {
      read.push({ blob, name, type: manifest.mediaType(name), ...(await facts(blob, tell("reading"))) });
    }
    digests[number] = read.map((each) => each.digests);
    const page = manifest.build({
      lot: tender.lot, envelope: number, bidder: identity.bidder, salt, files: read,
      opening: number === RECORD ? opening : null, environment: number === RECORD ? {} : environment,
    });
    const sink = (segment) => {
      store.write(segment);
      moved({ phase: "sealing", bytes: segment.length });
    };
    sealed.push(
      await sealEnvelope({
        tenderId: tender.tenderId, envelope: number, roster: tender.roster, sign, spki: identity.spki, salt, bidNonce,
        version, page, files: read, entropy, sink, plaintextMax: tender.plaintextMax,
      }),
    );
  }
  const headers = sealed.map((each) => each.header);
  const signature = await sign(labelled(SUBMIT_LABEL, await submitDigest(headers)));
  const { lot, tenderId, roster } = tender;
  const { certificate } = identity;
  store.write(await encodeIndex({ lot, tenderId, roster, salt, signature, certificate, envelopes: sealed }));
  const kept = { lot, salt, signature, headers, secrets: sealed.map((each) => each.secrets) };
  moved({ phase: "recovery", bytes: 0 });
  const recovery = await writeRecovery(kept, passphrase, entropy);
  const blob = await store.finish();
  const { spki, bidder } = identity;
  const bid = await selfTest({ blob, recovery, passphrase, tender, spki, bidder, digests, moved: tell("testing") });
  return { blob, recovery, bid };
}

/** About how many bytes `moved` will tell of: every file is read once, sealed once and opened once. */
export function workBytes(files, envelopes) {
  const total = (number) => files.filter((file) => file.envelope === number).reduce((sum, file) => sum + file.blob.size, 0);
  return envelopes.map(total).reduce((sum, size) => sum + size + 2 * bodyLenOf(padded(size + 4096)), 0);
}

/** About how many bytes the sealed file will have. */
export function sealedBytes(files, envelopes) {
  const read = files.reduce((sum, file) => sum + file.blob.size, 0);
  return workBytes(files, envelopes) / 2 - read / 2 + INDEX_ROOM + Math.ceil(read / 1048576) * 70;
}
