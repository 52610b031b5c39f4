// A signing key made in this browser: P-256, not extractable, kept in IndexedDB; its request goes to the hall, its
// certificate comes back. In a real hall a licensed authority issues it: the request is saved, the certificate brought.
// Whoever runs script at this address can sign with the key while the page is open; nobody can carry it away.
import * as keys from "/sealing/keys.js";
import { loadTrust } from "/sealing/ledger/trust.js";
import { fromFile } from "/sealing/ledger/certificates.js";
import { fromBase64, toBase64, toHex } from "/sealing/primitives/bytes.js";

const panel = document.querySelector("[data-keys]");
const { organisation: uscc, name, csrf, now, issues } = panel.dataset;
const listed = new Map([...document.querySelectorAll("[data-spki]")].map((row) => [row.dataset.spki, row]));
const state = panel.querySelector("[data-state]");
const part = (which) => panel.querySelector(`[data-part=${which}]`);

panel.hidden = false;
part("make").querySelector("button").addEventListener("click", () => attempt(make));
part("request").querySelector("button").addEventListener("click", () => attempt(saveRequest));
part("certificate").querySelector("button").addEventListener("click", () => attempt(bring));
await look();

async function look() {
  const identity = await keys.identity(uscc).catch(() => null);
  const row = identity && listed.get(toHex(identity.spki));
  const living = row && !row.hasAttribute("data-ended");
  if (living) {
    row.querySelector("[data-here]").hidden = false;
    say(panel.dataset.here);
    return;
  }
  // A key that the hall ended, or does not know, is no use: a new one takes its place.
  if (identity && row) await keys.forget(uscc);
  part("make").hidden = issues !== "yes";
  part("request").hidden = part("certificate").hidden = issues === "yes";
}

async function make() {
  const { request } = await keys.enrol({ name, uscc });
  await register(request, null);
}

async function saveRequest() {
  const { request } = await keys.enrol({ name, uscc });
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([request], { type: "application/pkcs10" }));
  link.download = `${uscc}.p10`;
  link.click();
}

async function bring() {
  const [file] = part("certificate").querySelector("input").files;
  if (!file) return;
  const { request } = await keys.enrol({ name, uscc });
  await register(request, fromFile(new Uint8Array(await file.arrayBuffer())));
}

async function register(request, certificate) {
  const label = part("make").querySelector("input").value.trim() || panel.dataset.label;
  const body = { request: toBase64(request), label };
  if (certificate) body.certificate = toBase64(certificate);
  const answer = await fetch("/api/v1/trading/add_certificate", {
    method: "POST", body: JSON.stringify(body), headers: { "content-type": "application/json", "x-csrf-token": csrf },
  });
  const told = await answer.json();
  if (!answer.ok) throw Object.assign(new Error(told.code), { told: told.message });
  const trust = await loadTrust(new Uint8Array(await (await fetch("/trust.json")).arrayBuffer()));
  await keys.importCertificate(uscc, fromBase64(told.result.certificate), { trust, at: now });
  location.reload();
}

async function attempt(act) {
  for (const button of panel.querySelectorAll("button")) button.disabled = true;
  try {
    await act();
  } catch (error) {
    state.setAttribute("role", "alert");
    say(error.told?.[document.documentElement.lang.slice(0, 2)] ?? panel.dataset.failed.replace("%s", error.code ?? error.message));
  } finally {
    for (const button of panel.querySelectorAll("button")) button.disabled = false;
  }
}

function say(words) {
  state.textContent = words;
}
