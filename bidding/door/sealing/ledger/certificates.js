// Certificates of organisations (X.509, ECDSA P-256): reading one, proving it under a root of trust.json, and the PKCS#10
// request of a key that was made in the page. docs/spec/ledger.md §8, the same as crypto/certificates.py, but for
// intermediates: an act carries its signer's certificate alone, so a path here is the certificate and a root.
import { concat, equal } from "../primitives/bytes.js";
import * as der from "../primitives/der.js";
import { Refused } from "../primitives/refusal.js";
import { SIGNATURE_BYTES, SPKI_BYTES } from "../primitives/signing.js";

const { TAG } = der;
const CERTIFICATE_BYTES_MAX = 8192;
const NAME_CHARACTERS_MAX = 64;
const OID = { country: "2.5.4.6", organisation: "2.5.4.10", serial: "2.5.4.5", common: "2.5.4.3" };
const BASIC_CONSTRAINTS = "2.5.29.19";
const KEY_USAGE = "2.5.29.15";
const ECDSA_SHA256 = "1.2.840.10045.4.3.2";
const USCC = /^[0-9A-HJ-NP-RTUW-Y]{18}$/;
const P256 = "1.2.840.10045.3.1.7";
// By the OID of a signature: the hash, and by the OID of the issuer's curve: its name and the bytes of r and s.
const HASHES = { [ECDSA_SHA256]: "SHA-256", "1.2.840.10045.4.3.3": "SHA-384", "1.2.840.10045.4.3.4": "SHA-512" };
const CURVES = { [P256]: ["P-256", 32], "1.3.132.0.34": ["P-384", 48] };

/** The certificate taken apart: {tbs, subject, issuer, spki, from, until, extensions, …}. Refused("certificate"). */
export function parse(certificate) {
  if (certificate.length > CERTIFICATE_BYTES_MAX) throw new Refused("certificate", { bytes: certificate.length });
  try {
    const [tbs, algorithm, signature] = der.children(der.only(certificate, TAG.SEQUENCE));
    const fields = der.children(tbs, TAG.SEQUENCE);
    if (fields[0].tag !== 0xa0 || fields[0].content[2] !== 2) throw new RangeError("not version 3");
    const [, serial, inner, issuer, validity, subject, spki, ...rest] = fields;
    if (!equal(inner.whole, algorithm.whole)) throw new RangeError("two signature algorithms");
    const [from, until] = der.children(validity, TAG.SEQUENCE).map(instant);
    const list = rest.find((each) => each.tag === 0xa3);
    return {
      tbs: tbs.whole,
      algorithm: der.oidText(der.children(algorithm, TAG.SEQUENCE)[0]),
      signature: bits(signature),
      serial: serial.content,
      issuer: issuer.whole,
      subject: subject.whole,
      names: namesOf(subject),
      spki: spki.whole,
      curve: curveOf(spki),
      from,
      until,
      extensions: list ? extensionsOf(list) : new Map(),
    };
  } catch (error) {
    if (error instanceof Refused) throw error;
    throw new Refused("certificate", { bytes: certificate.length });
  }
}

/** The SPKI DER (91 bytes) in a certificate of a P-256 key. Refused: certificate, key_not_p256. */
export function spkiOf(certificate) {
  const { spki, curve } = parse(certificate);
  if (curve !== P256 || spki.length !== SPKI_BYTES) throw new Refused("key_not_p256");
  return spki;
}

/** {name, uscc, spki} as a certificate says, nothing verified. Refused: certificate, certificate_subject, key_not_p256. */
export function readSubject(certificate) {
  const spki = spkiOf(certificate);
  const { names } = parse(certificate);
  const one = (oid, field) => {
    // With two of them, two readers could see two organisations.
    const found = names.filter(([kind]) => kind === oid);
    if (found.length !== 1 || !found[0][1].trim()) throw new Refused("certificate_subject", { field });
    return found[0][1];
  };
  const uscc = one(OID.serial, "serialNumber");
  const name = one(OID.organisation, "O");
  if (!USCC.test(uscc)) throw new Refused("certificate_subject", { field: "serialNumber" });
  return { name, uscc, spki };
}

/**
 * Proves that a certificate (DER) was valid at the instant `at` (ledger text) directly under one of `caRoots` (DER).
 * Refused: what readSubject refuses, certificate_not_yet_valid certificate_expired certificate_usage
 * certificate_issuer_unknown. Revocation is judged by the hall and the verifier, who have the lists.
 */
export async function verifyChain(certificate, caRoots, at) {
  const subject = readSubject(certificate);
  const parsed = parse(certificate);
  if (at < parsed.from) throw new Refused("certificate_not_yet_valid", { name: subject.name, since: parsed.from });
  if (at > parsed.until) throw new Refused("certificate_expired", { name: subject.name, until: parsed.until });
  requireSigning(parsed, subject.name);
  for (const root of caRoots.map(parse)) {
    const current = root.from <= at && at <= root.until;
    if (equal(root.subject, parsed.issuer) && current && certifies(root) && (await signed(parsed, root))) return subject;
  }
  throw new Refused("certificate_issuer_unknown", { name: subject.name });
}

/** A PKCS#10 request (DER) for `name` and `uscc`, signed by `sign(message)` → 64 bytes r‖s of the key in `spki`. */
export async function request({ name, uscc, spki, sign }) {
  if (!USCC.test(uscc)) throw new Refused("certificate_subject", { field: "serialNumber" });
  if (!name.trim() || [...name].length > NAME_CHARACTERS_MAX) throw new Refused("certificate_subject", { field: "O" });
  const attribute = (oid, tag, value) =>
    der.write(TAG.SET, der.write(TAG.SEQUENCE, der.oid(oid), der.string(tag, value)));
  const subject = der.write(
    TAG.SEQUENCE,
    attribute(OID.country, TAG.PRINTABLE, "CN"),
    attribute(OID.organisation, TAG.UTF8, name),
    attribute(OID.serial, TAG.PRINTABLE, uscc),
    attribute(OID.common, TAG.UTF8, name),
  );
  const info = der.write(TAG.SEQUENCE, der.integer(Uint8Array.of(0)), subject, spki, der.write(0xa0));
  const raw = await sign(info);
  const sequence = der.write(TAG.SEQUENCE, der.integer(raw.subarray(0, 32)), der.integer(raw.subarray(32)));
  const algorithm = der.write(TAG.SEQUENCE, der.oid(ECDSA_SHA256));
  return der.write(TAG.SEQUENCE, info, algorithm, der.write(TAG.BIT_STRING, Uint8Array.of(0), sequence));
}

/** A leaf: no authority, may sign, and has no critical extension that nobody here understands. */
function requireSigning({ extensions }, name) {
  const basic = extensions.get(BASIC_CONSTRAINTS);
  const usage = extensions.get(KEY_USAGE);
  const unknown = [...extensions].some(([oid, { critical }]) => critical && ![BASIC_CONSTRAINTS, KEY_USAGE].includes(oid));
  if (!basic || !usage || isAuthority(basic) || !usageBit(usage, 0) || usageBit(usage, 5) || unknown) {
    throw new Refused("certificate_usage", { name });
  }
}

function certifies({ extensions }) {
  const basic = extensions.get(BASIC_CONSTRAINTS);
  const usage = extensions.get(KEY_USAGE);
  return Boolean(basic && isAuthority(basic) && usage && usageBit(usage, 5));
}

async function signed(certificate, issuer) {
  const hash = HASHES[certificate.algorithm];
  const curve = CURVES[issuer.curve];
  if (!hash || !curve) return false;
  const [namedCurve, width] = curve;
  try {
    const key = await crypto.subtle.importKey("spki", issuer.spki, { name: "ECDSA", namedCurve }, false, ["verify"]);
    const raw = rawSignature(certificate.signature, width);
    return await crypto.subtle.verify({ name: "ECDSA", hash }, key, raw, certificate.tbs);
  } catch {
    return false;
  }
}

/** r‖s of an X.509 signature: SEQUENCE of two INTEGERs. */
function rawSignature(signature, width) {
  const numbers = der.children(der.only(signature, TAG.SEQUENCE)).map(({ tag, content }) => {
    const trimmed = content[0] === 0 ? content.subarray(1) : content;
    if (tag !== TAG.INTEGER || trimmed.length > width) throw new RangeError("not a signature");
    return concat(new Uint8Array(width - trimmed.length), trimmed);
  });
  if (numbers.length !== 2) throw new RangeError("not a signature");
  return concat(...numbers);
}

function namesOf(name) {
  return der.children(name, TAG.SEQUENCE).flatMap((set) =>
    der.children(set, TAG.SET).map((pair) => {
      const [oid, value] = der.children(pair, TAG.SEQUENCE);
      if (![TAG.UTF8, TAG.PRINTABLE, TAG.IA5].includes(value.tag)) throw new RangeError("not a text");
      return [der.oidText(oid), new TextDecoder("utf-8", { fatal: true }).decode(value.content)];
    }),
  );
}

function curveOf(spki) {
  const [algorithm] = der.children(spki, TAG.SEQUENCE);
  const [kind, curve] = der.children(algorithm, TAG.SEQUENCE);
  return der.oidText(kind) === "1.2.840.10045.2.1" && curve?.tag === TAG.OID ? der.oidText(curve) : null;
}

function extensionsOf(list) {
  const found = new Map();
  for (const each of der.children(der.children(list)[0], TAG.SEQUENCE)) {
    const parts = der.children(each, TAG.SEQUENCE);
    const oid = der.oidText(parts[0]);
    const value = parts[parts.length - 1];
    if (found.has(oid) || value.tag !== TAG.OCTET_STRING) throw new RangeError("an extension twice");
    found.set(oid, { critical: parts.length === 3 && parts[1].content[0] === 0xff, value: value.content });
  }
  return found;
}

function isAuthority({ value }) {
  const [first] = der.children(der.only(value, TAG.SEQUENCE));
  return first?.tag === TAG.BOOLEAN && first.content[0] === 0xff;
}

function usageBit({ value }, number) {
  const { content } = der.only(value, TAG.BIT_STRING);
  return Boolean((content[1 + (number >> 3)] ?? 0) & (0x80 >> (number & 7)));
}

function bits(element) {
  if (element.tag !== TAG.BIT_STRING || element.content[0] !== 0) throw new RangeError("not whole bytes");
  return element.content.subarray(1);
}

/** UTCTime or GeneralizedTime as the ledger spells instants. */
function instant({ tag, content }) {
  const given = String.fromCharCode(...content);
  const full = tag === TAG.UTC_TIME ? (given.slice(0, 2) < "50" ? "20" : "19") + given : given;
  const parts = /^(\d{4})(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)Z$/.exec(full);
  if (!parts || (tag !== TAG.UTC_TIME && tag !== TAG.TIME)) throw new RangeError("not an instant");
  const [, year, month, day, hour, minute, second] = parts;
  return `${year}-${month}-${day}T${hour}:${minute}:${second}.000Z`;
}

/** The certificate in a PEM or DER file, as DER. Refused("certificate"). */
export function fromFile(data) {
  if (data[0] === 0x30) return data;
  const match = /-----BEGIN CERTIFICATE-----([A-Za-z0-9+/=\s]+)-----END CERTIFICATE-----/.exec(
    new TextDecoder().decode(data),
  );
  try {
    return Uint8Array.from(atob(match[1].replace(/\s/g, "")), (sign) => sign.charCodeAt(0));
  } catch {
    throw new Refused("certificate", { bytes: data.length });
  }
}
