// Signing an act with the organisation's key in this browser. Comfort only: the page also takes a file that was signed by
// the command line. What is signed is exactly the act that stands on the page, canonically written (docs/spec/acts.md);
// whoever runs script at this address could sign another, so the page shows the act in full before.
import * as keys from "/sealing/keys.js";
import { signAct } from "/sealing/ledger/acts.js";
import { text, toHex, utf8 } from "/sealing/primitives/bytes.js";
import * as jcs from "/sealing/primitives/jcs.js";
import { p256Signer } from "/sealing/primitives/signing.js";

const form = document.querySelector("form[data-sign]");
const panel = form.querySelector("[data-key-panel]");
const state = panel.querySelector("[data-key-state]");
const button = panel.querySelector("[data-sign-now]");
const { organisation, by } = form.dataset;

panel.hidden = false;
try {
  const identity = await keys.identity(organisation);
  state.textContent = panel.dataset.found.replace("%s", toHex(identity.spki).slice(-12));
  button.hidden = false;
  button.addEventListener("click", () => sign(identity));
} catch (error) {
  panel.querySelector("[data-no-key]").hidden = false;
  form.querySelector("[data-by-hand]").open = true;
}

async function sign({ key, certificate }) {
  button.disabled = true;
  try {
    const act = jcs.parse(utf8(form.elements.act.value));
    const signed = await signAct(act, { certificate, sign: p256Signer(key), by });
    form.elements.signed.value = text(jcs.dumps(signed));
    form.submit();
  } catch (error) {
    state.textContent = panel.dataset.failed.replace("%s", error.code ?? error.message);
    state.setAttribute("role", "alert");
    button.disabled = false;
  }
}
