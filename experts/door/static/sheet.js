// Saving a score sheet while one types (docs/architecture.md, experts). Comfort only: the form's own button does the
// same without this script. A mark is saved half a second after the last key; the page says when, by the hall's clock.

const form = document.querySelector("form[data-sheet]");
const said = document.querySelector("[data-saved]");
let waiting = null;
let running = Promise.resolve();

function marks() {
  const found = [];
  for (const input of form.querySelectorAll("input[data-item]")) {
    const text = input.value.trim();
    const most = Number(input.dataset.max);
    const step = Number(input.dataset.step);
    const value = Number(text);
    const steps = value / step;
    const fits = text === "" || (/^\d+(\.\d{1,2})?$/.test(text) && value <= most && Math.abs(steps - Math.round(steps)) < 1e-9);
    input.toggleAttribute("aria-invalid", !fits);
    if (!fits) input.setAttribute("aria-invalid", "true");
    if (fits) found.push({ bid: form.dataset.bid, item: input.dataset.item, points: text === "" ? null : value.toFixed(2) });
  }
  return found;
}

async function save() {
  const revision = form.elements.revision;
  const answer = await fetch("/api/v1/experts/save_sheet", {
    method: "POST",
    headers: { "content-type": "application/json", "x-csrf-token": form.elements.csrf.value },
    body: JSON.stringify({ lot: form.dataset.lot, revision: Number(revision.value), marks: marks() }),
  });
  const told = await answer.json();
  if (!answer.ok) {
    said.textContent = told.message ? told.message[document.documentElement.lang === "en" ? "en" : "zh"] : "";
    said.dataset.state = "bad";
    return;
  }
  revision.value = told.result.revision;
  const at = new Date().toLocaleTimeString(document.documentElement.lang, { timeZone: "Asia/Shanghai" });
  said.textContent = form.dataset.savedWord.replace("{at}", at).replace("{missing}", told.result.missing);
  said.dataset.state = "good";
}

function later() {
  clearTimeout(waiting);
  waiting = setTimeout(() => {
    running = running.then(save).catch(() => {
      said.textContent = form.dataset.lostWord;
      said.dataset.state = "bad";
    });
  }, 500);
}

if (form) {
  form.addEventListener("input", later);
  // Enter goes to the next mark; on the last one it saves and goes on to the next bid.
  form.addEventListener("keydown", (event) => {
    if (event.key !== "Enter" || !event.target.matches("input[data-item]")) return;
    const inputs = [...form.querySelectorAll("input[data-item]")];
    const next = inputs[inputs.indexOf(event.target) + 1];
    if (!next) return;
    event.preventDefault();
    next.focus();
    next.select();
  });
}
