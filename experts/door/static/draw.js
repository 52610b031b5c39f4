// A contributor's random number, made, sealed and signed in this browser. Comfort only: the command line does the same.
// What leaves is the sealed header and its signature; to whom it is sealed is proved under trust.json before it is made.
import { Session, keys } from "/sealing/seal.js";
import { makeContribution } from "/sealing/envelope/contribution.js";
import { toBase64, toHex, utf8 } from "/sealing/primitives/bytes.js";
import { system } from "/sealing/primitives/entropy.js";
import { Refused } from "/sealing/primitives/refusal.js";
import { p256Signer } from "/sealing/primitives/signing.js";

const REMEMBERED = "tradehall trust.json";
const form = document.querySelector("form[data-draw]");
const { lot, attempt, contributor, organisation, csrf } = form.dataset;
const panel = form.querySelector("[data-here]");
const state = panel.querySelector("[data-state]");
const button = panel.querySelector("[data-now]");
const sentences = { trust_missing: panel.dataset.noTrust, quorum: panel.dataset.unseen };
const identity = await keys.identity(organisation).catch(() => null);

panel.hidden = false;
if (identity) {
  state.textContent = panel.dataset.found;
  panel.querySelector("[data-with-key]").hidden = false;
  button.addEventListener("click", give);
} else {
  state.textContent = panel.dataset.other;
  form.querySelector("[data-by-hand]").open = true;
}

async function give() {
  button.disabled = true;
  state.removeAttribute("role");
  state.textContent = panel.dataset.busy;
  try {
    const session = new Session(lot, { hall: { headers: { "x-csrf-token": csrf } } });
    const trust = await anchors();
    await session.check(utf8(trust));
    const { tenderId, roster, act } = session.tender;
    if (act.contributors[contributor] !== toHex(identity.spki)) throw Object.assign(new Error(), { told: panel.dataset.other });
    const made = await makeContribution({
      tenderId, roster, attempt: Number(attempt), contributor: Number(contributor), spki: identity.spki,
      sign: p256Signer(identity.key), entropy: system,
    });
    localStorage.setItem(REMEMBERED, trust);
    form.elements.made.value = JSON.stringify({ lot, header: toBase64(made.header), signature: toHex(made.signature) });
    form.submit();
  } catch (error) {
    state.setAttribute("role", "alert");
    state.textContent = error.told ?? sentences[error.code] ?? panel.dataset.failed.replace("%s", error.code ?? error.message);
    button.disabled = false;
  }
}

/** trust.json as the person brought it, now or for a bid before; the hall's copy only where the page offers it. */
async function anchors() {
  const [file] = panel.querySelector("[data-trust]").files;
  if (file) return file.text();
  if (panel.querySelector("[data-own]")?.checked) return (await fetch("/trust.json")).text();
  const kept = localStorage.getItem(REMEMBERED);
  if (!kept) throw new Refused("trust_missing");
  return kept;
}
