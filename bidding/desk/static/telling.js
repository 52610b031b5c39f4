// The words of a page for its scripts: sentences that the page carries, and those for what is refused, by code.
import { Refused, Unreachable } from "/sealing/seal.js";

const kept = new Map([...document.querySelectorAll("[data-word]")].map((each) => [each.dataset.word, each.textContent]));
const lang = document.documentElement.lang.slice(0, 2);
let sentences = null;

/** A sentence of the page with {facts} filled in. */
export function word(name, facts = {}) {
  return filled(kept.get(name) ?? name, facts);
}

/** What went wrong, as a person reads it. */
export async function told(error) {
  if (error instanceof Unreachable) return word("unreachable");
  if (!(error instanceof Refused)) return word("failed", { why: error?.message ?? error });
  const own = error.facts.message?.[lang];
  if (own) return own;
  try {
    sentences ??= await (await fetch(document.querySelector("[data-words]").dataset.sentences)).json();
  } catch {
    return word("failed", { why: error.code });
  }
  const sentence = sentences[error.code];
  return sentence ? filled(sentence, error.facts) : word("failed", { why: error.code });
}

/** Shows what went wrong in an element that waits for it; hides it for null. */
export async function wrong(element, error) {
  element.hidden = error === null;
  if (error !== null) element.textContent = typeof error === "string" ? error : await told(error);
}

/** An instant as the page's language writes it, in Asia/Shanghai. */
export function moment(text) {
  const how = { timeZone: "Asia/Shanghai", dateStyle: "medium", timeStyle: "medium" };
  return new Date(text).toLocaleString(lang === "zh" ? "zh-CN" : "en-GB", how);
}

/** A link that saves bytes as a file. */
export function saves(link, data, name, type = "application/octet-stream") {
  if (link.href.startsWith("blob:")) URL.revokeObjectURL(link.href);
  link.href = URL.createObjectURL(data instanceof Blob ? data : new Blob([data], { type }));
  link.download = name;
}

function filled(sentence, facts) {
  return sentence.replace(/\{(\w+)\}/g, (whole, name) => (name in facts ? String(facts[name]) : whole));
}
