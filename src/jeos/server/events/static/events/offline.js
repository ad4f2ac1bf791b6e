/* Lets the worker of an event keep its pages, and says when a page is shown without a network. */

"use strict";

(() => {
  const script = document.currentScript;
  if (!script || !("serviceWorker" in navigator)) return;
  const { event, reader, words } = script.dataset;

  const wanted = () => {
    const files = [
      ...[...document.querySelectorAll("link[rel='stylesheet'], link[rel='icon']")].map((link) => link.href),
      ...[...document.querySelectorAll("script[src]")].map((one) => one.src),
      ...[...document.querySelectorAll("svg use")].map((use) => use.getAttribute("href").split("#")[0]),
    ];
    const chosen = [...document.querySelectorAll(".star-button[aria-pressed='true']")].map((button) =>
      button.closest(".slot, .plan-line")?.querySelector("a")?.href,
    );
    const pages = [`${event}offline/`, `${event}schedule/`, ...(reader ? [`${event}agenda/`] : []), location.href];
    return [...new Set([...files, ...pages, ...chosen.filter(Boolean)])];
  };

  const say = (since) => {
    if (document.getElementById("offline-note")) return;
    const note = document.createElement("p");
    note.id = "offline-note";
    note.className = "notice warning";
    note.setAttribute("role", "status");
    const when = since ? new Date(since).toLocaleString(document.documentElement.lang) : "";
    note.textContent = when ? `${words} (${when})` : words;
    document.querySelector("main").prepend(note);
    for (const button of document.querySelectorAll(".star-button")) button.disabled = true;
  };

  navigator.serviceWorker.addEventListener("message", (message) => {
    if (message.data && message.data.kept) say(message.data.kept);
  });
  window.addEventListener("offline", () => say(0));

  navigator.serviceWorker
    .register(`${event}worker.js`, { scope: event })
    .then(() => navigator.serviceWorker.ready)
    .then((registration) => {
      registration.active.postMessage({ keep: wanted(), shown: location.href.split("#")[0] });
      document.body.addEventListener("htmx:afterRequest", (done) => {
        if (!done.detail.requestConfig.path.split("?")[0].endsWith("/star/")) return;
        registration.active.postMessage({ renew: [`${event}agenda/`, location.href], keep: wanted() });
      });
    })
    .catch(() => undefined); // a browser that keeps nothing shows everything all the same
})();
