// Saving a score sheet while one types (docs/architecture.md, experts). Comfort only: the form's own button does the
// same without this script. A mark is saved half a second after the last key; the page says when, by the hall's clock.

const form = document.querySelector("form[data-sheet]");
const said = document.querySelector("[data-saved]");
let waiting = null;
let running = Promise.resolve();
let busy = 0;

function marks() {
  const found = [];
  for (const input of form.querySelectorAll("input[data-item]")) {
    const text = input.value.trim();
    const most = Number(input.dataset.max);
    const step = Number(input.dataset.step);
    const value = Number(text);
    const steps = value / step;
    const fits = text === "" || (/^\d+(\.\d{1,2})?$/.test(text) && value <= most && Math.abs(steps - Math.round(steps)) < 1e-9);
    if (fits) input.removeAttribute("aria-invalid");
    else input.setAttribute("aria-invalid", "true");
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
  const at = new Date(told.result.at).toLocaleTimeString(document.documentElement.lang, { timeZone: "Asia/Shanghai" });
  const wrong = form.querySelectorAll('input[aria-invalid="true"]').length;
  const word = wrong ? form.dataset.wrongWord : form.dataset.savedWord;
  said.textContent = word.replace("{at}", at).replace("{missing}", told.result.missing).replace("{wrong}", wrong);
  said.dataset.state = wrong ? "bad" : "good";
}

function later() {
  clearTimeout(waiting);
  waiting = setTimeout(() => {
    busy += 1;
    running = running.then(save).catch(() => {
      said.textContent = form.dataset.lostWord;
      said.dataset.state = "bad";
    }).finally(() => { busy -= 1; });
  }, 500);
}

if (form) {
  form.addEventListener("input", later);
  // The button waits for a save that is under way, so that both do not write the same sheet at once.
  form.addEventListener("submit", (event) => {
    clearTimeout(waiting);
    if (busy === 0) return;
    event.preventDefault();
    running.then(() => form.submit());
  });
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

// What is wrong is listed above; its link leads into the field.
for (const link of document.querySelectorAll('.defects a[href^="#"]')) {
  link.addEventListener("click", (event) => {
    const field = document.getElementById(link.hash.slice(1));
    if (!field) return;
    event.preventDefault();
    field.focus();
    field.select();
  });
}
