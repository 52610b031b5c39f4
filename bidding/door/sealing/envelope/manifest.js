// The manifest: the signed first page of an envelope, naming its bid, its files and, in the record, the price.
// docs/spec/manifest.md, the same as crypto/sealing/manifest.py. Fields are exact, types included.
// File names are judged a little more strictly than there: characters that younger editions of Unicode assigned are
// refused, because a reader with an older table would call the sealed bid invalid.
import { fromHex, toHex, utf8 } from "../primitives/bytes.js";
import { Refused } from "../primitives/refusal.js";
import { words } from "./amount.js";
import { PLAINTEXT_BYTES_MAX, RECORD, padded } from "./header.js";

export const MANIFEST_BYTES_MAX = 1024 * 1024;
export const SIGNATURE_BYTES = 64;
export const FILES_MAX = 2000;
export const LABEL = "sealbid/v1 manifest";

const NAME_BYTES_MAX = 200;
const TEXT_LENGTH_MAX = 500;
const PERIOD_DAYS_MAX = 36500;
const ENVIRONMENT_MAX = 32;
const FIELDS = ["v", "lot", "envelope", "bidder", "salt", "files", "environment"];
const USCC = /^[0-9A-HJ-NP-RTUW-Y]{18}$/;
const MEDIA_TYPE = /^[a-z0-9][a-z0-9!#$&^_.+-]{0,62}\/[a-z0-9][a-z0-9!#$&^_.+-]{0,126}$/;
const RESERVED_NAMES = /^(con|prn|aux|nul|com[0-9]|lpt[0-9])(\..*)?$/is;
const FORBIDDEN_SIGNS = /[\p{Cc}\p{Cf}\p{Cn}\p{Co}\p{Zl}\p{Zp}<>:"|?*]/u;
// Assigned after Unicode 14, in the planes below U+10000; above, only the ideographs of Unicode 14 pass.
const YOUNG_SIGNS =
  /[\u088f\u0897\u0c5c\u0cdc\u0cf3\u0ece\u1acf-\u1aff\u1c89\u1c8a\u20c1-\u20cf\u2b96\u2ffc-\u2fff\u31e4-\u31ef\ua7cb-\ua7cf\ua7d2\ua7d4\ua7da-\ua7f1\ufbc3-\ufbd2\ufd90\ufd91\ufdc8-\ufdce]/u;
const HIGH_SIGNS = /[\u{10000}-\u{10ffff}]/u;
const OLD_IDEOGRAPHS =
  /[\u{20000}-\u{2a6df}\u{2a700}-\u{2b738}\u{2b740}-\u{2b81d}\u{2b820}-\u{2cea1}\u{2ceb0}-\u{2ebe0}\u{2f800}-\u{2fa1d}\u{30000}-\u{3134a}]/u;
const INVISIBLE = /[\p{Cc}\p{Cf}\p{Cs}]/u;

const MEDIA = {
  pdf: "application/pdf",
  xlsx: "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
  xls: "application/vnd.ms-excel",
  docx: "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
  doc: "application/msword",
  csv: "text/csv",
  txt: "text/plain",
  xml: "application/xml",
  json: "application/json",
  png: "image/png",
  jpg: "image/jpeg",
  jpeg: "image/jpeg",
  zip: "application/zip",
  dwg: "image/vnd.dwg",
};

/** The media type by the file's extension; whatever is not in our table is application/octet-stream. */
export function mediaType(name) {
  const found = /[^.]\.([^.]*)$/.exec(name);
  const extension = found ? found[1].toLowerCase() : "";
  return Object.hasOwn(MEDIA, extension) ? MEDIA[extension] : "application/octet-stream";
}

/**
 * The manifest of one envelope; offsets and price_words are made here.
 * `files` [{name, type, size, sha256: 32 bytes}], `opening` {price_fen, period_days, quality, leader} in envelope 0 only.
 */
export function build({ lot, envelope, bidder, salt, files, opening = null, environment = {} }) {
  let offset = 0;
  const placed = files.map(({ name, type, size, sha256 }) => {
    checkFileName(name);
    const entry = { name, type, size, sha256: toHex(sha256), offset };
    offset += size;
    return entry;
  });
  const built = {
    v: 1, lot, envelope, bidder: { name: bidder.name, uscc: bidder.uscc }, salt: toHex(salt), files: placed, environment,
  };
  if (opening) {
    const { price_fen, period_days, quality, leader } = opening;
    built.opening_list = { price_fen, price_words: words(price_fen), period_days, quality, leader };
  }
  return checkFields(built);
}

/** The value itself when it has exactly the fields of a manifest. Refused("manifest_fields", {field, problem}). */
export function checkFields(value) {
  require(isObject(value), "manifest", "not an object");
  const record = value.envelope === RECORD;
  exact(value, record ? [...FIELDS, "opening_list"] : FIELDS, "manifest");
  require(value.v === 1, "v", "must be 1");
  require(isInteger(value.envelope, 0, 2), "envelope", "must be 0, 1 or 2");
  checkText(value.lot, "lot", 64);
  require(fromHex(value.salt, 32), "salt", "not 64 lower-case hex digits");
  exact(value.bidder, ["name", "uscc"], "bidder");
  checkText(value.bidder.name, "bidder.name", 200);
  require(typeof value.bidder.uscc === "string" && USCC.test(value.bidder.uscc), "bidder.uscc", "not a USCC");
  if (record) checkOpening(value.opening_list);
  checkEnvironment(value.environment, record);
  checkFiles(value.files);
  return value;
}

/** The manifest speaks of this lot, envelope, salt and organisation. Refused("manifest_ids"). */
export function checkIds(manifest, { lot, envelope, salt, bidder }) {
  const right = { lot, envelope, salt: toHex(salt) };
  for (const field in right) if (manifest[field] !== right[field]) throw new Refused("manifest_ids", { field });
  if (manifest.bidder.name !== bidder.name || manifest.bidder.uscc !== bidder.uscc) {
    throw new Refused("manifest_ids", { field: "bidder" });
  }
}

/** Files lie back to back and P is L rounded up; gives L. Refused: file_place, padding. */
export function checkPlaces(manifest, manifestLen, paddedLen) {
  let offset = 0;
  for (const [number, entry] of manifest.files.entries()) {
    if (entry.offset !== offset) throw new Refused("file_place", { file: number, offset: entry.offset });
    offset += entry.size;
  }
  const length = 4 + manifestLen + SIGNATURE_BYTES + offset;
  if (length > paddedLen) throw new Refused("file_place", { length, padded: paddedLen });
  if (padded(length) !== paddedLen) throw new Refused("padding", { length, padded: paddedLen });
  return length;
}

/** A bare file name that reads the same everywhere, unchanged. Refused: file_name_*. */
export function checkFileName(name) {
  if (!name.isWellFormed() || name.includes("\ufffd") || name.normalize("NFC") !== name) {
    throw new Refused("file_name_encoding", { name: name.toWellFormed() });
  }
  if (["", ".", ".."].includes(name) || /[/\\]/.test(name) || /^[A-Za-z]:/.test(name)) {
    throw new Refused("file_name_path", { name });
  }
  const young = [...name].some((sign) => YOUNG_SIGNS.test(sign) || (HIGH_SIGNS.test(sign) && !OLD_IDEOGRAPHS.test(sign)));
  if (FORBIDDEN_SIGNS.test(name) || young) throw new Refused("file_name_characters", { name });
  if (name !== name.trim() || /^[.~]/.test(name) || name.endsWith(".") || RESERVED_NAMES.test(name)) {
    throw new Refused("file_name_reserved", { name });
  }
  if (utf8(name).length > NAME_BYTES_MAX) throw new Refused("file_name_length", { name: name.slice(0, 40) });
  return name;
}

function checkOpening(value) {
  exact(value, ["price_fen", "price_words", "period_days", "quality", "leader"], "opening_list");
  require(isInteger(value.price_fen, 1, Number.MAX_SAFE_INTEGER), "opening_list.price_fen", "must be whole fen");
  require(value.price_words === words(value.price_fen), "opening_list.price_words", "differs from price_fen");
  require(isInteger(value.period_days, 1, PERIOD_DAYS_MAX), "opening_list.period_days", "must be whole days");
  checkText(value.quality, "opening_list.quality", TEXT_LENGTH_MAX);
  exact(value.leader, ["name", "certificate"], "opening_list.leader");
  checkText(value.leader.name, "opening_list.leader.name", 200);
  checkText(value.leader.certificate, "opening_list.leader.certificate", 200);
}

function checkEnvironment(value, empty) {
  require(isObject(value), "environment", "not an object");
  const names = Object.keys(value);
  require(!(empty && names.length), "environment", "must be empty in the record envelope");
  require(names.length <= ENVIRONMENT_MAX, "environment", "too many entries");
  for (const name of names) {
    checkText(name, "environment", 64);
    checkText(value[name], "environment." + name, TEXT_LENGTH_MAX);
  }
}

function checkFiles(value) {
  require(Array.isArray(value) && value.length <= FILES_MAX, "files", "not a list of at most " + FILES_MAX);
  const seen = new Set();
  for (const [number, entry] of value.entries()) {
    const field = `files[${number}]`;
    exact(entry, ["name", "type", "size", "sha256", "offset"], field);
    require(typeof entry.name === "string", field + ".name", "not a text");
    try {
      checkFileName(entry.name);
    } catch (refused) {
      throw new Refused("manifest_fields", { field: field + ".name", problem: refused.code });
    }
    // Upper case first: ß and SS are one name to readers that fold, ſ and s too.
    const folded = entry.name.toUpperCase().toLowerCase();
    require(!seen.has(folded), field + ".name", "stands there twice");
    seen.add(folded);
    require(typeof entry.type === "string" && MEDIA_TYPE.test(entry.type), field + ".type", "not a media type");
    require(isInteger(entry.size, 0, PLAINTEXT_BYTES_MAX), field + ".size", "not a size up to 2 GiB");
    require(fromHex(entry.sha256, 32), field + ".sha256", "not 64 lower-case hex digits");
    require(isInteger(entry.offset, 0, PLAINTEXT_BYTES_MAX), field + ".offset", "not an offset");
  }
}

/** A text a person can read aloud: 1 … `lengthMax` characters, no controls, nothing blank at its ends. */
function checkText(value, field, lengthMax) {
  const right = typeof value === "string" && value !== "" && value === value.trim() && !INVISIBLE.test(value);
  require(right && [...value].length <= lengthMax, field, "not a text");
}

function exact(value, names, field) {
  require(isObject(value), field, "not an object");
  const same = Object.keys(value).sort().join() === [...names].sort().join();
  require(same, field, "fields must be exactly " + names.join(", "));
}

function isObject(value) {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function isInteger(value, low, high) {
  return Number.isSafeInteger(value) && value >= low && value <= high;
}

function require(right, field, problem) {
  if (!right) throw new Refused("manifest_fields", { field, problem });
}
