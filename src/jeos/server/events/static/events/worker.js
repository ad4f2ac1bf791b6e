/* Keeps the pages of one event for when there is no network: the schedule, the agenda, and what was looked at.

   The server names the reader of each page in the header "Page-Reader" ("visitor" for those who are not signed in). Pages are kept in one cache
   for each event and reader, and as soon as a page comes for another reader, all caches of the one before are deleted. */

"use strict";

const SCOPE = new URL(self.registration.scope).pathname; // as /events/appliance-days-2027/
const PAGES = "events ";
const FILES = "event-files";
const MOST_FILES = 40;
const MOST_PAGES = 80;
const FRESH = 300_000; // milliseconds for which a kept page is not fetched again by itself
const PATIENCE = 4_000; // milliseconds after which a kept page is shown though the network may still answer
const KEPT = /^(?:|offline\/|schedule\/|versions\/|agenda\/|speakers\/(?:[\w-]+\/)?|sessions\/(?:\d+\/[\w-]+\/)?)$/;

const shownKept = new Map(); // address of a page that was answered from what is kept: since when it is

self.addEventListener("install", (event) => event.waitUntil(self.skipWaiting()));
self.addEventListener("activate", (event) => event.waitUntil(self.clients.claim()));

self.addEventListener("fetch", (event) => {
  const url = new URL(event.request.url);
  if (event.request.method !== "GET" || url.origin !== self.location.origin) return;
  if (url.pathname.startsWith("/static/")) event.respondWith(file(event.request, event));
  else if (event.request.mode === "navigate" && isPage(url)) event.respondWith(page(event, url));
  else if (event.request.mode === "navigate" && url.pathname.startsWith(SCOPE)) event.respondWith(other(event.request));
});

self.addEventListener("message", (event) => {
  const asked = event.data || {};
  if (Array.isArray(asked.keep)) event.waitUntil(keepAll(asked.keep.slice(0, MOST_PAGES), FRESH));
  if (Array.isArray(asked.renew)) event.waitUntil(keepAll(asked.renew.slice(0, MOST_PAGES), 0));
  if (asked.shown && event.source) event.source.postMessage({ kept: shownKept.get(asked.shown) || null });
});

function isPage(url) {
  return url.origin === self.location.origin && url.pathname.startsWith(SCOPE) && KEPT.test(url.pathname.slice(SCOPE.length));
}

/* A page from the network; from what is kept if there is no network, or if it takes too long. */
async function page(event, url) {
  const network = fetch(event.request).then((response) => {
    if (response.ok) event.waitUntil(keep(url, response.clone()));
    return response;
  });
  const kept = await find(url);
  const late = kept && new Promise((resolve) => setTimeout(() => resolve(kept), PATIENCE));
  let answer;
  try {
    answer = await (late ? Promise.race([network, late]) : network);
  } catch {
    answer = kept || (await fallback());
  }
  if (answer === kept) shownKept.set(url.href, Number(kept.headers.get("Kept-Since")));
  else shownKept.delete(url.href);
  network.catch(() => undefined); // it may fail after the kept page was shown
  return answer;
}

async function other(request) {
  try {
    return await fetch(request);
  } catch {
    return fallback();
  }
}

async function fallback() {
  return (await find(new URL(`${SCOPE}offline/`, self.location.origin))) || Response.error();
}

/* Files have their content in their name: what is kept is right. It is brought up to date for sites that name them plainly. */
async function file(request, event) {
  const cache = await caches.open(FILES);
  const kept = await cache.match(request);
  const network = fetch(request).then(async (response) => {
    if (response.ok) await cache.put(request, response.clone());
    return response;
  });
  if (!kept) return network;
  event.waitUntil(network.catch(() => undefined));
  return kept;
}

/* Return the page as it is kept: with the same question, or without one. */
async function find(url) {
  for (const name of await caches.keys()) {
    if (!name.startsWith(`${PAGES}${SCOPE} `)) continue;
    const cache = await caches.open(name);
    const how = { ignoreVary: true };
    const found = (await cache.match(url.href, how)) || (await cache.match(url.href, { ...how, ignoreSearch: true }));
    if (found) return found;
  }
  return undefined;
}

/* Keep a page for its reader, and nothing of any other reader. */
async function keep(url, response) {
  const reader = response.headers.get("Page-Reader");
  if (reader === null) return;
  await forgetOthers(reader);
  const headers = new Headers(response.headers);
  headers.set("Kept-Since", String(Date.now()));
  const cache = await caches.open(`${PAGES}${SCOPE} ${reader}`);
  await cache.put(url.href, new Response(await response.blob(), { status: response.status, headers }));
  await prune(cache, MOST_PAGES);
}

async function forgetOthers(reader) {
  for (const name of await caches.keys()) {
    if (name.startsWith(PAGES) && name.split(" ")[2] !== reader) await caches.delete(name);
  }
}

async function prune(cache, most) {
  const requests = await cache.keys();
  for (const request of requests.slice(0, Math.max(0, requests.length - most))) await cache.delete(request);
}

/* Fetch and keep what a page says that its reader will want, unless it was kept less than `fresh` milliseconds ago. */
async function keepAll(addresses, fresh) {
  for (const address of addresses) {
    const url = new URL(address, self.location.origin);
    try {
      if (url.pathname.startsWith("/static/")) await keepFile(url);
      else if (isPage(url)) await keepPage(url, fresh);
    } catch {
      return; // no network: what is kept stays
    }
  }
}

async function keepFile(url) {
  const cache = await caches.open(FILES);
  if (await cache.match(url.href)) return;
  const response = await fetch(url.href);
  if (response.ok) await cache.put(url.href, response);
  await prune(cache, MOST_FILES);
}

async function keepPage(url, fresh) {
  const kept = await find(url);
  if (kept && Date.now() - Number(kept.headers.get("Kept-Since")) < fresh) return;
  const response = await fetch(url.href, { credentials: "same-origin", redirect: "manual" });
  if (response.ok) await keep(url, response);
}
