// Canonical JSON (RFC 8785, narrowed): docs/spec/envelope.md §1, the same as crypto/jcs.py.
// Integers |n| < 2^53, no floats, names unique and sorted by UTF-16 unit, at most 16 containers deep; a reader writes
// again what it read and demands the same bytes. Objects have no prototype: `__proto__` is a name like any other.
import { equal, text as decode, utf8 } from "./bytes.js";
import { Refused } from "./refusal.js";

export const DEPTH_MAX = 16;
export const DOCUMENT_BYTES_MAX = 16 * 1024 * 1024;

const NUMBER = /-?(?:0|[1-9][0-9]*)(\.[0-9]+)?([eE][-+]?[0-9]+)?/y;
const STRING = /"(?:[^"\\\u0000-\u001f]|\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4}))*"/y;
const WORD = /true|false|null|NaN|Infinity|-Infinity/y;
const BLANK = /[ \t\n\r]*/y;
const DIGITS_MAX = 17;

/** The one canonical text of a value, UTF-8. Refused: jcs_type, jcs_number, jcs_surrogate, jcs_depth. */
export function dumps(value) {
  return utf8(write(value, 0));
}

/** The value of a canonical text. Refused: jcs_size … jcs_not_canonical. */
export function loads(data, bytesMax = DOCUMENT_BYTES_MAX) {
  const value = parse(data, bytesMax);
  if (!equal(dumps(value), data)) throw new Refused("jcs_not_canonical");
  return value;
}

/** The value of any JSON without floats and repeated names; spaces and order are free. */
export function parse(data, bytesMax = DOCUMENT_BYTES_MAX) {
  if (data.length > bytesMax) throw new Refused("jcs_size", { bytes: data.length, bytes_max: bytesMax });
  refuseDepth(data);
  let source;
  try {
    source = decode(data);
  } catch {
    throw new Refused("jcs_utf8");
  }
  const reader = new Reader(source);
  const value = reader.value();
  reader.blank();
  if (reader.at !== source.length) throw new Refused("jcs_syntax", { at: reader.at });
  return value;
}

function refuseDepth(data) {
  let depth = 0;
  let inside = false;
  for (let at = 0; at < data.length; at++) {
    const byte = data[at];
    if (inside) {
      if (byte === 0x5c) at++;
      else if (byte === 0x22) inside = false;
    } else if (byte === 0x22) inside = true;
    else if (byte === 0x5b || byte === 0x7b) {
      if (++depth > DEPTH_MAX) throw new Refused("jcs_depth", { depth_max: DEPTH_MAX });
    } else if (byte === 0x5d || byte === 0x7d) depth--;
  }
}

class Reader {
  constructor(source) {
    this.source = source;
    this.at = 0;
  }

  match(pattern) {
    pattern.lastIndex = this.at;
    const found = pattern.exec(this.source);
    if (found) this.at += found[0].length;
    return found;
  }

  blank() {
    this.match(BLANK);
  }

  wrong() {
    return new Refused("jcs_syntax", { at: this.at });
  }

  take(sign) {
    this.blank();
    if (this.source[this.at] !== sign) return false;
    this.at++;
    return true;
  }

  value() {
    this.blank();
    if (this.source[this.at] === '"') return this.string();
    if (this.take("[")) return this.list();
    if (this.take("{")) return this.object();
    const word = this.match(WORD);
    if (word) {
      if (word[0].length > 5 || word[0] === "NaN") throw new Refused("jcs_number", { number: word[0] });
      return { true: true, false: false, null: null }[word[0]];
    }
    const number = this.match(NUMBER);
    if (!number) throw this.wrong();
    const digits = number[0];
    const value = Number(digits);
    const wrong = number[1] || number[2] || digits.length > DIGITS_MAX || digits === "-0";
    if (wrong || !Number.isSafeInteger(value)) throw new Refused("jcs_number", { number: digits.slice(0, 40) });
    return value;
  }

  string() {
    const found = this.match(STRING);
    if (!found) throw this.wrong();
    return JSON.parse(found[0]);
  }

  list() {
    const items = [];
    if (this.take("]")) return items;
    do items.push(this.value());
    while (this.take(","));
    if (!this.take("]")) throw this.wrong();
    return items;
  }

  object() {
    const built = Object.create(null);
    if (this.take("}")) return built;
    do {
      this.blank();
      if (this.source[this.at] !== '"') throw this.wrong();
      const name = this.string();
      if (!this.take(":")) throw this.wrong();
      const value = this.value();
      if (name in built) throw new Refused("jcs_repeated_name", { name: name.slice(0, 80) });
      built[name] = value;
    } while (this.take(","));
    if (!this.take("}")) throw this.wrong();
    return built;
  }
}

function write(value, depth) {
  if (value === null || typeof value === "boolean") return String(value);
  if (typeof value === "string") return quoted(value);
  if (typeof value === "number") {
    if (!Number.isSafeInteger(value) || Object.is(value, -0)) throw new Refused("jcs_number", { number: String(value) });
    return String(value);
  }
  if (typeof value !== "object" || ArrayBuffer.isView(value)) throw new Refused("jcs_type", { type: typeof value });
  if (depth >= DEPTH_MAX) throw new Refused("jcs_depth", { depth_max: DEPTH_MAX });
  if (Array.isArray(value)) return "[" + value.map((item) => write(item, depth + 1)).join(",") + "]";
  // The default order of texts in this language is by UTF-16 unit.
  const names = Object.keys(value).sort();
  return "{" + names.map((name) => quoted(name) + ":" + write(value[name], depth + 1)).join(",") + "}";
}

function quoted(given) {
  if (/\p{Cs}/u.test(given)) throw new Refused("jcs_surrogate");
  return JSON.stringify(given);
}
