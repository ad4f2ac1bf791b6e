/* Lets this browser show notifications: asks its member, subscribes at its push service, and sends the form. */

"use strict";

(() => {
  const form = document.getElementById("push-add");
  if (!form) return;
  const say = (name) => {
    for (const one of document.querySelectorAll("[data-push]")) one.hidden = one.dataset.push !== name;
  };
  if (!("serviceWorker" in navigator) || !("PushManager" in window) || !("Notification" in window)) {
    say("cannot");
    return;
  }
  if (Notification.permission === "denied") {
    say("denied");
    return;
  }
  say("");
  form.hidden = false;

  const bytes = (text) => Uint8Array.from(atob(text.replace(/-/g, "+").replace(/_/g, "/")), (one) => one.charCodeAt(0));

  form.addEventListener("submit", async (event) => {
    if (form.endpoint.value) return;
    event.preventDefault();
    try {
      if ((await Notification.requestPermission()) !== "granted") {
        say("denied");
        return;
      }
      const { worker, scope, key } = form.dataset;
      const registration = await navigator.serviceWorker.register(worker, { scope });
      const options = { userVisibleOnly: true, applicationServerKey: bytes(key) };
      let subscription;
      try {
        subscription = await registration.pushManager.subscribe(options);
      } catch (error) {
        if (error.name !== "InvalidStateError") throw error;
        // It was subscribed to another key, which the site does not have any more.
        await (await registration.pushManager.getSubscription()).unsubscribe();
        subscription = await registration.pushManager.subscribe(options);
      }
      const { endpoint, keys } = subscription.toJSON();
      form.endpoint.value = endpoint;
      form.p256dh.value = keys.p256dh;
      form.auth.value = keys.auth;
      form.requestSubmit();
    } catch {
      say("failed");
    }
  });
})();
