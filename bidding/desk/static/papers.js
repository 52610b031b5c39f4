// The page of the bidder's own papers: shown, added, removed, saved as a file and loaded again. All of it in this browser.
import * as cabinet from "./cabinet.js";
import { saves, word, wrong } from "./telling.js";

const page = document.querySelector("[data-cabinet]");
const { organisation, today } = page.dataset;
const part = (name) => page.querySelector(`[data-${name}]`);
const field = (name) => page.querySelector(`#c-${name}`);

document.querySelector("[data-without]").hidden = true;
page.hidden = false;
part("add-paper").addEventListener("submit", (event) => attempt(event, part("paper-wrong"), addPaper));
part("add-leader").addEventListener("submit", (event) => attempt(event, part("leader-wrong"), addLeader));
part("save").addEventListener("click", save);
field("load").addEventListener("change", (event) => attempt(event, part("load-wrong"), load));
await show();
// A file may have been chosen before this ran: by a quick hand, or by a browser that goes back.
if (field("load").files[0]) field("load").dispatchEvent(new Event("change"));

async function show() {
  const { papers, leaders } = await cabinet.all(organisation);
  part("papers").replaceChildren(...papers.map((each) => row("paper-row", each, {
    kind: word(`kind.${each.kind}`), title: each.title, number: each.number || "—", file: `${each.name} · ${size(each.size)}`,
  })));
  part("leaders").replaceChildren(...leaders.map((each) => row("leader-row", each, { title: each.name, number: each.certificate })));
  for (const [name, list] of [["papers", papers], ["leaders", leaders]]) {
    part(`no-${name}`).hidden = list.length > 0;
    part(`${name}-table`).hidden = list.length === 0;
  }
  part("save").disabled = !papers.length && !leaders.length;
}

function row(template, thing, cells) {
  const line = part(template).content.firstElementChild.cloneNode(true);
  for (const [name, words] of Object.entries(cells)) line.querySelector(`[data-cell=${name}]`).textContent = words;
  const state = cabinet.standing(thing.until, today);
  const until = line.querySelector("[data-cell=until]");
  until.textContent = thing.until || word("until.none");
  if (state === "over" || state === "soon") {
    const badge = Object.assign(document.createElement("span"), { className: `state ${state === "over" ? "bad" : "warn"}`, textContent: word(`until.${state}`) });
    until.append(" ", badge);
  }
  const button = line.querySelector("button");
  button.setAttribute("aria-label", `${button.textContent} ${thing.title ?? thing.name}`);
  button.addEventListener("click", async () => {
    if (!confirm(word("sure", { name: thing.title ?? thing.name }))) return;
    await cabinet.remove(thing.id);
    await show();
  });
  return line;
}

async function addPaper(form) {
  await cabinet.addPaper(organisation, {
    kind: field("kind").value, title: field("title").value, number: field("number").value, until: field("until").value,
    file: field("file").files[0],
  });
  form.reset();
  return word("kept");
}

async function addLeader(form) {
  const given = { name: field("leader").value, certificate: field("certificate").value, until: field("leader-until").value };
  await cabinet.addLeader(organisation, given);
  form.reset();
  return word("kept");
}

async function load() {
  const [file] = field("load").files;
  if (!file) return null;
  const came = await cabinet.imported(organisation, file);
  field("load").value = "";
  return word("loaded", { n: came });
}

async function save() {
  saves(part("saved-file"), await cabinet.exported(organisation), `${organisation}.cabinet`);
  part("saved-file").click();
}

async function attempt(event, problem, act) {
  event.preventDefault();
  part("said").hidden = true;
  await wrong(problem, null);
  try {
    const told = await act(event.target);
    if (told === null) return;
    part("said").textContent = told;
    part("said").hidden = false;
    await show();
  } catch (error) {
    await wrong(problem, error);
  }
}

function size(bytes) {
  if (bytes < 1024) return `${bytes} B`;
  return bytes < 1048576 ? `${Math.round(bytes / 1024)} KB` : `${(bytes / 1048576).toFixed(1)} MB`;
}
