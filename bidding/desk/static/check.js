// The bid against the tender's requirements, on this device alone: the same findings as bidding/client/preparing.py.
// Nothing here asks the hall: a price that the hall sees before the opening is no sealed price.
import { checkFileName } from "/sealing/seal.js";

const PRICE = /^\d{1,13}(\.\d{1,2})?$/;
const PASSPHRASE_LENGTH_MIN = 8;

/** Integer fen of what was typed in yuan; null where it is no amount. */
export function fenOf(typed) {
  const text = typed.trim().replace(/[,,\s¥¥]/g, "");
  if (!PRICE.test(text)) return null;
  const [whole, part = ""] = text.split(".");
  const fen = Number(whole) * 100 + Number(part.padEnd(2, "0"));
  return Number.isSafeInteger(fen) && fen > 0 ? fen : null;
}

/**
 * Every finding, in the order of the page: [{state: "ok" | "bad" | "note" | "", word, text, lang}].
 * `given` {price, maxPrice, period, maxPeriod, quality, wantedQuality, leader, certificate, files: [{name, file,
 * mandatory, label}], more: [File], limit, passphrase, again, late}.
 */
export function findings(given) {
  const found = [];
  const say = (state, word, text = "", lang = "") => found.push({ state, word, text, lang });
  const fen = fenOf(given.price);
  if (fen === null) say("bad", "check.price_missing");
  else if (given.maxPrice && fen > given.maxPrice) say("bad", "check.price_over");
  else say("ok", "check.price");
  const days = /^\d{1,5}$/.test(given.period.trim()) ? Number(given.period) : 0;
  if (days < 1) say("bad", "check.period_missing");
  else if (days > given.maxPeriod) say("bad", "check.period_over");
  else say("ok", "check.period");
  if (!given.quality.trim()) say("bad", "check.quality_missing");
  else if (given.quality.trim() !== given.wantedQuality) say("note", "check.quality_differs");
  else say("ok", "check.quality");
  if (given.leader.trim() && given.certificate.trim()) say("ok", "check.leader");
  else say("bad", "check.leader_missing");
  for (const { name, file, mandatory, label } of given.files) {
    if (!file) say(mandatory ? "bad" : "", mandatory ? "check.file_missing" : "check.file_optional", label, "zh");
    else if (!file.size) say("bad", "check.file_empty", file.name, "zh");
    else if (ending(file.name) !== ending(name)) say("note", "check.file_kind", `${file.name} → ${name}`, "zh");
    else say("ok", "check.file", name, "zh");
  }
  const named = new Set(given.files.map((each) => folded(each.name)));
  for (const file of given.more) {
    const twice = named.has(folded(file.name));
    named.add(folded(file.name));
    if (twice) say("bad", "check.file_twice", file.name, "zh");
    else if (!usable(file.name)) say("bad", "check.file_name", file.name, "zh");
    else if (!file.size) say("bad", "check.file_empty", file.name, "zh");
    else say("ok", "check.file", file.name, "zh");
  }
  const all = [...given.files.map((each) => each.file), ...given.more].filter(Boolean);
  if (all.reduce((sum, file) => sum + file.size, 0) > given.limit) say("bad", "check.large");
  if ([...given.passphrase.normalize("NFC")].length < PASSPHRASE_LENGTH_MIN) say("bad", "check.pass_short");
  else if (given.passphrase !== given.again) say("bad", "check.pass_differs");
  else say("ok", "check.pass");
  // The hall decides; the deadline may have been moved since the page was made.
  if (given.late) say("note", "check.late");
  return found;
}

const folded = (name) => name.toUpperCase().toLowerCase();
const ending = (name) => (/\.([^.]+)$/.exec(name)?.[1] ?? "").toLowerCase();

function usable(name) {
  try {
    checkFileName(name);
    return true;
  } catch {
    return false;
  }
}
