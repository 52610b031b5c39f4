// Handing in a sealed file: segments that survive a cut line, one submission, a receipt verified before it is believed.
// docs/spec/bidfile.md §3, docs/contract.md (HTTP, Uploads); the same as bidding/client/submitting.py. Words never mixed up:
// uploaded (every segment is at the hall, nothing is handed in), received (the hall answered with the event), submitted
// (the log's signature was verified here, grade A), witnessed (a quorum cosigned, grade B).
import { concat, toBase64, toHex, uint, utf8 } from "./primitives/bytes.js";
import { Refused } from "./primitives/refusal.js";
import { sha256 } from "./primitives/sha256.js";
import { labelled } from "./primitives/signing.js";
import { segmentOf } from "./envelope/bidfile.js";
import { SEGMENT_BYTES, encodeHeader, headerHash } from "./envelope/header.js";
import { requireFields, verifyReceipt } from "./ledger/receipt.js";

const UPLOADS = "/api/v1/bidding/uploads";
const LINES = 3;
const PAUSES_MS = [200, 500, 1000, 2000, 4000, 8000, 15000];
const SEQUENCED_TRIES = 20;
const SEQUENCED_PAUSE_MS = 500;
const TIMEOUT_MS = 120000;
const BUSY = new Set([502, 503, 504]);
const [THERE_ALREADY, EXPIRED] = [412, 403];
const WITHDRAW_LABEL = "sealbid/v1 withdraw";
// A segment that was damaged on its way is sent again; any other refusal is the hall's word.
const DAMAGED = new Set(["segment_hash_differs", "upload_segment_length"]);

/** The line stays cut: what arrived stays, and the same call goes on from there. */
export class Unreachable extends Error {}

/** A hall at `base` (an origin, or "" for the page's own) and the headers that say who asks (token, CSRF). */
export class Hall {
  constructor({ base = "", headers = {}, signal = undefined } = {}) {
    this.base = base;
    this.headers = headers;
    this.signal = signal;
  }

  /** The JSON answer of a GET. */
  get = (path) => this.#ask("GET", path);

  /** The JSON answer of a POST. */
  post = (path, body) => this.#ask("POST", path, JSON.stringify(body), { "content-type": "application/json" });

  /** The bytes of a GET. */
  bytes = async (path) => new Uint8Array(await this.#ask("GET", path, undefined, {}, "arraybuffer"));

  /**
   * Puts one segment to where the hall said: a path of its own, or a whole address, which is that of its object store.
   * A store gets the headers that the hall named and never the token; its 412 says that these very bytes are there, its
   * 403 that the address grew old (Refused "address_expired"). `sent(bytes)` hears how many have left.
   */
  async put(url, data, headers, sent) {
    const { signal } = this;
    if (url.startsWith("/")) {
      const own = { ...this.headers, ...headers };
      return once({ method: "PUT", url: this.base + url, body: data, sent, signal, headers: own });
    }
    try {
      return await once({ method: "PUT", url, body: data, sent, signal, headers });
    } catch (error) {
      if (error.status === THERE_ALREADY) return null;
      if (error.status === EXPIRED) throw new Refused("address_expired");
      throw new Unreachable(`PUT ${new URL(url).origin}: ${error.status ?? "the line was cut"}`);
    }
  }

  async #ask(method, path, body = undefined, headers = {}, type = "text") {
    const asked = { method, url: this.base + path, body, type, signal: this.signal, headers: { ...this.headers, ...headers } };
    const answer = await retried(() => once(asked), this.signal);
    if (type !== "text") return answer;
    try {
      return JSON.parse(answer);
    } catch {
      throw new Refused("answer_unexpected", { path });
    }
  }
}

/**
 * Uploads what is missing of every envelope: the ids of the uploads. `moved(bytes)` hears of bytes that reached the hall,
 * those that were there already included. Throws Unreachable when the line stays cut; Refused: what the hall refuses.
 */
export async function upload(hall, blob, bid, moved = () => {}) {
  const ids = [];
  for (const envelope of bid.envelopes) ids.push(await uploadOne(hall, blob, bid, envelope, moved));
  return ids;
}

async function uploadOne(hall, blob, bid, envelope, moved) {
  const announced = { lot: bid.lot, size: envelope.size, leaves: envelope.leaves.map(toHex) };
  const told = new Map();
  // What arrived in part and is sent again is not counted twice.
  const reached = (number, bytes) => {
    const before = told.get(number) ?? 0;
    if (bytes <= before) return;
    told.set(number, bytes);
    moved(bytes - before);
  };
  for (let done = new Set(); ; ) {
    const before = done.size;
    const { id, targets } = await hall.post(UPLOADS, announced);
    const right = typeof id === "string" && Array.isArray(targets) && targets.every(({ index }) => envelope.leaves[index]);
    if (!right) throw new Refused("answer_unexpected", { path: UPLOADS });
    const missing = new Set(targets.map((target) => target.index));
    envelope.leaves.forEach((_, number) => {
      if (missing.has(number)) return;
      done.add(number);
      reached(number, lengthOf(envelope, number));
    });
    try {
      await putAll(hall, blob, envelope, targets, { reached, done });
    } catch (error) {
      // A slow line outlives the addresses that the hall signed: it signs new ones for what is still missing.
      if (error.code === "address_expired" && done.size > before) continue;
      throw error;
    }
    const { missing: left } = await hall.get(`${UPLOADS}/${encodeURIComponent(id)}`);
    if (!Array.isArray(left)) throw new Refused("answer_unexpected", { path: UPLOADS });
    if (left.length) throw new Unreachable(`${left.length} segments did not arrive`);
    return id;
  }
}

/** Posts the submission, or the same one again: the hall answers both with the same event. Gives {event, receipt}. */
export async function handIn(hall, bid, uploads) {
  const answer = await hall.post("/api/v1/bidding/submit", {
    headers: bid.headers.map((each) => toBase64(encodeHeader(each))),
    signature: toHex(bid.signature),
    salt: toHex(bid.salt),
    certificate: toBase64(bid.certificate),
    uploads,
  });
  return eventOf(answer, "bidding/submit");
}

/** Withdraws all versions up to `version`, for ever: {event, receipt, signature}. */
export async function withdraw(hall, { lot, tenderId, version, d, certificate, sign }) {
  const digest = await sha256(concat(tenderId, uint(version, 4), d));
  const signature = toHex(await sign(labelled(WITHDRAW_LABEL, digest)));
  const body = { lot, version, signature, certificate: toBase64(certificate) };
  return { ...eventOf(await hall.post("/api/v1/bidding/withdraw", body), "bidding/withdraw"), signature };
}

/** The newest receipt of an own event as bytes; null when it was not sequenced while this asked. */
export async function receiptOf(hall, event, tries = SEQUENCED_TRIES) {
  for (let number = 0; number < tries; number++) {
    if (number) await pause(SEQUENCED_PAUSE_MS, hall.signal);
    const data = proofIn(await hall.get(`/api/v1/bidding/receipts/${encodeURIComponent(event)}`));
    if (data) return data;
  }
  return null;
}

/** The receipt proves that this very bid stands in the log. Refused: receipt_of_another_act, what receipts refuse. */
export async function verifySubmitted(receipt, bid, trust) {
  return requireFields(await verifyReceipt(receipt, trust), {
    kind: "submit",
    tender_id: toHex(bid.tenderId),
    lot: bid.lot,
    version: bid.version,
    headers: (await Promise.all(bid.headers.map(headerHash))).map(toHex),
    d: toHex(bid.d),
    bid: toHex(bid.bidId),
  });
}

/** Puts segments by several lines; the first that fails for good ends all, and what arrived stays. */
async function putAll(hall, blob, envelope, targets, { reached, done }) {
  const waiting = [...targets];
  let failed = null;
  const line = async () => {
    for (let target; !failed && (target = waiting.shift()); ) {
      const { index, url, headers } = target;
      try {
        const data = await segmentOf(blob, envelope, index);
        const sent = (bytes) => reached(index, bytes);
        await retried(() => hall.put(url, data, headers ?? {}, sent), hall.signal);
        done.add(index);
        sent(data.length);
      } catch (error) {
        failed ??= error;
      }
    }
  };
  await Promise.all(Array.from({ length: LINES }, line));
  if (failed) throw failed;
}

/** The answer, asked for again after growing pauses while the line is cut or the hall is busy. */
async function retried(ask, signal) {
  for (const ms of PAUSES_MS) {
    try {
      return await ask();
    } catch (error) {
      const again = error instanceof Unreachable || (error instanceof Refused && DAMAGED.has(error.code));
      if (!again || signal?.aborted) throw error;
      await pause(ms, signal);
    }
  }
  return ask();
}

/** Waits, but not longer than until the line is back. */
function pause(ms, signal) {
  return new Promise((resolve) => {
    const done = () => {
      clearTimeout(timer);
      removeEventListener("online", done);
      signal?.removeEventListener("abort", done);
      resolve();
    };
    const timer = setTimeout(done, ms);
    addEventListener("online", done);
    signal?.addEventListener("abort", done);
  });
}

/** One request by XMLHttpRequest, which tells how much of a body has left. */
function once({ method, url, body, headers, type = "text", sent = undefined, signal }) {
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest();
    request.open(method, url);
    request.responseType = type;
    request.timeout = TIMEOUT_MS;
    for (const [name, value] of Object.entries(headers)) request.setRequestHeader(name, value);
    if (sent) request.upload.onprogress = ({ loaded }) => sent(Math.min(loaded, body.length));
    const cut = () => reject(new Unreachable(`${method} ${url}: the line was cut`));
    request.onerror = request.ontimeout = request.onabort = cut;
    request.onload = () => {
      if (request.status >= 200 && request.status < 300) resolve(request.response);
      else if (BUSY.has(request.status)) reject(new Unreachable(`${method} ${url}: HTTP ${request.status}`));
      else reject(problemOf(request));
    };
    signal?.addEventListener("abort", () => request.abort());
    request.send(body);
  });
}

/** What the hall refused, as a Refused with the hall's own words in `facts.message`. */
function problemOf(request) {
  let problem = null;
  try {
    problem = request.responseType === "text" ? JSON.parse(request.responseText) : null;
  } catch {
    // An answer without a problem document.
  }
  const refused = new Refused(typeof problem?.code === "string" ? problem.code : "http_error", {
    ...(problem ?? {}), status: request.status,
  });
  refused.status = request.status;
  return refused;
}

function eventOf(answer, verb) {
  const event = answer?.events?.[0]?.id;
  if (typeof event !== "string") throw new Refused("answer_unexpected", { verb });
  return { event, receipt: proofIn(answer.receipt) };
}

function proofIn(given) {
  return given?.status === "sequenced" && typeof given.proof === "string" ? utf8(given.proof) : null;
}

function lengthOf(envelope, number) {
  return Math.min(SEGMENT_BYTES, envelope.size - number * SEGMENT_BYTES);
}
