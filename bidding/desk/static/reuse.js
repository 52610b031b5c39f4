// Papers and leaders from the bidder's own cabinet, offered where a bid is prepared. Choosing one fills the page's own
// fields, as if the person had chosen the file or typed the name: nothing is told to the hall.
import * as cabinet from "./cabinet.js";
import { word } from "./telling.js";

/** Offers what is kept beside every field that can take it; `deadline` (ISO) is the day on which papers must be valid. */
export async function offer(form, organisation, deadline) {
  const { papers, leaders } = await cabinet.all(organisation);
  const day = new Date(deadline).toLocaleDateString("sv-SE", { timeZone: "Asia/Shanghai" });
  if (papers.length) {
    for (const input of form.querySelectorAll("input[type=file]")) choice(input, papers, day, input.multiple ? add : put);
  }
  if (leaders.length) {
    choice(form.querySelector("#b-leader"), leaders, day, (input, { name, certificate }) => {
      input.value = name;
      form.querySelector("#b-certificate").value = certificate;
    });
  }
}

function choice(input, things, day, take) {
  const label = made(input, "label", { textContent: word("reuse.label"), htmlFor: `${input.id}-kept`, className: "small" });
  // Read aloud with the field that it fills, so that two of them are told apart.
  label.append(made(input, "span", { className: "visually-hidden", textContent: ` ${input.labels[0].textContent}` }));
  const select = made(input, "select", { id: `${input.id}-kept` });
  select.append(new Option(word("reuse.choose"), ""));
  for (const thing of things) {
    const over = cabinet.standing(thing.until, day) === "over";
    const name = thing.title ? `${thing.title} (${thing.name})` : `${thing.name} ${thing.certificate}`;
    const option = new Option(name + (over ? word("reuse.over", { day: thing.until }) : ""), thing.id);
    option.lang = "zh";
    select.append(option);
  }
  select.addEventListener("change", () => {
    const chosen = things.find((each) => each.id === select.value);
    if (!chosen) return;
    take(input, chosen);
    input.dispatchEvent(new Event("change", { bubbles: true }));
    input.dispatchEvent(new Event("input", { bubbles: true }));
  });
  input.closest(".field").append(label, select);
}

const made = (beside, tag, fields) => Object.assign(beside.ownerDocument.createElement(tag), fields);

function put(input, paper) {
  const files = new DataTransfer();
  files.items.add(fileOf(paper));
  input.files = files.files;
}

function add(input, paper) {
  const files = new DataTransfer();
  for (const file of input.files) files.items.add(file);
  files.items.add(fileOf(paper));
  input.files = files.files;
}

const fileOf = (paper) => new File([paper.file], paper.name, { type: paper.file.type });
