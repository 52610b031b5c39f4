// What a page calls: check the tender, seal in a worker, hand in, verify the receipt. No document is touched here.
// README.md in this folder shows the whole of it. Every method throws Refused (code and facts, for the page's words) or
// Unreachable (try again); nothing here believes the hall: roster, deadline and receipts are proved under trust.json.
import { toHex, utf8 } from "./primitives/bytes.js";
import { Refused } from "./primitives/refusal.js";
import { p256Signer } from "./primitives/signing.js";
import { readBidFile } from "./envelope/bidfile.js";
import { proveTender } from "./ledger/certified.js";
import { requireFields, verifyReceipt } from "./ledger/receipt.js";
import { loadTrust } from "./ledger/trust.js";
import * as keys from "./keys.js";
import * as stores from "./store.js";
import { Hall, Unreachable, handIn, receiptOf, upload, verifySubmitted, withdraw } from "./upload.js";

export { Refused } from "./primitives/refusal.js";
export { Unreachable } from "./upload.js";
export { supported } from "./supported.js";
export { words } from "./envelope/amount.js";
export { checkFileName } from "./envelope/manifest.js";
export * as keys from "./keys.js";

/** Refusals of a notice that is too young: the ledger does not have it, or too few witnesses have looked since. */
const TOO_YOUNG = new Set(["evidence_not_sequenced", "quorum"]);
const PATIENCE_MS = 20_000;
const ASK_AGAIN_MS = 1_000;

/** One person's bid for one lot, from the check to the receipt. */
export class Session {
  #worker = null;

  /** `hall` as upload.js's Hall takes it: {base, headers, signal}; `program` names page and version in the manifest. */
  constructor(lot, { hall = {}, program = { program: "tradehall-page" } } = {}) {
    this.lot = lot;
    this.hall = new Hall(hall);
    this.program = program;
    this.trust = null;
    this.tender = null;
    this.sealed = null;
  }

  /**
   * Proves the tender and its roster under the bytes of trust.json that the person brought; before anything is typed.
   * Without `evidence` it is fetched from the hall, for PATIENCE_MS again while witnesses have not seen the notice. Gives
   * what may be shown: {fingerprint, hall, rehearsal, deadline, seated, document, checkpoint, act}. Refused: see
   * ledger/trust.js and ledger/certified.js.
   */
  async check(trustBytes, evidence = null) {
    this.tender = null;
    this.trust = await loadTrust(trustBytes);
    const tender = evidence ? await proveTender(this.lot, evidence, this.trust) : await this.#proved();
    this.tender = tender;
    const { fingerprint, hall } = this.trust;
    const { rehearsal, deadline, seated, document, checkpoint, act } = tender;
    return { fingerprint, hall, rehearsal: rehearsal || this.trust.rehearsal, deadline, seated, document, checkpoint, act };
  }

  /** One more than the highest version known here or to the hall. */
  async nextVersion() {
    const here = (await keys.recallAll(this.lot)).map((each) => each.version);
    let there = [];
    try {
      const answer = await this.hall.get(`/api/v1/bidding/lots/${encodeURIComponent(this.lot)}/own`);
      there = (answer.bids ?? answer).map((row) => row.version).filter(Number.isSafeInteger);
    } catch (error) {
      // A hall that is silent or does not know this person yet: what is known here must do.
      if (!(error instanceof Refused || error instanceof Unreachable)) throw error;
    }
    return Math.max(0, ...here, ...there) + 1;
  }

  /**
   * Seals in a worker and tests that the sealed bid will open. `identity` as keys.identity gives it, `files` [{file,
   * envelope, name?}], `opening` {price_fen, period_days, quality, leader {name, certificate}}. `onProgress({phase, done,
   * total})`, phase reading, sealing, recovery, testing. Gives {blob, recovery, version, d, bidId, stored}; both files are
   * for the person to keep, the recovery file above all. Refused: tender_not_checked and what bid.js refuses.
   */
  async seal({ identity, version, opening, files, passphrase, onProgress = () => {} }) {
    if (!this.tender) throw new Refused("tender_not_checked", { lot: this.lot });
    const { lot, tenderId, envelopes, roster, plaintextMax } = this.tender;
    const name = `${lot}.v${version}.bid`;
    const { key, ...known } = identity;
    const args = {
      name, key, identity: known, version, opening, passphrase, environment: this.program,
      tender: { lot, tenderId, envelopes, roster, plaintextMax },
      files: files.map(({ file, envelope, name: called }) => ({ blob: file, envelope, name: called ?? file.name })),
    };
    const { blob, recovery, bid, stored } = await this.#work("seal", args, onProgress);
    this.sealed = { blob, recovery, bid, name };
    await this.#remember("sealed");
    return { blob, recovery, version, d: toHex(bid.d), bidId: toHex(bid.bidId), stored };
  }

  /** What a recovery file (bytes) holds, as envelope/recovery.js reads it. Refused: recovery_file, recovery_passphrase. */
  recover(data, passphrase) {
    return this.#work("recover", { data, passphrase }, () => {});
  }

  /** Stops sealing; what was written is forgotten. */
  cancel() {
    this.#worker?.terminate();
    this.#worker = null;
  }

  /** Takes up a bid that was sealed before: from this browser's storage, or from the file that the person kept. */
  async reopen({ version, file = null }) {
    if (!this.tender) throw new Refused("tender_not_checked", { lot: this.lot });
    const name = `${this.lot}.v${version}.bid`;
    const blob = file ?? (await stores.find(name));
    if (!blob) throw new Refused("bid_file_missing_here", { lot: this.lot, version });
    const bid = await readBidFile(blob);
    if (toHex(bid.tenderId) !== toHex(this.tender.tenderId)) throw new Refused("tender");
    this.sealed = { blob, recovery: null, bid, name };
    return { version: bid.version, d: toHex(bid.d), bidId: toHex(bid.bidId) };
  }

  /**
   * Uploads what is missing, hands in and verifies the receipt. `recoverySaved` is the person's word that the recovery
   * file is kept: without it nothing leaves. `onStage(stage)` hears uploaded, received, submitted, witnessed, each once it
   * is true; `onProgress({done, total})` bytes at the hall. Gives {stage, event, receipt, proved}.
   */
  async submit({ recoverySaved, onStage = () => {}, onProgress = () => {} }) {
    if (!this.sealed) throw new Refused("bid_not_sealed_here", { lot: this.lot });
    if (!recoverySaved) throw new Refused("recovery_not_saved", { lot: this.lot });
    const { blob, bid } = this.sealed;
    const total = bid.envelopes.reduce((sum, each) => sum + each.size, 0);
    let done = 0;
    const uploads = await upload(this.hall, blob, bid, (bytes) => {
      done += bytes;
      onProgress({ done: Math.min(done, total), total });
    });
    await this.#reach("uploaded", onStage);
    const { event, receipt } = await handIn(this.hall, bid, uploads);
    await this.#reach("received", onStage, { event });
    return this.#judged(event, receipt ?? (await receiptOf(this.hall, event)), onStage);
  }

  /** The newest receipt of the bid at hand: grade B as soon as a quorum has cosigned. Gives as submit does. */
  async newestReceipt(onStage = () => {}) {
    const known = this.sealed && (await keys.recall(this.lot, this.sealed.bid.version));
    if (!known?.event) throw new Refused("bid_not_handed_in", { lot: this.lot });
    return this.#judged(known.event, await receiptOf(this.hall, known.event), onStage);
  }

  /** A receipt of anything, judged under the trust.json of check(): {event, grade, index, cosigned, rehearsal, …}. */
  verifyReceipt(data) {
    if (!this.trust) throw new Refused("trust_missing");
    return verifyReceipt(typeof data === "string" ? utf8(data) : data, this.trust);
  }

  /** Withdraws all versions up to the one at hand, for ever; {stage, event, receipt, proved}, the receipt verified. */
  async withdraw({ identity }) {
    if (!this.sealed) throw new Refused("bid_not_sealed_here", { lot: this.lot });
    const { tenderId, version, d } = this.sealed.bid;
    const sign = p256Signer(identity.key);
    const { certificate } = identity;
    const done = await withdraw(this.hall, { lot: this.lot, tenderId, version, d, certificate, sign });
    const receipt = done.receipt ?? (await receiptOf(this.hall, done.event));
    if (!receipt) return { stage: "received", event: done.event, receipt: null, proved: null };
    const expected = { kind: "withdraw", tender_id: toHex(tenderId), version, d: toHex(d), signature: done.signature };
    const proved = requireFields(await verifyReceipt(receipt, this.trust), expected);
    await this.#remember("withdrawn", { event: done.event, receipt });
    return { stage: "withdrawn", event: done.event, receipt, proved };
  }

  async #judged(event, receipt, onStage) {
    if (!receipt) return { stage: "received", event, receipt: null, proved: null };
    const proved = await verifySubmitted(receipt, this.sealed.bid, this.trust);
    const stage = proved.grade === "B" ? "witnessed" : "submitted";
    await this.#reach("submitted", onStage, { event, receipt });
    if (stage === "witnessed") await this.#reach(stage, onStage, { event, receipt });
    return { stage, event, receipt, proved };
  }

  async #reach(stage, onStage, more = {}) {
    await this.#remember(stage, more);
    onStage(stage);
  }

  #remember(stage, more = {}) {
    const { bid, name } = this.sealed;
    const { lot } = this;
    return keys.remember({ lot, version: bid.version, d: toHex(bid.d), bid: toHex(bid.bidId), stage, name, ...more });
  }

  async #proved() {
    const until = performance.now() + PATIENCE_MS;
    for (;;) {
      try {
        return await proveTender(this.lot, await this.#evidence(), this.trust);
      } catch (error) {
        if (!TOO_YOUNG.has(error.code) || performance.now() > until) throw error;
        await new Promise((resolve) => setTimeout(resolve, ASK_AGAIN_MS));
      }
    }
  }

  async #evidence() {
    const lot = encodeURIComponent(this.lot);
    const { tender, hall, rulebook, terms } = await this.hall.get(`/api/v1/bidding/lots/${lot}/evidence`);
    const object = (name) => this.hall.bytes(`/api/v1/lots/${lot}/objects/${encodeURIComponent(name)}`);
    const [book, document] = await Promise.all([object(rulebook), object(terms)]);
    return { tender: utf8(tender), hall: hall.map(utf8), rulebook: book, terms: document };
  }

  #work(call, args, onProgress) {
    const worker = new Worker(new URL("./worker.js", import.meta.url), { type: "module" });
    this.#worker = worker;
    return new Promise((resolve, reject) => {
      worker.onmessage = ({ data }) => {
        if (data.progress) return onProgress(data.progress);
        worker.terminate();
        if (data.result) return resolve(data.result);
        return reject(data.refused ? new Refused(data.refused.code, data.refused.facts) : new Error(data.failed));
      };
      worker.onerror = (event) => {
        worker.terminate();
        reject(new Error("the worker stopped: " + event.message));
      };
      worker.postMessage({ call, args });
    });
  }
}
