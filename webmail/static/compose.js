// Writing: files go up at once with their progress, and what is typed is kept. The form works without.
"use strict";
(() => {
  const form = document.querySelector("form[data-compose]");
  if (!form) return;
  const words = form.dataset;
  const tell = (text) => document.dispatchEvent(new CustomEvent("annonce", { detail: text }));
  const state = document.getElementById("etat");
  const pieces = document.getElementById("pieces");
  let leaving = false;
  let uploading = null;
  let changed = false;
  let timer = 0;
  let last = 0;
  let saving = null;

  const size = (octets) => {
    const mega = octets >= 1e6;
    const value = (octets / (mega ? 1e6 : 1e3)).toLocaleString(document.documentElement.lang, { maximumFractionDigits: 1 });
    return `${value}\u202f${mega ? "M" : "k"}${document.documentElement.lang === "fr" ? "o" : "B"}`;
  };
  const draft = (number) => {
    const field = form.elements.namedItem("brouillon");
    if (field && number) field.value = number;
  };

  // -- what is typed is kept: four seconds after the last key, at most every fifteen
  const body = (verb) => {
    const sent = new FormData(form);
    sent.delete("fichiers");
    sent.set("faire", verb);
    return sent;
  };
  const save = async () => {
    timer = 0;
    if (!changed || leaving || uploading || saving) return;
    changed = false;
    last = Date.now();
    state.textContent = words.saving;
    saving = new AbortController();
    try {
      const answer = await fetch(form.action, { method: "POST", body: body("auto"), headers: { "HX-Request": "true" }, signal: saving.signal });
      if (!answer.ok) throw new Error(answer.status);
      state.innerHTML = await answer.text();
      draft(state.querySelector("[data-draft]")?.dataset.draft);
    } catch {
      if (!leaving) {
        changed = true;
        state.textContent = words.unsaved;
        later();
      }
    } finally {
      saving = null;
      if (changed) later();
    }
  };
  const later = () => {
    if (leaving) return;
    clearTimeout(timer);
    timer = setTimeout(save, Math.max(4000, last + 15000 - Date.now()));
  };
  form.addEventListener("input", (event) => {
    if (event.target.type === "file") return;
    changed = true;
    later();
  });

  // -- files: what does not fit is told before it is sent
  const choose = () => {
    const input = form.elements.namedItem("fichiers");
    const left = Number(pieces.querySelector("[data-left]").dataset.left);
    const total = [...input.files].reduce((sum, file) => sum + file.size, 0);
    if (!total) return;
    if (total > left) {
      progress(`${words.large} ${size(total)}. ${words.left} ${size(left)}.`, null);
      input.value = "";
      return;
    }
    upload(input);
  };
  const progress = (text, value) => {
    const place = pieces.querySelector(".upload");
    const bar = place.querySelector("progress");
    place.hidden = false;
    bar.hidden = value === null;
    if (value !== null) bar.value = value;
    place.querySelector("[data-progress]").textContent = text;
    if (value === null) tell(text);
  };
  const upload = (input) => {
    const sent = new FormData(form);
    sent.set("faire", "joindre");
    uploading = new XMLHttpRequest();
    uploading.open("POST", form.action);
    uploading.setRequestHeader("HX-Request", "true");
    uploading.upload.addEventListener("progress", (event) => {
      if (event.lengthComputable) progress(words.sending, Math.round((100 * event.loaded) / event.total));
    });
    uploading.addEventListener("load", () => {
      const request = uploading;
      uploading = null;
      if (request.status !== 200 && request.status !== 422) return failed(input);
      pieces.innerHTML = request.responseText;
      tell(pieces.querySelector(".notice")?.textContent.trim() || words.done);
      form.elements.namedItem("fichiers").focus();
      if (changed) later();
    });
    uploading.addEventListener("error", () => failed(input));
    uploading.addEventListener("abort", () => { uploading = null; });
    progress(words.sending, 0);
    tell(words.sending);
    uploading.send(sent);
  };
  const failed = (input) => {
    uploading = null;
    input.value = "";
    progress(words.failed, null);
    if (changed) later();
  };
  pieces.addEventListener("change", (event) => {
    if (event.target.type === "file") choose();
  });

  // -- leaving: nothing is kept after the letter has left; a file on its way is waited for
  form.addEventListener("submit", (event) => {
    if (uploading) {
      event.preventDefault();
      event.stopImmediatePropagation();
      tell(words.sending);
      return;
    }
    leaving = true;
    clearTimeout(timer);
    saving?.abort();
  }, true);
  addEventListener("pageshow", () => { leaving = false; });
})();
