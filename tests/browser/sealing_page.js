// What the tests of sealing ask of the browser's modules: plain JSON in, plain JSON out.
import { BlobStore } from "/sealing/store.js";
import { sealBid } from "/sealing/bid.js";
import * as bytes from "/sealing/primitives/bytes.js";
import * as entropies from "/sealing/primitives/entropy.js";
import * as jcs from "/sealing/primitives/jcs.js";
import { Refused } from "/sealing/primitives/refusal.js";
import { Sha256, sha256 } from "/sealing/primitives/sha256.js";
import { sealDerand } from "/sealing/primitives/hpke.js";
import { argon2id } from "/sealing/primitives/argon2.js";
import { p256Signer } from "/sealing/primitives/signing.js";
import { checkKeys, decodeRoster } from "/sealing/envelope/roster.js";
import { encodeHeader, parseHeader } from "/sealing/envelope/header.js";
import { makeContribution } from "/sealing/envelope/contribution.js";
import { facts, seal } from "/sealing/envelope/envelope.js";
import * as manifest from "/sealing/envelope/manifest.js";
import { readRecovery } from "/sealing/envelope/recovery.js";
import { readBidFile, segmentOf } from "/sealing/envelope/bidfile.js";
import { selfTest } from "/sealing/envelope/selftest.js";
import { words } from "/sealing/envelope/amount.js";
import { readSubject, spkiOf } from "/sealing/ledger/certificates.js";
import { proveTender } from "/sealing/ledger/certified.js";
import { verifyReceipt } from "/sealing/ledger/receipt.js";
import { loadTrust } from "/sealing/ledger/trust.js";
import { signAct, verifyAct } from "/sealing/ledger/acts.js";
import { Session, keys, supported } from "/sealing/seal.js";

const { fromHex, toHex, toBase64, utf8 } = bytes;
const P256 = { name: "ECDSA", namedCurve: "P-256" };

export function content({ seed, size }) {
  const pattern = Uint8Array.from({ length: 251 }, (_, k) => seed + 7 * k);
  const out = new Uint8Array(size);
  for (let at = 0; at < size; at += 251) out.set(pattern.subarray(0, size - at), at);
  return out;
}

const tenderOf = ({ lot, tender_id, envelopes, roster, plaintext_max }) => ({
  lot, tenderId: fromHex(tender_id), envelopes, roster: decodeRoster(fromHex(roster)), plaintextMax: plaintext_max,
});
const evidenceOf = ({ tender, hall, rulebook, terms }) => ({
  tender: utf8(tender), hall: hall.map(utf8), rulebook: utf8(rulebook), terms: utf8(terms),
});
const imported = (pkcs8) => crypto.subtle.importKey("pkcs8", fromHex(pkcs8), P256, false, ["sign"]);

function givenBid({ passphrase, opening, environment }, c) {
  const signatures = new Map(c.signatures.map(({ message, signature }) => [message, signature]));
  const certificate = fromHex(c.certificate);
  return {
    tender: tenderOf(c.tender),
    identity: { certificate, spki: spkiOf(certificate), bidder: c.bidder },
    sign: async (message) => fromHex(signatures.get(toHex(message))),
    version: c.version, opening, environment, passphrase,
    files: c.files.map((file) => ({ blob: new Blob([content(file)]), name: file.name, envelope: 1 })),
    entropy: entropies.given(c.draws.map((draw) => fromHex(draw))),
    store: new BlobStore(),
  };
}

const asked = {
  supported,

  async bid(vectors, c) {
    const { blob, recovery, bid } = await sealBid(givenBid(vectors, c));
    const whole = new Uint8Array(await blob.arrayBuffer());
    return {
      headers: bid.headers.map((each) => toHex(encodeHeader(each))),
      leaves: bid.envelopes.map((each) => each.leaves.map(toHex)),
      recovery: toHex(recovery), file_bytes: whole.length, file_sha256: toHex(await sha256(whole)), file: toBase64(whole),
    };
  },

  /** One envelope with the browser's own entropy: no recovery file, so no seconds of Argon2id. */
  async envelope({ tender, pkcs8, certificate, bidder, files, envelope, version }) {
    const { lot, tenderId, roster } = tenderOf(tender);
    const [salt, bidNonce] = [entropies.system(32), entropies.system(16)];
    const read = [];
    for (const file of files) {
      const blob = new Blob([content(file)]);
      read.push({ blob, name: file.name, type: manifest.mediaType(file.name), ...(await facts(blob)) });
    }
    const page = manifest.build({ lot, envelope, bidder, salt, files: read, environment: {} });
    const segments = [];
    const spki = spkiOf(fromHex(certificate));
    const sealed = await seal({
      tenderId, envelope, roster, sign: p256Signer(await imported(pkcs8)), spki, salt, bidNonce, version, page,
      files: read, entropy: entropies.system, sink: (segment) => segments.push(segment),
    });
    return {
      header: toHex(encodeHeader(sealed.header)), salt: toHex(salt), leaves: sealed.leaves.map(toHex),
      body: toBase64(bytes.concat(...segments)),
    };
  },

  async prove({ trust, lot, ...evidence }) {
    const proved = await proveTender(lot, evidenceOf(evidence), await loadTrust(utf8(trust)));
    return { seated: proved.seated, tender_id: toHex(proved.tenderId), index: proved.index };
  },

  /** A contributor's sealed number with entropy that the test knows. */
  async contribution({ tender_id, attempt, contributor, roster, spki, pkcs8, draws }) {
    const { header, signature } = await makeContribution({
      tenderId: fromHex(tender_id), attempt, contributor, roster: decodeRoster(fromHex(roster)), spki: fromHex(spki),
      sign: p256Signer(await imported(pkcs8)), entropy: entropies.given(draws.map((draw) => fromHex(draw))),
    });
    return { header: toHex(header), signature: toHex(signature) };
  },

  fingerprint: async (trust) => (await loadTrust(utf8(trust))).fingerprint,

  async receipt({ trust, data }) {
    const { grade, index } = await verifyReceipt(utf8(data), await loadTrust(utf8(trust)));
    return { grade, index };
  },

  async session({ trust, lot, ...evidence }) {
    const session = new Session(lot);
    const told = await session.check(utf8(trust), evidenceOf(evidence));
    return { fingerprint: told.fingerprint, rehearsal: told.rehearsal, locks: told.seated.length };
  },

  /** Whether the hall's own evidence is believed; where it is not, what sealing says then. */
  async checked({ trust, lot }) {
    const session = new Session(lot);
    const refused = await session.check(utf8(trust)).then(() => null, (error) => error.code);
    return refused ? { refused, sealed: await session.seal({}).then(() => null, (error) => error.code) } : { refused };
  },

  uncheckedSession: () => new Session("L").seal({}),

  /** A key made here: its request; then its certificate, and a bid sealed by the worker and read back. */
  async enrol({ name, uscc }) {
    const made = await keys.enrol({ name, uscc });
    const again = await keys.enrol({ name, uscc });
    return { request: toHex(made.request), same: toHex(made.spki) === toHex(again.spki) };
  },

  async importCertificate({ uscc, certificate, trust, at }) {
    const identity = await keys.importCertificate(uscc, fromHex(certificate), { trust: await loadTrust(utf8(trust)), at });
    const exported = await crypto.subtle.exportKey("pkcs8", identity.key).then(() => true, () => false);
    return { bidder: identity.bidder, exported, all: await keys.list() };
  },

  async signAct({ uscc, act, expect }) {
    const { key, certificate } = await keys.identity(uscc);
    const signed = await signAct(act, { certificate, sign: p256Signer(key), expect });
    return { signed, by: (await verifyAct(signed))[0].by };
  },

  /** The whole way of one bid: checked, sealed in the worker, sent, proved. */
  async handIn({ uscc, trust, lot, opening, files, passphrase }) {
    const session = new Session(lot, { hall: { headers: { authorization: "Bearer t" } } });
    await session.check(utf8(trust));
    const told = [];
    const sealed = await session.seal({
      identity: await keys.identity(uscc), version: await session.nextVersion(), opening, passphrase,
      files: files.map((file) => ({ file: new File([content(file)], file.name), envelope: 1 })),
      onProgress: ({ phase, done, total }) => told.push([phase, done / total]),
    });
    const unsaved = await session.submit({ recoverySaved: false }).catch((error) => error.code);
    const stages = [];
    let sent = 0;
    const handed = await session.submit({
      recoverySaved: true,
      onStage: (stage) => stages.push(stage),
      onProgress: ({ done, total }) => (sent = done / total),
    });
    const parts = told.map(([, part]) => part);
    return {
      stored: sealed.stored, phases: [...new Set(told.map(([phase]) => phase))], stages, stage: handed.stage, sent,
      least: Math.min(...parts), most: Math.max(...parts), unsaved, d: sealed.d, recovery: toHex(sealed.recovery),
    };
  },

  /** After a reload: the sealed file is taken up from the browser's storage and handed in again. */
  async handInAgain({ trust, lot }) {
    const session = new Session(lot, { hall: { headers: { authorization: "Bearer t" } } });
    await session.check(utf8(trust));
    const { d } = await session.reopen({ version: 1 });
    const { stage } = await session.submit({ recoverySaved: true });
    return { d, stage };
  },

  /** The self-test over a sealed file, something changed. */
  async selfTest(vectors, c, { file, recovery }, change) {
    const { tender, identity, passphrase } = givenBid(vectors, c);
    const whole = Uint8Array.from(atob(file), (sign) => sign.charCodeAt(0));
    if (change.at) whole[change.at] ^= 1;
    if (change.tender_id) tender.tenderId = fromHex(change.tender_id);
    if (change.envelopes) tender.envelopes = change.envelopes;
    if (change.roster) tender.roster = decodeRoster(fromHex(change.roster));
    return selfTest({
      blob: new Blob([change.cut ? whole.subarray(0, change.cut) : whole]), recovery: fromHex(recovery),
      passphrase: change.passphrase ?? passphrase, tender, spki: identity.spki, bidder: change.bidder ?? identity.bidder,
      digests: { 0: [], 1: [] },
    });
  },

  /** Sealing with a file that is not the one that was read first. */
  async changedFile(vectors, c) {
    const given = givenBid(vectors, c);
    let readings = 0;
    const first = given.files[0].blob;
    const other = new Blob([content({ seed: 99, size: first.size })]);
    const pieces = Math.ceil(first.size / 1048576);
    const blob = { size: first.size, slice: (...range) => (readings++ < pieces ? first : other).slice(...range) };
    return sealBid({ ...given, files: [{ ...given.files[0], blob }, ...given.files.slice(1)] });
  },

  async segment({ file, envelope, number, at }) {
    const whole = Uint8Array.from(atob(file), (sign) => sign.charCodeAt(0));
    const bid = await readBidFile(new Blob([whole]));
    whole[bid.envelopes[envelope].offset + at] ^= 1;
    return segmentOf(new Blob([whole]), bid.envelopes[envelope], number);
  },

  readBidFile: async (file) => toHex((await readBidFile(new Blob([fromHex(file)]))).d),
  readRecovery: async (data, passphrase) => (await readRecovery(fromHex(data), passphrase)).lot,
  jcs: (data) => toHex(jcs.dumps(jcs.loads(fromHex(data)))),
  header: (data) => toHex(encodeHeader(parseHeader(fromHex(data)))),
  roster: (data) => decodeRoster(fromHex(data)).length,
  keys: (list) => checkKeys(list.map((key) => fromHex(key))),
  fileName: (name) => manifest.checkFileName(name),
  words: (fen) => words(fen),
  subject: (certificate) => readSubject(fromHex(certificate)).uscc,
  argon2: ({ password, salt, ...cost }) => toHex(argon2id(fromHex(password), fromHex(salt), cost)),

  async hpke({ pk, info, ekm, plaintext }) {
    const { enc, ct } = await sealDerand(fromHex(pk), fromHex(info), fromHex(ekm), fromHex(plaintext));
    return { enc: toHex(enc), ct: toHex(ct) };
  },

  async sha256(size, steps) {
    const data = content({ seed: 3, size });
    const state = new Sha256();
    for (let at = 0; at < size; at += steps) state.update(data.subarray(at, at + steps));
    return toHex(state.digest()) === toHex(await sha256(data));
  },
};

/** {value} or {code, facts} or {failed}. */
window.ask = async (name, ...given) => {
  try {
    return { value: (await asked[name](...given)) ?? null };
  } catch (error) {
    if (error instanceof Refused) return { code: error.code, facts: error.facts };
    return { failed: String(error?.stack ?? error) };
  }
};
