// The worker that seals: one message in, progress and one answer out. The page stays awake, and the plaintext lives here.
// In:  {call: "seal", args} as sealBid's, `files` [{blob, name, envelope}], `key` a private CryptoKey (never its bytes);
//      {call: "recover", args: {data, passphrase}} reads a recovery file.
// Out: {progress: {phase, done, total}} …, then {result} or {refused: {code, facts}} or {failed: text}.
// docs/spec/bidfile.md §2. Random bytes come from the browser here, whatever the message says.
import { system } from "./primitives/entropy.js";
import { Refused } from "./primitives/refusal.js";
import { p256Signer } from "./primitives/signing.js";
import { sealBid, sealedBytes, workBytes } from "./bid.js";
import * as stores from "./store.js";
import { readRecovery } from "./envelope/recovery.js";

const TELL_MS = 100;

const calls = {
  async seal({ name, key, ...args }) {
    const { envelopes } = args.tender;
    const store = await stores.create(name, sealedBytes(args.files, envelopes));
    const total = workBytes(args.files, envelopes);
    let done = 0;
    let told = -TELL_MS;
    const moved = ({ phase, bytes }) => {
      done += bytes;
      if (performance.now() - told < TELL_MS && bytes) return;
      told = performance.now();
      postMessage({ progress: { phase, done: Math.min(done, total), total } });
    };
    try {
      const { blob, recovery, bid } = await sealBid({ ...args, sign: p256Signer(key), entropy: system, store, moved });
      return { blob, recovery, bid, stored: store.kind };
    } catch (error) {
      await store.discard().catch(() => {});
      await stores.forget(name);
      throw error;
    }
  },

  /** What a recovery file holds: its passphrase takes seconds of Argon2id, which a page would not survive. */
  recover: ({ data, passphrase }) => readRecovery(data, passphrase),
};

addEventListener("message", async ({ data }) => {
  try {
    postMessage({ result: await calls[data.call](data.args) });
  } catch (error) {
    if (error instanceof Refused) postMessage({ refused: { code: error.code, facts: error.facts } });
    else postMessage({ failed: String(error?.stack ?? error) });
  }
});
