// Passkeys: made on the account's page, used on the sign-in page. Comfort beside the password; where the browser has
// none, nothing shows. The hall checks origin, challenge and signature; what stands here decides nothing.
const panel = document.querySelector("[data-passkey]");
const state = panel?.querySelector("[data-passkey-state]");
const able = typeof PublicKeyCredential?.parseRequestOptionsFromJSON === "function";

if (panel && able && isSecureContext) {
  panel.hidden = false;
  panel.querySelector("button").addEventListener("click", panel.dataset.passkey === "make" ? make : use);
}

async function make() {
  await attempt(async () => {
    const { base, csrf } = panel.dataset;
    const headers = { "x-csrf-token": csrf };
    const options = PublicKeyCredential.parseCreationOptionsFromJSON(await ask(`${base}/options`, {}, headers));
    const credential = (await navigator.credentials.create({ publicKey: options })).toJSON();
    const name = panel.querySelector("input").value;
    await ask(`${base}/add`, { credential, name }, headers);
    location.reload();
  });
}

async function use() {
  await attempt(async () => {
    const options = PublicKeyCredential.parseRequestOptionsFromJSON(await ask("/account/passkey/options", {}));
    const credential = (await navigator.credentials.get({ publicKey: options })).toJSON();
    const { door, back } = panel.dataset;
    const { to } = await ask("/account/passkey", { credential, door, back });
    location.assign(panel.dataset.prefix + to);
  });
}

async function attempt(act) {
  state.textContent = "";
  try {
    await act();
  } catch (error) {
    state.setAttribute("role", "alert");
    state.textContent = error.told ?? panel.dataset.failed;
  }
}

async function ask(address, body, headers = {}) {
  const answer = await fetch(address, {
    method: "POST", body: JSON.stringify(body), headers: { "content-type": "application/json", ...headers },
  });
  const told = await answer.json();
  if (answer.ok) return told;
  const error = new Error(answer.status);
  error.told = told.message?.[document.documentElement.lang.slice(0, 2)];
  throw error;
}
