// Shamir's secret sharing over GF(2^8) with the polynomial 0x11b, byte by byte: docs/spec/envelope.md §4.
// The coefficients come from the key schedule, so a share is a pure function and everybody can make it again.
import { assert } from "./refusal.js";

const EXP = new Uint8Array(510);
const LOG = new Uint8Array(256);
for (let power = 0, value = 1; power < 255; power++) {
  EXP[power] = EXP[power + 255] = value;
  LOG[value] = power;
  // 3 generates the group: times three is times two, plus once.
  const doubled = value << 1;
  value ^= doubled & 0x100 ? doubled ^ 0x11b : doubled;
}

/** Product in GF(2^8)/0x11b. */
export function multiply(a, b) {
  return a === 0 || b === 0 ? 0 : EXP[LOG[a] + LOG[b]];
}

/** secret + c_1·x + c_2·x² + …, per byte; coefficients as long as the secret, 1 ≤ x ≤ 255. */
export function share(secret, coefficients, x) {
  assert(x >= 1 && x <= 255, "x is a trustee's number");
  assert(coefficients.every((each) => each.length === secret.length), "coefficients are as long as the secret");
  return secret.map((byte, at) => {
    let value = 0;
    for (let m = coefficients.length - 1; m >= 0; m--) value = multiply(value ^ coefficients[m][at], x);
    return value ^ byte;
  });
}

/** The value at 0 of the polynomial through the points [[x, share], …] (Lagrange). */
export function combine(points) {
  const secret = new Uint8Array(points[0][1].length);
  for (const [x, value] of points) {
    let weight = 1;
    for (const [other] of points) {
      if (other !== x) weight = multiply(weight, EXP[LOG[other] - LOG[other ^ x] + 255]);
    }
    for (let at = 0; at < secret.length; at++) secret[at] ^= multiply(value[at], weight);
  }
  return secret;
}
