// trust.json: the roots that a person brings along, and never takes from the platform that they are to judge.
// docs/spec/ledger.md §9, the same as crypto/trust.py. The page shows `fingerprint`, which the person compares with the
// one that the supervisor or a witness printed; whoever skips that believes the platform.
import { fromHex, toHex } from "../primitives/bytes.js";
import * as jcs from "../primitives/jcs.js";
import { Refused } from "../primitives/refusal.js";
import { sha256 } from "../primitives/sha256.js";
import { checkEd25519 } from "../primitives/signing.js";
import { fromFile, parse as parseCertificate } from "./certificates.js";
import { COSIGNATURE, LOG_SIGNATURE, isRehearsal, parseVerifierKey } from "./note.js";

const TRUST_BYTES_MAX = 256 * 1024;
const WITNESSES_MAX = 32;
const FIELDS = ["v", "hall", "log", "witnesses", "quorum", "trustee_roots", "ca_roots", "contributors"];
const GROUPS = ["operation", "supervision", "independent"];

/**
 * {hall, log, witnesses, quorum, trusteeRoots, caRoots, contributors, origin, rehearsal, fingerprint}.
 * Refused: trust_unreadable trust_fields trust_keys_repeated trust_quorum verifier_key key_not_ed25519.
 */
export async function loadTrust(data) {
  const unreadable = new Refused("trust_unreadable", { bytes: data.length });
  if (data.length > TRUST_BYTES_MAX) throw unreadable;
  let value;
  let canonical;
  try {
    value = jcs.parse(data);
    canonical = jcs.dumps(value);
  } catch {
    throw unreadable;
  }
  const fields = object(value, FIELDS, "trust.json");
  if (fields.v !== 1) throw new Refused("trust_fields", { field: "v" });
  if (!Array.isArray(fields.witnesses) || fields.witnesses.length > WITNESSES_MAX) wrong("witnesses");
  if (!Array.isArray(fields.ca_roots) || !fields.ca_roots.length) wrong("ca_roots");
  const trust = {
    hall: string(fields.hall, "hall"),
    log: await keyOf(object(fields.log, ["origin", "key"], "log"), LOG_SIGNATURE, "origin", "log.key"),
    witnesses: await Promise.all(fields.witnesses.map(witness)),
    quorum: Number.isSafeInteger(fields.quorum) ? fields.quorum : wrong("quorum"),
    trusteeRoots: sides(fields.trustee_roots, "trustee_roots"),
    caRoots: fields.ca_roots.map(root),
    contributors: sides(fields.contributors, "contributors"),
    fingerprint: toHex(await sha256(canonical)),
  };
  check(trust);
  return { ...trust, origin: trust.log.name, rehearsal: isRehearsal(trust.log.name) };
}

function check({ log, witnesses, quorum, trusteeRoots, contributors }) {
  Object.values(trusteeRoots).forEach(checkEd25519);
  const keys = [log.key, ...witnesses.map((each) => each.key.key), ...Object.values(trusteeRoots)].map(toHex);
  const names = witnesses.map((each) => each.name);
  const repeated = [keys, names, Object.values(contributors).map(toHex)].some((each) => new Set(each).size !== each.length);
  if (repeated) throw new Refused("trust_keys_repeated");
  const groups = new Set(witnesses.map((each) => each.group));
  const both = groups.has("operation") && groups.has("supervision");
  if (quorum < 2 || quorum > witnesses.length || !both) throw new Refused("trust_quorum", { quorum });
}

async function witness(value) {
  const fields = object(value, ["name", "group", "key"], "witnesses");
  if (!GROUPS.includes(fields.group)) wrong("witnesses.group");
  const key = await keyOf(fields, COSIGNATURE, "name", "witnesses.key");
  return { name: key.name, group: fields.group, key };
}

async function keyOf(fields, kind, name, field) {
  const key = await parseVerifierKey(string(fields.key, field));
  if (key.kind !== kind || key.name !== fields[name]) wrong(field);
  return key;
}

function sides(value, field) {
  const fields = object(value, ["centre", "supervision"], field);
  const read = (side) => fromHex(fields[side]) ?? wrong(`${field}.${side}`);
  return { centre: read("centre"), supervision: read("supervision") };
}

function root(value) {
  try {
    const certificate = fromFile(new TextEncoder().encode(string(value, "ca_roots")));
    parseCertificate(certificate);
    return certificate;
  } catch {
    return wrong("ca_roots");
  }
}

function string(value, field) {
  return typeof value === "string" && value ? value : wrong(field);
}

function object(value, names, field) {
  const right = typeof value === "object" && value !== null && !Array.isArray(value);
  return right && Object.keys(value).sort().join() === [...names].sort().join() ? value : wrong(field);
}

function wrong(field) {
  throw new Refused("trust_fields", { field });
}
