// Keeps what pages are made with, and the page that is shown offline. Never a page of somebody, nor a message,
// nor a document: what the network answers is handed on, and nothing of it is put anywhere.
(() => {
  "use strict";
  const { version, shell, offline } = self.KEPT;
  const asked = (path) => new Request(path, { credentials: "omit", cache: "reload" });
  self.addEventListener("install", (event) => {
    event.waitUntil(caches.open(version).then((cache) => cache.addAll([...shell, offline].map(asked))).then(() => self.skipWaiting()));
  });
  self.addEventListener("activate", (event) => {
    const old = caches.keys().then((names) => Promise.all(names.filter((one) => one !== version).map((one) => caches.delete(one))));
    event.waitUntil(old.then(() => self.clients.claim()));
  });
  self.addEventListener("fetch", (event) => {
    const { request } = event;
    const where = new URL(request.url);
    if (request.method !== "GET" || where.origin !== self.location.origin) return;
    if (shell.includes(where.pathname + where.search)) {
      event.respondWith(caches.match(request.url).then((kept) => kept || fetch(request)));
    } else if (request.mode === "navigate") {
      event.respondWith(fetch(request).catch(() => caches.match(offline)));
    }
  });
})();
