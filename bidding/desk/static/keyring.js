// The organisation's signing key in this browser, if the hall still takes it.
import { keys } from "/sealing/seal.js";
import { toHex } from "/sealing/primitives/bytes.js";
import { word } from "./telling.js";

/** The identity, or null; the panel says which. `living` are the public keys (hex) with which the hall lets it sign. */
export async function keyOf(panel, organisation, living) {
  panel.hidden = false;
  let identity = null;
  try {
    identity = await keys.identity(organisation);
  } catch (error) {
    if (!error.code) throw error;
  }
  const spki = identity && toHex(identity.spki);
  if (identity && !living.includes(spki)) identity = null;
  panel.querySelector("[data-key-told]").textContent = identity ? word("key_found", { end: spki.slice(-12) }) : word("key_none");
  panel.querySelector("[data-key-make]").hidden = identity !== null;
  return identity;
}

/** Says why this browser cannot seal here; the page's own words stay where no script ran. */
export function cannot(panel, missing) {
  const list = document.createElement("ul");
  list.append(...missing.map((name) => Object.assign(document.createElement("li"), { textContent: word(`missing.${name}`) })));
  const intro = Object.assign(document.createElement("p"), { textContent: word("missing_intro") });
  panel.querySelector("[data-missing]").replaceChildren(intro, list);
}
