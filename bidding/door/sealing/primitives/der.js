// DER (X.690), as much as certificates and PKCS#10 requests need: a strict reader and a writer.
// docs/spec/ledger.md §8. One length form, no indefinite lengths, tags below 31.
import { concat, utf8 } from "./bytes.js";

export const TAG = {
  BOOLEAN: 0x01, INTEGER: 0x02, BIT_STRING: 0x03, OCTET_STRING: 0x04, OID: 0x06, UTF8: 0x0c, PRINTABLE: 0x13,
  IA5: 0x16, UTC_TIME: 0x17, TIME: 0x18, BMP: 0x1e, SEQUENCE: 0x30, SET: 0x31,
};

/** One element: {tag, content, whole} (views), and the bytes after it in `rest`; throws RangeError for what is none. */
export function read(data) {
  const wrong = new RangeError("not DER");
  if (data.length < 2 || (data[0] & 0x1f) === 0x1f) throw wrong;
  let length = data[1];
  let start = 2;
  if (length > 0x80) {
    const width = length - 0x80;
    if (width > 3 || data.length < 2 + width || data[2] === 0) throw wrong;
    length = data.subarray(2, 2 + width).reduce((value, byte) => value * 256 + byte, 0);
    if (length < 0x80) throw wrong;
    start += width;
  } else if (length === 0x80) throw wrong;
  const end = start + length;
  if (end > data.length) throw wrong;
  return { tag: data[0], content: data.subarray(start, end), whole: data.subarray(0, end), rest: data.subarray(end) };
}

/** The elements inside a constructed one, each {tag, content, whole}. */
export function children(element, tag = undefined) {
  if (tag !== undefined && element.tag !== tag) throw new RangeError("another DER tag");
  const found = [];
  for (let rest = element.content; rest.length; ) {
    const next = read(rest);
    found.push(next);
    rest = next.rest;
  }
  return found;
}

/** The one element that `data` is, nothing after it. */
export function only(data, tag) {
  const found = read(data);
  if (found.rest.length || found.tag !== tag) throw new RangeError("not one DER element");
  return found;
}

/** An element of `tag` over the parts. */
export function write(tag, ...parts) {
  const content = concat(...parts);
  const length = content.length;
  let head = [length];
  if (length > 0xffff) head = [0x83, length >>> 16, (length >>> 8) & 255, length & 255];
  else if (length > 0xff) head = [0x82, length >>> 8, length & 255];
  else if (length > 0x7f) head = [0x81, length];
  return concat(Uint8Array.of(tag, ...head), content);
}

/** The dotted text of an OID element. */
export function oidText(element) {
  if (element.tag !== TAG.OID || !element.content.length) throw new RangeError("not an OID");
  const arcs = [];
  let value = 0;
  for (const byte of element.content) {
    value = value * 128 + (byte & 0x7f);
    if (byte & 0x80) continue;
    if (arcs.length) arcs.push(value);
    else arcs.push(Math.min(Math.floor(value / 40), 2), value - 40 * Math.min(Math.floor(value / 40), 2));
    value = 0;
  }
  return arcs.join(".");
}

/** The OID element of a dotted text. */
export function oid(dotted) {
  const arcs = dotted.split(".").map(Number);
  const bytes = [];
  for (const arc of [40 * arcs[0] + arcs[1], ...arcs.slice(2)]) {
    const groups = [arc % 128];
    for (let rest = Math.floor(arc / 128); rest; rest = Math.floor(rest / 128)) groups.unshift((rest % 128) | 0x80);
    bytes.push(...groups);
  }
  return write(TAG.OID, Uint8Array.from(bytes));
}

/** A text element: PrintableString or UTF8String. */
export const string = (tag, value) => write(tag, utf8(value));

/** An unsigned number of big-endian bytes as INTEGER. */
export function integer(bytes) {
  let start = 0;
  while (start < bytes.length - 1 && bytes[start] === 0) start++;
  const trimmed = bytes.subarray(start);
  return write(TAG.INTEGER, trimmed[0] & 0x80 ? Uint8Array.of(0) : new Uint8Array(0), trimmed);
}
