// The bidder's own papers and people, kept in this browser alone (docs/decisions/0024): licences, certificates, proofs of
// performance with their days of validity, and project leaders. Nothing here is ever sent to the hall: which paper goes
// into which bid is chosen where the bid is sealed. Whoever can use this browser's profile can read them; they are not
// encrypted. A file of everything can be saved and loaded again, each paper held to its SHA-256.
import { keeper } from "/sealing/database.js";
import { equal, fromHex, text, toHex, utf8 } from "/sealing/primitives/bytes.js";
import { Refused } from "/sealing/primitives/refusal.js";
import { Sha256 } from "/sealing/primitives/sha256.js";

const STORE = "things";
const transaction = keeper("tradehall cabinet", [STORE]);
const MAGIC = "tradehall cabinet v1\n";
const INDEX_BYTES_MAX = 4 << 20;
const SLICE = 4 << 20;
const DAY = /^\d{4}-\d{2}-\d{2}$/;
const TEXT_MAX = 200;

export const KINDS = ["licence", "qualification", "safety", "person", "performance", "finance", "other"];

/** Everything of an organisation: {papers: [{id, kind, title, number, until, file, size, sha256}], leaders: [{id, name, certificate, until}]}. */
export async function all(organisation) {
  const found = (await transaction(STORE, "readonly", (store) => store.getAll())).filter((each) => each.organisation === organisation);
  const byTitle = (a, b) => (a.title ?? a.name).localeCompare(b.title ?? b.name, "zh");
  return {
    papers: found.filter((each) => each.what === "paper").sort(byTitle),
    leaders: found.filter((each) => each.what === "leader").sort(byTitle),
  };
}

/** Keeps a paper. `until` is a day or "". Refused: cabinet_fields, storage_too_small. */
export async function addPaper(organisation, { kind, title, number, until, file }) {
  const paper = { what: "paper", organisation, kind, title: title.trim(), number: number.trim(), until };
  if (!KINDS.includes(kind) || !sound(paper.title, true) || !sound(paper.number) || !day(until) || !file?.size) throw wrong();
  return keep({ ...paper, file, name: file.name, size: file.size, sha256: await hashOf(file) });
}

/** Keeps a project leader. Refused: cabinet_fields. */
export async function addLeader(organisation, { name, certificate, until }) {
  const leader = { what: "leader", organisation, name: name.trim(), certificate: certificate.trim(), until };
  if (!sound(leader.name, true) || !sound(leader.certificate, true) || !day(until)) throw wrong();
  return keep(leader);
}

/** Forgets one thing for ever. */
export const remove = (id) => transaction(STORE, "readwrite", (store) => store.delete(id));

/** How a day of validity stands on a day ("2026-03-24"): "", over, soon (30 days) or good. */
export function standing(until, on) {
  if (!until) return "";
  if (until < on) return "over";
  return until <= new Date(Date.parse(on) + 30 * 86400000).toISOString().slice(0, 10) ? "soon" : "good";
}

/** Everything of an organisation as one file. */
export async function exported(organisation) {
  const { papers, leaders } = await all(organisation);
  const index = {
    v: 1, organisation,
    leaders: leaders.map(({ name, certificate, until }) => ({ name, certificate, until })),
    papers: papers.map(({ kind, title, number, until, name, size, sha256 }) => ({ kind, title, number, until, name, size, sha256 })),
  };
  const json = utf8(JSON.stringify(index));
  return new Blob([utf8(`${MAGIC}${json.length}\n`), json, ...papers.map((each) => each.file)]);
}

/** Takes a saved file back: what is there already stays as it is. Gives how many came. Refused: cabinet_file. */
export async function imported(organisation, blob) {
  const start = new Uint8Array(await blob.slice(0, MAGIC.length + 16).arrayBuffer());
  const line = new TextDecoder().decode(start).slice(MAGIC.length).split("\n")[0];
  if (!equal(start.subarray(0, MAGIC.length), utf8(MAGIC)) || !/^\d{1,7}$/.test(line) || Number(line) > INDEX_BYTES_MAX) throw broken();
  let at = MAGIC.length + line.length + 1;
  const index = parsed(new Uint8Array(await blob.slice(at, at + Number(line)).arrayBuffer()));
  if (index.organisation !== organisation) throw new Refused("cabinet_of_another", { organisation: index.organisation });
  at += Number(line);
  const files = [];
  for (const paper of index.papers) {
    const file = new File([blob.slice(at, at + paper.size)], paper.name);
    at += paper.size;
    // Everything is looked at before anything is kept.
    if (file.size !== paper.size || (await hashOf(file)) !== paper.sha256) throw broken();
    files.push(file);
  }
  if (at !== blob.size) throw broken();
  const known = await all(organisation);
  let came = 0;
  for (const [number, paper] of index.papers.entries()) {
    if (known.papers.some((each) => each.sha256 === paper.sha256 && each.title === paper.title)) continue;
    await addPaper(organisation, { ...paper, file: files[number] });
    came++;
  }
  for (const leader of index.leaders) {
    if (known.leaders.some((each) => each.name === leader.name && each.certificate === leader.certificate)) continue;
    await addLeader(organisation, leader);
    came++;
  }
  return came;
}

function parsed(data) {
  try {
    const index = JSON.parse(text(data));
    const right = index.v === 1 && Array.isArray(index.papers) && Array.isArray(index.leaders) && index.papers.every(
      ({ kind, title, number, until, name, size, sha256 }) =>
        KINDS.includes(kind) && sound(title, true) && sound(number) && day(until) && typeof name === "string" &&
        Number.isSafeInteger(size) && size > 0 && fromHex(sha256, 32),
    ) && index.leaders.every(({ name, certificate, until }) => sound(name, true) && sound(certificate, true) && day(until));
    if (right) return index;
  } catch {
    // No index: told below.
  }
  throw broken();
}

const sound = (given, needed = false) => typeof given === "string" && given.length <= TEXT_MAX && (!needed || given.trim() !== "");
const day = (given) => given === "" || (DAY.test(given) && !Number.isNaN(Date.parse(given)));
const wrong = () => new Refused("cabinet_fields");
const broken = () => new Refused("cabinet_file");

async function hashOf(file) {
  const hash = new Sha256();
  for (let at = 0; at < file.size; at += SLICE) hash.update(new Uint8Array(await file.slice(at, at + SLICE).arrayBuffer()));
  return toHex(hash.digest());
}

async function keep(thing) {
  // Without this a browser may clear what it thinks nobody needs; it may say no, and the page says to save a copy.
  await navigator.storage?.persist?.().catch(() => false);
  const made = { ...thing, id: toHex(crypto.getRandomValues(new Uint8Array(16))) };
  try {
    await transaction(STORE, "readwrite", (store) => store.put(made, made.id));
  } catch (error) {
    if (error?.name === "QuotaExceededError") throw new Refused("storage_too_small", { bytes: made.size ?? 0, bytes_free: 0 });
    throw error;
  }
  return made;
}
