// The bidder's key in this browser: P-256, made here, not extractable, kept in IndexedDB; its request and certificate.
// docs/spec/ledger.md §8. Whoever can run script at this address can sign with the key while the page is open; nobody can
// carry it away. A browser profile that is deleted takes the key with it: the organisation then enrols a new one.
import { keeper } from "./database.js";
import { equal } from "./primitives/bytes.js";
import { Refused } from "./primitives/refusal.js";
import { p256Signer } from "./primitives/signing.js";
import { request as requestOf, fromFile, readSubject, verifyChain } from "./ledger/certificates.js";

const transaction = keeper("tradehall", ["keys", "bids"]);

/** Makes the key that signs for an organisation; {id, spki, request: PKCS#10 DER} of a key that waits for its certificate. */
export async function enrol({ name, uscc }) {
  const waiting = await read("keys", uscc);
  const kept = waiting ?? (await make(uscc));
  const sign = p256Signer(kept.privateKey);
  return { id: uscc, spki: kept.spki, request: await requestOf({ name, uscc, spki: kept.spki, sign }) };
}

/**
 * Keeps the certificate (DER or PEM) that was issued for a waiting key; gives the identity.
 * Refused: key_missing certificate_key_differs certificate_subject, and what verifyChain refuses at the instant `at`.
 */
export async function importCertificate(id, file, { trust, at }) {
  const kept = await read("keys", id);
  if (!kept) throw new Refused("key_missing", { id });
  const certificate = fromFile(file);
  const subject = await verifyChain(certificate, trust.caRoots, at);
  if (!equal(subject.spki, kept.spki)) throw new Refused("certificate_key_differs");
  if (subject.uscc !== id) throw new Refused("certificate_subject", { uscc: subject.uscc });
  await write("keys", id, { ...kept, certificate });
  return identity(id);
}

/** {id, key, certificate, spki, bidder {name, uscc}} of an enrolled key. Refused: key_missing, certificate_missing. */
export async function identity(id) {
  const kept = await read("keys", id);
  if (!kept) throw new Refused("key_missing", { id });
  if (!kept.certificate) throw new Refused("certificate_missing", { id });
  const { name, uscc } = readSubject(kept.certificate);
  return { id, key: kept.privateKey, certificate: kept.certificate, spki: kept.spki, bidder: { name, uscc } };
}

/** The ids (USCC) of all keys in this browser, with whether each has its certificate. */
export async function list() {
  const ids = await transaction("keys", "readonly", (store) => store.getAllKeys());
  return Promise.all(ids.map(async (id) => ({ id, enrolled: Boolean((await read("keys", id)).certificate) })));
}

/** Forgets a key for ever: one that the hall ended. What it signed stays signed. */
export const forget = (id) => transaction("keys", "readwrite", (store) => store.delete(id));

/** What this browser remembers of a bid: {lot, version, stage, event, name, d, receipt}; undefined for none. */
export const recall = (lot, version) => read("bids", `${lot} ${version}`);

/** Remembers how far a bid came. */
export const remember = (bid) => write("bids", `${bid.lot} ${bid.version}`, bid);

/** Everything that is remembered of a lot, ascending by version. */
export async function recallAll(lot) {
  const all = await transaction("bids", "readonly", (store) => store.getAll());
  return all.filter((each) => each.lot === lot).sort((a, b) => a.version - b.version);
}

async function make(id) {
  const pair = await crypto.subtle.generateKey({ name: "ECDSA", namedCurve: "P-256" }, false, ["sign", "verify"]);
  const spki = new Uint8Array(await crypto.subtle.exportKey("spki", pair.publicKey));
  const made = { privateKey: pair.privateKey, spki };
  await write("keys", id, made);
  return made;
}

const read = (store, id) => transaction(store, "readonly", (objects) => objects.get(id));
const write = (store, id, value) => transaction(store, "readwrite", (objects) => objects.put(value, id));
