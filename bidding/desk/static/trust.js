// Whom the person trusts: trust.json from their own disk, checked against the tender before anything is typed.
// It is remembered in this browser; the hall's own copy is taken only where the page offers it, in a rehearsal.
import { Unreachable } from "/sealing/seal.js";
import { told, word, wrong } from "./telling.js";

const REMEMBERED = "tradehall trust.json";

/** Waits for a trust file that proves the tender; gives what Session.check told. `checked` hears it, again after a change. */
export function trustOf(session, checked) {
  const panel = document.querySelector("[data-trust]");
  const part = (name) => panel.querySelector(`[data-${name}]`);
  const file = panel.querySelector("input[type=file]");
  file.addEventListener("change", () => file.files[0] && attempt(() => file.files[0].text()));
  part("own-copy")?.addEventListener("click", () => attempt(async () => (await fetch("/trust.json")).text()));
  part("again").addEventListener("click", () => {
    part("told").hidden = true;
    part("ask").hidden = false;
    file.value = "";
    checked(null);
  });
  const remembered = localStorage.getItem(REMEMBERED);
  // A file may have been chosen before this ran: by a quick hand, or by a browser that goes back.
  if (file.files[0]) file.dispatchEvent(new Event("change"));
  else if (remembered) attempt(() => remembered);

  async function attempt(read) {
    part("busy").hidden = false;
    await wrong(part("wrong"), null);
    try {
      const text = await read();
      const proved = await session.check(new TextEncoder().encode(text));
      localStorage.setItem(REMEMBERED, text);
      show(proved);
      await checked(proved);
    } catch (error) {
      // Nothing may be typed under anchors that did not prove this tender; a line that is cut says nothing of them.
      const cut = error instanceof Unreachable;
      if (!cut) localStorage.removeItem(REMEMBERED);
      part("told").hidden = true;
      part("ask").hidden = false;
      await checked(null);
      await wrong(part("wrong"), cut ? error : word("not_proved", { why: await told(error) }));
    } finally {
      part("busy").hidden = true;
    }
  }

  function show({ fingerprint, hall, seated, checkpoint }) {
    part("fingerprint").textContent = fingerprint.replace(/(.{4})(?=.)/g, "$1 ");
    part("hall").textContent = hall;
    part("tree").textContent = word("tree", { size: checkpoint.size, index: session.tender.index });
    part("seated").replaceChildren(...seated.map(lock));
    part("ask").hidden = true;
    part("told").hidden = false;
  }

  function lock(places, number) {
    const section = document.createElement("section");
    const title = Object.assign(document.createElement("h3"), { textContent: word(`lock.${number}`) });
    const list = document.createElement("ul");
    for (const { name, seat } of places) {
      const line = document.createElement("li");
      const who = Object.assign(document.createElement("span"), { lang: "zh", textContent: name });
      line.append(who, ` (${word(`seat.${seat}`)})`);
      list.append(line);
    }
    section.append(title, list);
    return section;
  }
}

