// A bid from the check to the receipt, in this browser: whom to trust, the opening list, files, sealing, handing in.
// Nothing that is typed leaves this device before it is sealed; what does leave is /sealing/upload.js's alone.
import { Refused, Session, keys, supported, words as capitals } from "/sealing/seal.js";
import { readBidFile } from "/sealing/envelope/bidfile.js";
import { fenOf, findings } from "./check.js";
import { cannot, keyOf } from "./keyring.js";
import { moment, saves, word, wrong } from "./telling.js";
import { offer } from "./reuse.js";
import { trustOf } from "./trust.js";

const WITNESS_TRIES = 40;
const WITNESS_PAUSE_MS = 1500;
const page = document.querySelector("[data-bid]");
const { lot, organisation, csrf, keys: living, receipts } = page.dataset;
const part = (name) => page.querySelector(`[data-${name}]`);
const field = (name) => page.querySelector(`#b-${name}`);
const form = part("prepare");
const session = new Session(lot, { hall: { headers: { "x-csrf-token": csrf } } });
let identity = null;
let busy = false;
let unsent = false;
// Kept in this tab alone, until the bid is sealed: a page that is loaded again has lost nothing but files and passphrase.
const DRAFT = `tradehall draft ${lot}`;
const TYPED = ["price", "period", "quality", "leader", "certificate"];

const { ok, missing } = await supported();
if (ok) begin();
else cannot(document.querySelector("[data-cannot]"), missing);

function begin() {
  document.querySelector("[data-cannot]").hidden = true;
  page.hidden = false;
  trustOf(session, ready);
  recallTyped();
  // Comfort only: where the browser keeps nothing, files are chosen by hand.
  offer(form, organisation, page.dataset.deadline).catch(() => {});
  form.addEventListener("input", keepTyped);
  form.addEventListener("input", look);
  form.addEventListener("change", look);
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    seal();
  });
  part("cancel").addEventListener("click", stop);
  part("submit").addEventListener("click", submit);
  part("resume-now").addEventListener("click", (event) => take({ version: Number(event.target.dataset.version) }));
  field("sealed-file").addEventListener("change", () => fromFile(field("sealed-file").files[0]));
  field("price").addEventListener("input", inWords);
  addEventListener("beforeunload", (event) => (busy || unsent) && event.preventDefault());
}

function keepTyped() {
  sessionStorage.setItem(DRAFT, JSON.stringify(Object.fromEntries(TYPED.map((name) => [name, field(name).value]))));
}

function recallTyped() {
  const kept = JSON.parse(sessionStorage.getItem(DRAFT) ?? "{}");
  for (const name of TYPED) field(name).value = kept[name] ?? field(name).value;
  inWords();
}

/** The tender is proved, or is not any more: only then may anything be typed. */
async function ready(told) {
  form.hidden = true;
  part("hand").hidden ||= told === null;
  part("key").hidden = part("resume").hidden = true;
  if (!told) return;
  identity = await keyOf(part("key"), organisation, living.split(" "));
  await offerResume();
  form.hidden = identity === null;
  look();
}

async function offerResume() {
  const waiting = (await keys.recallAll(lot)).filter((each) => ["sealed", "uploaded", "received"].includes(each.stage));
  const last = waiting.at(-1);
  part("resume").hidden = !last;
  if (!last) return;
  part("resume-told").textContent = word("resume", { v: last.version });
  part("resume-now").dataset.version = last.version;
}

function inWords() {
  const fen = fenOf(field("price").value);
  const yuan = fen === null ? "" : (fen / 100).toLocaleString("en-US", { minimumFractionDigits: 2 });
  part("figures").textContent = yuan;
  part("capitals").textContent = fen === null ? "" : capitals(fen);
}

function given() {
  const files = [...form.querySelectorAll("[data-file]")].map((each) => ({
    name: each.dataset.file, file: each.files[0], mandatory: "mandatory" in each.dataset, label: each.dataset.label,
  }));
  return {
    price: field("price").value, maxPrice: Number(field("price").dataset.max), period: field("period").value,
    maxPeriod: Number(field("period").dataset.max), quality: field("quality").value,
    wantedQuality: field("quality").dataset.wanted, leader: field("leader").value,
    certificate: field("certificate").value, files, more: [...field("more").files],
    limit: Number(part("files").dataset.limit), passphrase: field("pass").value, again: field("again").value, late: late(),
  };
}

/** By the hall's clock, as it stood when the page was made. */
function late() {
  const { deadline, now } = page.dataset;
  return Date.parse(now) + performance.now() >= Date.parse(deadline);
}

/** The checklist, as it stands. */
function look() {
  const found = findings(given());
  part("checks").replaceChildren(
    ...found.map(({ state, word: name, text, lang }) => {
      const line = Object.assign(document.createElement("li"), { className: state, textContent: word(name) });
      if (text) line.append(" ", Object.assign(document.createElement("span"), { lang, textContent: text }));
      return line;
    }),
  );
  return found.filter((each) => each.state === "bad").length;
}

async function seal() {
  const bad = look();
  if (bad) return wrong(part("seal-wrong"), word("seal.wrong", { n: bad }));
  await wrong(part("seal-wrong"), null);
  const { files, more, passphrase, ...typed } = given();
  setBusy(true);
  part("seal-progress").hidden = false;
  try {
    const sealed = await session.seal({
      identity, passphrase, version: await session.nextVersion(),
      opening: {
        price_fen: fenOf(typed.price), period_days: Number(typed.period), quality: typed.quality.trim(),
        leader: { name: typed.leader.trim(), certificate: typed.certificate.trim() },
      },
      files: [
        ...files.filter(({ file }) => file).map(({ file, name }) => ({ file, name, envelope: 1 })),
        ...more.map((file) => ({ file, envelope: 1 })),
      ],
      onProgress: ({ phase, done, total }) => {
        part("phase").textContent = word(`phase.${phase}`, { p: percent(done, total) });
        field("sealing").value = done / total;
      },
    });
    const name = `${lot}.v${sealed.version}`;
    saves(part("recovery"), sealed.recovery, `${name}.recovery`);
    saves(part("blob"), sealed.blob, `${name}.bid`);
    part("saving").hidden = false;
    sessionStorage.removeItem(DRAFT);
    atHand(word("sealed", { v: sealed.version, d: sealed.d.slice(0, 16) + "…" }));
  } catch (error) {
    if (error.name !== "AbortError") await wrong(part("seal-wrong"), error);
  } finally {
    part("seal-progress").hidden = true;
    setBusy(false);
  }
}

function stop() {
  session.cancel();
  // A worker that was ended never answers: the page begins again, with nothing left behind.
  busy = unsent = false;
  location.reload();
}

/** A bid that was sealed before, from this browser or from a file. */
async function take(what, problem = part("hand-wrong")) {
  try {
    const { version, d } = await session.reopen(what);
    part("saving").hidden = true;
    atHand(word("reopened", { v: version, d: d.slice(0, 16) + "…" }));
    await wrong(problem, null);
  } catch (error) {
    part("hand").hidden = false;
    await wrong(problem, error);
  }
}

async function fromFile(file) {
  if (!file) return;
  try {
    if (!session.tender) throw new Refused("tender_not_checked", { lot });
    await take({ version: (await readBidFile(file)).version, file }, part("file-wrong"));
  } catch (error) {
    await wrong(part("file-wrong"), error);
  }
}

function atHand(sentence) {
  form.hidden = part("resume").hidden = true;
  field("pass").value = field("again").value = "";
  field("saved").checked = false;
  unsent = true;
  part("hand").hidden = false;
  part("sealed").hidden = false;
  part("sealed").textContent = sentence;
  part("hand").scrollIntoView();
}

async function submit() {
  if (!field("saved").checked) return wrong(part("hand-wrong"), word("save_first"));
  await wrong(part("hand-wrong"), null);
  setBusy(true);
  part("upload-progress").hidden = false;
  try {
    const handed = await session.submit({
      recoverySaved: true, onStage: mark,
      onProgress: ({ done, total }) => {
        part("uploaded").textContent = word("uploading", { p: percent(done, total) });
        field("uploading").value = done / total;
      },
    });
    part("upload-progress").hidden = true;
    if (handed.stage === "received") return await wrong(part("hand-wrong"), word("not_sequenced"));
    unsent = false;
    part("submit").hidden = true;
    show(handed);
    if (handed.stage !== "witnessed") await witnessed();
  } catch (error) {
    part("submit").textContent = word("again");
    await wrong(part("hand-wrong"), error);
  } finally {
    setBusy(false);
  }
}

async function witnessed() {
  const line = page.querySelector("[data-stage=witnessed] [data-mark]");
  line.textContent = word("waiting");
  for (let tries = 0; tries < WITNESS_TRIES; tries++) {
    await new Promise((resolve) => setTimeout(resolve, WITNESS_PAUSE_MS));
    try {
      const newest = await session.newestReceipt(mark);
      if (newest.stage === "witnessed") return show(newest);
    } catch (error) {
      // The bid is submitted whatever becomes of this question; the tender's page shows the newest receipt later.
      if (error instanceof Refused) return;
    }
  }
}

function mark(stage) {
  const line = page.querySelector(`[data-stage=${stage}]`);
  line.classList.add("done");
  line.querySelector("[data-mark]").textContent = word("reached");
}

function show({ stage, event, receipt, proved }) {
  const at = moment(proved.event.public.at);
  part("done-told").textContent = word(`done.${stage}`, { n: proved.index, at });
  saves(part("receipt-file"), receipt, `${lot}.v${proved.event.public.version}.receipt`, "text/plain");
  part("receipt-page").href = receipts + "/" + encodeURIComponent(event);
  part("sealed").hidden = true;
  part("done").hidden = false;
}

function setBusy(now) {
  busy = now;
  for (const button of [part("seal"), part("submit")]) button.disabled = now;
}

const percent = (done, total) => Math.floor((100 * done) / Math.max(1, total));
