// New mail, told as it comes: the list and the mark beside "Messages" are asked for again.
"use strict";
(() => {
  const page = document;
  if (!window.EventSource) return;
  let source = null, waiting = false;
  const list = () => page.querySelector("[data-live]");
  // A list in which somebody ticks, types or moves with the keys is not taken from under his hands.
  const busy = () => {
    const here = list();
    return !here || here.contains(page.activeElement) || here.querySelector("input:checked");
  };
  const renew = () => {
    const here = list();
    if (!here || !window.htmx) return;
    waiting = false;
    htmx.ajax("GET", here.dataset.live, { target: here, swap: "outerHTML" });
  };
  const arrived = () => {
    htmx.ajax("GET", "/messages/non-lus", { target: "#non-lus", swap: "outerHTML" });
    if (!list()) return;
    if (busy()) waiting = true; else renew();
  };
  page.addEventListener("focusout", () => { if (waiting) setTimeout(() => { if (!busy()) renew(); }, 200); });
  const listen = () => {
    if (source || page.hidden) return;
    source = new EventSource("/vivant");
    source.addEventListener("courrier", arrived);
  };
  const rest = () => { source?.close(); source = null; };
  page.addEventListener("visibilitychange", () => { if (page.hidden) rest(); else { listen(); arrived(); } });
  window.addEventListener("pagehide", rest);
  window.addEventListener("pageshow", listen);
  listen();
})();
