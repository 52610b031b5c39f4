// Answering a trustee's complaint: the recovery file is read here, what leaves is sealed to the opening keys alone.
import { Session, supported } from "/sealing/seal.js";
import { disclose, proveComplaints } from "/sealing/disclosing.js";
import { utf8 } from "/sealing/primitives/bytes.js";
import { system } from "/sealing/primitives/entropy.js";
import { cannot, keyOf } from "./keyring.js";
import { word, wrong } from "./telling.js";
import { trustOf } from "./trust.js";

const page = document.querySelector("[data-disclose]");
const { lot, organisation, csrf, keys: signers, evidence } = page.dataset;
const part = (name) => page.querySelector(`[data-${name}]`);
const session = new Session(lot, { hall: { headers: { "x-csrf-token": csrf } } });
let identity = null;

const { ok, missing } = await supported();
if (ok) {
  document.querySelector("[data-cannot]").open = false;
  page.hidden = false;
  trustOf(session, async (told) => {
    part("key").hidden = true;
    if (!told) return;
    identity = await keyOf(part("key"), organisation, signers.split(" "));
    part("go").hidden = identity === null;
    document.querySelector("[data-cannot]").open = identity === null;
  });
  part("go").addEventListener("submit", (event) => {
    event.preventDefault();
    act();
  });
} else {
  cannot(document.querySelector("[data-cannot]"), missing);
}

async function act() {
  const problem = part("wrong-disclose");
  const [file] = page.querySelector("#d-file").files;
  const passphrase = page.querySelector("#d-pass").value;
  if (!file || !passphrase) return wrong(problem, word("file_first"));
  await wrong(problem, null);
  part("now").disabled = true;
  part("working").hidden = false;
  try {
    const told = await session.hall.get(evidence);
    const proof = await proveComplaints(session, { freeze: utf8(told.freeze), ready: told.ready.map(utf8) });
    const kept = await session.recover(new Uint8Array(await file.arrayBuffer()), passphrase);
    const done = await disclose(session, { kept, proof, identity, entropy: system });
    page.querySelector("#d-pass").value = "";
    part("done-told").textContent = word("disclosed", { n: done.headers.length });
    part("go").hidden = true;
    part("done").hidden = false;
  } catch (error) {
    await wrong(problem, error);
  } finally {
    part("now").disabled = false;
    part("working").hidden = true;
  }
}
