// A contribution to a draw: the body-less header by which one contributor commits to its r, sealed to the trustees.
// docs/spec/lottery.md §2 and §3, the same as crypto/contribution.py: r and all secrets are made here and forgotten here.
import { concat, uint, utf8 } from "../primitives/bytes.js";
import { assert } from "../primitives/refusal.js";
import { sha256 } from "../primitives/sha256.js";
import { labelled } from "../primitives/signing.js";
import { PREFIX_BYTES, encodeHead, encodeHeader } from "./header.js";
import { SECRET_BYTES, makeLocks } from "./lock.js";
import { rosterHash } from "./roster.js";

const ENVELOPE = 0x0100;
const PURPOSE_PANEL = 1;
const SIGNED_LABEL = "draw/v1 contribution";

/** The name of an attempt of a tender's draw. */
export const drawId = (tenderId, attempt) =>
  sha256(concat(utf8("draw/v1 id\0"), tenderId, uint(PURPOSE_PANEL, 2), uint(attempt, 2)));

/**
 * {header, signature}: a commitment to a fresh r, sealed to the tender's roster and signed by the contributor's P-256 key
 * `sign`, whose SPKI the notice pins. `contributor` 1 centre, 2 supervision, 3 owner. `entropy` gives r, the nonce and
 * one secret per lock, in that order.
 */
export async function makeContribution({ tenderId, attempt, contributor, roster, spki, sign, entropy }) {
  assert([1, 2, 3].includes(contributor), "a contributor is 1, 2 or 3");
  const r = entropy(SECRET_BYTES);
  const bidNonce = entropy(16);
  const secrets = roster.map(() => entropy(SECRET_BYTES));
  const draw = await drawId(tenderId, attempt);
  const fields = {
    tenderId,
    envelope: ENVELOPE,
    bidderTag: await sha256(concat(utf8("draw/v1 contributor\0"), draw, Uint8Array.of(contributor), spki)),
    bidNonce,
    version: 1,
    rosterHash: await rosterHash(roster),
    bodyLen: 0,
    bodyRoot: new Uint8Array(32),
    bodyPrefix: new Uint8Array(PREFIX_BYTES),
  };
  const header = encodeHeader({ ...fields, ...(await makeLocks(encodeHead(fields), roster, secrets, r)) });
  return { header, signature: await sign(labelled(SIGNED_LABEL, await sha256(header))) };
}
