// Argon2id (RFC 9106), version 0x13, no secret and no associated data: the key of the recovery file
// (docs/spec/envelope.md §9: 3 passes, 4 lanes, 64 MiB). WebCrypto has no memory-hard function, so it is written out
// here; held to RFC 9106's vector shape and to `cryptography` in the tests. Runs for seconds: only in a worker.
import { concat, utf8 } from "./bytes.js";
import { blake2b } from "./blake2b.js";

const SYNC_POINTS = 4;
const WORDS = 256; // of 32 bits in a block of 1 KiB
const TYPE_ID = 2;

/** The tag of `length` bytes; `memoryKib` ≥ 8 × lanes. */
export function argon2id(password, salt, { passes, lanes, memoryKib, length }) {
  const blocks = 4 * lanes * Math.floor(memoryKib / (4 * lanes));
  const width = blocks / lanes;
  const segment = width / SYNC_POINTS;
  const memory = new Uint32Array(blocks * WORDS);
  const h0 = blake2b(
    concat(
      ...[lanes, length, memoryKib, passes, 0x13, TYPE_ID].map(le32),
      le32(password.length), password, le32(salt.length), salt, le32(0), le32(0),
    ),
    64,
  );
  for (let lane = 0; lane < lanes; lane++) {
    for (const column of [0, 1]) {
      const first = new Uint32Array(long(concat(h0, le32(column), le32(lane)), 1024).buffer);
      memory.set(first, (lane * width + column) * WORDS);
    }
  }
  for (let pass = 0; pass < passes; pass++) {
    for (let slice = 0; slice < SYNC_POINTS; slice++) {
      for (let lane = 0; lane < lanes; lane++) {
        fill(memory, { pass, slice, lane, lanes, width, segment, blocks, passes });
      }
    }
  }
  const last = new Uint32Array(WORDS);
  for (let lane = 0; lane < lanes; lane++) {
    const at = (lane * width + width - 1) * WORDS;
    for (let word = 0; word < WORDS; word++) last[word] ^= memory[at + word];
  }
  return long(new Uint8Array(last.buffer), length);
}

function fill(memory, { pass, slice, lane, lanes, width, segment, blocks, passes }) {
  const independent = pass === 0 && slice < SYNC_POINTS / 2;
  const input = new Uint32Array(WORDS);
  const addresses = new Uint32Array(WORDS);
  const zero = new Uint32Array(WORDS);
  if (independent) {
    [pass, lane, slice, blocks, passes, TYPE_ID].forEach((value, at) => (input[2 * at] = value));
  }
  const next = () => {
    input[12]++;
    round(zero, 0, input, 0, addresses, 0, false);
    round(zero, 0, addresses, 0, addresses, 0, false);
  };
  const start = pass === 0 && slice === 0 ? 2 : 0;
  if (independent && start) next();
  for (let index = start; index < segment; index++) {
    const column = slice * segment + index;
    const previous = lane * width + (column ? column - 1 : width - 1);
    if (independent && index % 128 === 0) next();
    const source = independent ? addresses : memory;
    const at = independent ? 2 * (index % 128) : previous * WORDS;
    const other = pass === 0 && slice === 0 ? lane : source[at + 1] % lanes;
    const column2 = reference(source[at], { pass, slice, index, width, segment, same: other === lane });
    const target = (lane * width + column) * WORDS;
    round(memory, previous * WORDS, memory, (other * width + column2) * WORDS, memory, target, pass > 0);
  }
}

/** RFC 9106 §3.4.1.3: which column of the reference lane. */
function reference(random, { pass, slice, index, width, segment, same }) {
  let area;
  if (pass === 0) {
    if (slice === 0) area = index - 1;
    else area = slice * segment + (same ? index - 1 : index === 0 ? -1 : 0);
  } else {
    area = width - segment + (same ? index - 1 : index === 0 ? -1 : 0);
  }
  const x = high(random, random);
  const relative = area - 1 - high(area, x);
  const start = pass === 0 || slice === SYNC_POINTS - 1 ? 0 : (slice + 1) * segment;
  return (start + relative) % width;
}

/** The upper 32 bits of a product of two 32-bit numbers, in whole 32-bit steps. */
function high(a, b) {
  const al = a & 0xffff, ah = a >>> 16, bl = b & 0xffff, bh = b >>> 16;
  const ll = Math.imul(al, bl), lh = Math.imul(al, bh), hl = Math.imul(ah, bl);
  const carry = (ll >>> 16) + (lh & 0xffff) + (hl & 0xffff);
  return (Math.imul(ah, bh) + (lh >>> 16) + (hl >>> 16) + (carry >>> 16)) >>> 0;
}

const R = new Uint32Array(WORDS);
const Q = new Uint32Array(WORDS);

/** The compression G: out = P(x xor y) xor x xor y, and xor what was there from the second pass on. */
function round(x, xAt, y, yAt, out, outAt, withOld) {
  for (let word = 0; word < WORDS; word++) Q[word] = R[word] = x[xAt + word] ^ y[yAt + word];
  for (let row = 0; row < 8; row++) {
    const at = 32 * row;
    permute(at, at + 2, at + 4, at + 6, at + 8, at + 10, at + 12, at + 14,
      at + 16, at + 18, at + 20, at + 22, at + 24, at + 26, at + 28, at + 30);
  }
  for (let column = 0; column < 8; column++) {
    const at = 4 * column;
    permute(at, at + 2, at + 32, at + 34, at + 64, at + 66, at + 96, at + 98,
      at + 128, at + 130, at + 160, at + 162, at + 192, at + 194, at + 224, at + 226);
  }
  if (withOld) for (let word = 0; word < WORDS; word++) out[outAt + word] ^= R[word] ^ Q[word];
  else for (let word = 0; word < WORDS; word++) out[outAt + word] = R[word] ^ Q[word];
}

function permute(a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p) {
  quarter(a, e, i, m);
  quarter(b, f, j, n);
  quarter(c, g, k, o);
  quarter(d, h, l, p);
  quarter(a, f, k, p);
  quarter(b, g, l, m);
  quarter(c, h, i, n);
  quarter(d, e, j, o);
}

function quarter(a, b, c, d) {
  let al = Q[a], ah = Q[a + 1], bl = Q[b], bh = Q[b + 1], cl = Q[c], ch = Q[c + 1], dl = Q[d], dh = Q[d + 1];
  let low, up;
  // a += b + 2·lo(a)·lo(b), then d = (d xor a) >>> 32, and so on with 24, 16, 63.
  low = Math.imul(al, bl);
  up = high(al, bl);
  up = (up << 1) | (low >>> 31);
  low = (low << 1) >>> 0;
  let sum = al + bl + low;
  ah = (ah + bh + up + ((sum / 4294967296) | 0)) >>> 0;
  al = sum >>> 0;
  low = dl ^ al;
  dl = (dh ^ ah) >>> 0;
  dh = low >>> 0;

  low = Math.imul(cl, dl);
  up = high(cl, dl);
  up = (up << 1) | (low >>> 31);
  low = (low << 1) >>> 0;
  sum = cl + dl + low;
  ch = (ch + dh + up + ((sum / 4294967296) | 0)) >>> 0;
  cl = sum >>> 0;
  low = bl ^ cl;
  up = bh ^ ch;
  bl = ((low >>> 24) | (up << 8)) >>> 0;
  bh = ((up >>> 24) | (low << 8)) >>> 0;

  low = Math.imul(al, bl);
  up = high(al, bl);
  up = (up << 1) | (low >>> 31);
  low = (low << 1) >>> 0;
  sum = al + bl + low;
  ah = (ah + bh + up + ((sum / 4294967296) | 0)) >>> 0;
  al = sum >>> 0;
  low = dl ^ al;
  up = dh ^ ah;
  dl = ((low >>> 16) | (up << 16)) >>> 0;
  dh = ((up >>> 16) | (low << 16)) >>> 0;

  low = Math.imul(cl, dl);
  up = high(cl, dl);
  up = (up << 1) | (low >>> 31);
  low = (low << 1) >>> 0;
  sum = cl + dl + low;
  ch = (ch + dh + up + ((sum / 4294967296) | 0)) >>> 0;
  cl = sum >>> 0;
  low = bl ^ cl;
  up = bh ^ ch;
  Q[b] = (low << 1) | (up >>> 31);
  Q[b + 1] = (up << 1) | (low >>> 31);

  Q[a] = al;
  Q[a + 1] = ah;
  Q[c] = cl;
  Q[c + 1] = ch;
  Q[d] = dl;
  Q[d + 1] = dh;
}

/** H' of RFC 9106 §3.3: a hash of any length. */
function long(data, length) {
  if (length <= 64) return blake2b(concat(le32(length), data), length);
  const out = new Uint8Array(length);
  let block = blake2b(concat(le32(length), data), 64);
  let at = 0;
  for (; length - at > 64; at += 32) {
    out.set(block.subarray(0, 32), at);
    block = blake2b(block, length - at - 32 > 64 ? 64 : length - at - 32);
  }
  out.set(block, at);
  return out;
}

function le32(value) {
  return Uint8Array.of(value, value >>> 8, value >>> 16, value >>> 24);
}
