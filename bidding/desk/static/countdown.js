// How long until the deadline, on the hall's clock: the page says when it was made, this counts on from there.
const shown = document.querySelector("[data-countdown]");
if (shown) {
  const { until, now, words, over } = shown.dataset;
  const began = performance.now();
  const tell = () => {
    const left = Date.parse(until) - Date.parse(now) - (performance.now() - began);
    const minutes = Math.floor(left / 60000);
    const facts = { d: Math.floor(minutes / 1440), h: Math.floor(minutes / 60) % 24, m: minutes % 60 };
    shown.textContent = left > 0 ? words.replace(/\{(\w)\}/g, (_, name) => facts[name]) : over;
  };
  shown.hidden = false;
  tell();
  setInterval(tell, 10000);
}
