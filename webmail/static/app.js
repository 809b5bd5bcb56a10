// What pages do better with a script; each page works without. No data is kept here.
"use strict";
(() => {
  const page = document;
  page.documentElement.classList.add("scripted");

  // htmx notes the address of each page it is on; addresses are nobody's business once the page is left
  const forget = () => {
    try { sessionStorage.removeItem("htmx-current-path-for-history"); } catch { /* no storage: nothing is there */ }
  };
  forget();
  for (const name of ["htmx:pushedIntoHistory", "htmx:replacedInHistory", "htmx:historyRestore"]) {
    page.addEventListener(name, forget);
  }

  // -- telling: what changes without a new page is said to who does not see it
  const say = (text) => {
    const place = page.getElementById("annonces");
    if (!place || !text) return;
    place.textContent = "";
    setTimeout(() => { place.textContent = text; }, 60);
  };
  page.addEventListener("annonce", (event) => say(event.detail));
  page.addEventListener("htmx:afterSwap", (event) => {
    const told = event.target.querySelector?.("[data-announce]");
    say(told?.dataset.announce);
  });
  for (const name of ["htmx:responseError", "htmx:sendError", "htmx:timeout"]) {
    page.addEventListener(name, () => {
      const failed = page.getElementById("echec");
      if (failed) failed.hidden = false;
    });
  }

  // -- asking before what cannot be undone: <form data-confirm="…">
  const ask = page.getElementById("demande");
  let answered = null;
  page.addEventListener("submit", (event) => {
    const form = event.target, submitter = event.submitter;
    const text = submitter?.dataset.confirm || form.dataset.confirm;
    if (!text || !ask?.showModal || answered === form) return;
    event.preventDefault();
    event.stopImmediatePropagation();
    ask.querySelector("p").textContent = text;
    ask.querySelector("[data-yes]").onclick = () => {
      ask.close();
      answered = form;
      form.requestSubmit(submitter);
      answered = null;
    };
    ask.querySelector("[data-no]").onclick = () => ask.close();
    ask.showModal();
    ask.querySelector("[data-no]").focus();
  }, true);

  // -- a form is sent once, however often its button is pressed
  const released = (form) => {
    form.classList.remove("sending");
    form.removeAttribute("aria-busy");
  };
  page.addEventListener("submit", (event) => {
    const form = event.target;
    if (form.classList.contains("sending")) {
      event.preventDefault();
      event.stopImmediatePropagation();
    }
  }, true);
  page.addEventListener("submit", (event) => {
    const form = event.target;
    if (event.defaultPrevented || form.method !== "post") return;
    form.classList.add("sending");
    form.setAttribute("aria-busy", "true");
    setTimeout(released, 8000, form); // an answer may be a file, after which the page stays
  });
  addEventListener("pageshow", () => page.querySelectorAll("form.sending").forEach(released));

  // -- small comforts
  page.addEventListener("click", (event) => {
    for (const open of page.querySelectorAll("details.more[open]")) {
      if (!open.contains(event.target)) open.open = false;
    }
  });
  page.addEventListener("keydown", (event) => {
    if (event.key !== "Escape") return;
    for (const open of page.querySelectorAll("details.more[open]")) {
      open.open = false;
      open.querySelector("summary").focus();
    }
  });
  page.addEventListener("DOMContentLoaded", () => {
    say(page.querySelector(".said")?.textContent.trim());
    page.querySelector("[aria-invalid='true']")?.focus();
  });
  if ("serviceWorker" in navigator) navigator.serviceWorker.register("/service.js").catch(() => {});
})();
