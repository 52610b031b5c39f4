// Amounts of money in Chinese capital figures (大写金额) from integer fen: docs/spec/manifest.md, last section, the same
// as crypto/amount.py. One amount has one wording, so that words and fen can be compared byte by byte.
import { Refused } from "../primitives/refusal.js";

const DIGITS = "零壹贰叁肆伍陆柒捌玖";
const PLACES = ["", "拾", "佰", "仟"];

/** `fen` (0 … 2^53 − 1) in capital figures: 140950 → 壹仟肆佰零玖元伍角. Refused("amount_outside_range"). */
export function words(fen) {
  if (!Number.isSafeInteger(fen) || fen < 0) throw new Refused("amount_outside_range", { fen: String(fen) });
  const yuan = Math.floor(fen / 100);
  const tenths = Math.floor((fen % 100) / 10);
  const hundredths = fen % 10;
  let whole = yuan ? integer(yuan) + "元" : "";
  if (!tenths && !hundredths) return (whole || "零元") + "整";
  if (tenths) whole += DIGITS[tenths] + "角";
  else if (whole) whole += "零";
  return whole + (hundredths ? DIGITS[hundredths] + "分" : "");
}

/** A whole number below 10^16 in groups of four: 万 within, 亿 above eight places. */
function integer(number) {
  for (const [unit, sign] of [[1e8, "亿"], [1e4, "万"]]) {
    if (number < unit) continue;
    const low = number % unit;
    const gap = low < unit / 10 ? "零" : "";
    return integer(Math.floor(number / unit)) + sign + (low ? gap + integer(low) : "");
  }
  return group(number);
}

function group(number) {
  let written = "";
  let gap = false;
  for (let place = 3; place >= 0; place--) {
    const digit = Math.floor(number / 10 ** place) % 10;
    if (digit) written += (gap && written ? "零" : "") + DIGITS[digit] + PLACES[place];
    gap = digit === 0;
  }
  return written;
}
