// The opening hall, live: parts of the page as they change, and a countdown on the hall's own clock.
// Without this script the page shows the same and refreshes by itself. What arrives was made by the server for the page.

const live = document.querySelector("[data-live]");
const state = document.querySelector("[data-live-state]");
const clock = document.querySelector("[data-clock]");
const rehearsed = document.querySelector(".rehearsal time");
const calm = matchMedia("(prefers-reduced-motion: reduce)");
const english = document.documentElement.lang === "en";
let ahead = Date.parse(live.dataset.now) - Date.now();

const two = (number) => String(number).padStart(2, "0");

function left(milliseconds) {
  const seconds = Math.max(0, Math.ceil(milliseconds / 1000));
  const days = Math.floor(seconds / 86400);
  const rest = `${two(Math.floor(seconds / 3600) % 24)}:${two(Math.floor(seconds / 60) % 60)}:${two(seconds % 60)}`;
  if (days === 0) return rest;
  return english ? `${days} d ${rest}` : `${days} 天 ${rest}`;
}

function tick() {
  const now = Date.now() + ahead;
  for (const one of document.querySelectorAll("[data-until]")) {
    const until = Date.parse(one.dataset.until);
    const text = until > now ? left(until - now) : one.dataset.over;
    if (one.textContent !== text) one.textContent = text;
  }
  // Asia/Shanghai has no summer time: eight hours ahead of UTC.
  const china = new Date(now + 8 * 3600 * 1000);
  const text = `${two(china.getUTCHours())}:${two(china.getUTCMinutes())}:${two(china.getUTCSeconds())}`;
  if (clock.textContent !== text) clock.textContent = text;
  if (rehearsed) rehearsed.textContent = `${day(china)} ${text}`;
}

// A day as the hall's pages write it (language.py, moment).
function day(china) {
  const [year, month, date] = [china.getUTCFullYear(), china.getUTCMonth() + 1, china.getUTCDate()];
  if (!english) return `${year}年${month}月${date}日(周${"日一二三四五六"[china.getUTCDay()]})`;
  return `${date} ${china.toLocaleString("en-US", { month: "short", timeZone: "UTC" })} ${year}`;
}

// What is new in a part comes in its turn: a bid a second, as it would be read out.
function show(name, html) {
  for (const place of document.querySelectorAll(`[data-part="${name}"]`)) {
    const known = new Set([...place.querySelectorAll("[data-id]")].map((one) => one.dataset.id));
    const fresh = document.createElement("template");
    fresh.innerHTML = html;
    if (name === "story") {
      for (const item of fresh.content.querySelectorAll("li")) {
        if (item.dataset.id && known.has(item.dataset.id)) item.remove();
      }
      place.querySelectorAll("li:not([data-id])").forEach((item) => item.remove());
      const list = place.querySelector("ol");
      if (list) list.append(...fresh.content.querySelectorAll("li"));
      else place.replaceChildren(fresh.content);
      continue;
    }
    if (!calm.matches) {
      const groups = new Map();
      for (const one of fresh.content.querySelectorAll("[data-id]")) {
        if (known.has(one.dataset.id)) continue;
        const turn = groups.get(one.parentNode) ?? 0;
        groups.set(one.parentNode, turn + 1);
        one.classList.add("fresh");
        one.style.setProperty("--turn", turn);
      }
    }
    place.replaceChildren(fresh.content);
  }
}

let source;
function listen() {
  state.textContent = live.dataset.waiting;
  source = new EventSource(live.dataset.live);
  source.addEventListener("open", () => { state.textContent = live.dataset.on; live.classList.remove("lost"); });
  source.addEventListener("error", () => {
    state.textContent = live.dataset.off;
    live.classList.add("lost");
    // A refused stream stays closed: look again later, as a page without scripts does.
    if (source.readyState === EventSource.CLOSED) setTimeout(listen, 15000);
  });
  source.addEventListener("clock", (event) => { ahead = Date.parse(JSON.parse(event.data).now) - Date.now(); tick(); });
  source.addEventListener("scene", (event) => {
    const told = JSON.parse(event.data);
    ahead = Date.parse(told.now) - Date.now();
    for (const [name, html] of Object.entries(told.parts)) show(name, html);
    tick();
  });
}

listen();
tick();
setInterval(tick, 250);
