// SHA-256 (FIPS 180-4): whole byte strings by WebCrypto, files of any size piece by piece by the class below.
// WebCrypto hashes only what lies in memory at once; the hash of a 2 GiB file in a manifest (docs/spec/manifest.md)
// needs a state that goes on. The class is held to WebCrypto in the tests.

const K = new Int32Array(64);
const START = new Int32Array(8);
{
  // The constants are the fractional parts of square and cube roots of primes; 2^32 times them is exact enough here.
  let found = 0;
  for (let number = 2; found < 64; number++) {
    let prime = true;
    for (let factor = 2; factor * factor <= number; factor++) if (number % factor === 0) prime = false;
    if (!prime) continue;
    if (found < 8) START[found] = (Math.sqrt(number) % 1) * 2 ** 32;
    K[found++] = (Math.cbrt(number) % 1) * 2 ** 32;
  }
}

/** SHA-256 of bytes that lie in memory, 32 bytes. */
export async function sha256(data) {
  return new Uint8Array(await crypto.subtle.digest("SHA-256", data));
}

/** SHA-256 of bytes that come piece by piece. */
export class Sha256 {
  #state = START.slice();
  #words = new Int32Array(64);
  #rest = new Uint8Array(64);
  #held = 0;
  #length = 0;

  /** More bytes. */
  update(data) {
    this.#length += data.length;
    let at = 0;
    if (this.#held) {
      at = Math.min(64 - this.#held, data.length);
      this.#rest.set(data.subarray(0, at), this.#held);
      this.#held += at;
      if (this.#held < 64) return this;
      blocks(this.#state, this.#words, this.#rest, 0, 64);
      this.#held = 0;
    }
    const end = data.length - ((data.length - at) % 64);
    blocks(this.#state, this.#words, data, at, end);
    this.#rest.set(data.subarray(end));
    this.#held = data.length - end;
    return this;
  }

  /** The digest, 32 bytes; the object is used up. */
  digest() {
    const tail = new Uint8Array(this.#held < 56 ? 64 : 128);
    tail.set(this.#rest.subarray(0, this.#held));
    tail[this.#held] = 0x80;
    const view = new DataView(tail.buffer);
    view.setUint32(tail.length - 8, Math.floor(this.#length / 2 ** 29));
    view.setUint32(tail.length - 4, (this.#length * 8) % 2 ** 32);
    blocks(this.#state, this.#words, tail, 0, tail.length);
    const out = new DataView(new ArrayBuffer(32));
    this.#state.forEach((word, number) => out.setInt32(4 * number, word));
    return new Uint8Array(out.buffer);
  }
}

/** The compression function over the whole blocks data[start … end). Outside the class: it is what takes the time. */
function blocks(state, w, data, start, end) {
  let h0 = state[0], h1 = state[1], h2 = state[2], h3 = state[3];
  let h4 = state[4], h5 = state[5], h6 = state[6], h7 = state[7];
  for (let at = start; at < end; at += 64) {
    let a = h0, b = h1, c = h2, d = h3, e = h4, f = h5, g = h6, h = h7;
    for (let i = 0; i < 64; i++) {
      let word;
      if (i < 16) {
        const p = at + 4 * i;
        word = (data[p] << 24) | (data[p + 1] << 16) | (data[p + 2] << 8) | data[p + 3];
      } else {
        const x = w[i - 15], y = w[i - 2];
        const s0 = ((x >>> 7) | (x << 25)) ^ ((x >>> 18) | (x << 14)) ^ (x >>> 3);
        const s1 = ((y >>> 17) | (y << 15)) ^ ((y >>> 19) | (y << 13)) ^ (y >>> 10);
        word = (w[i - 16] + s0 + w[i - 7] + s1) | 0;
      }
      w[i] = word;
      const s1 = ((e >>> 6) | (e << 26)) ^ ((e >>> 11) | (e << 21)) ^ ((e >>> 25) | (e << 7));
      const t1 = (h + s1 + (g ^ (e & (f ^ g))) + K[i] + word) | 0;
      const s0 = ((a >>> 2) | (a << 30)) ^ ((a >>> 13) | (a << 19)) ^ ((a >>> 22) | (a << 10));
      const t2 = (s0 + ((a & b) | (c & (a | b)))) | 0;
      h = g;
      g = f;
      f = e;
      e = (d + t1) | 0;
      d = c;
      c = b;
      b = a;
      a = (t1 + t2) | 0;
    }
    h0 = (h0 + a) | 0;
    h1 = (h1 + b) | 0;
    h2 = (h2 + c) | 0;
    h3 = (h3 + d) | 0;
    h4 = (h4 + e) | 0;
    h5 = (h5 + f) | 0;
    h6 = (h6 + g) | 0;
    h7 = (h7 + h) | 0;
  }
  state.set([h0, h1, h2, h3, h4, h5, h6, h7]);
}
