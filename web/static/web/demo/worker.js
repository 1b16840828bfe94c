/** The service worker of the demo: a push says that there is something, the page reads what it is. */

importScripts("/texts.js");

const worker = /** @type {any} */ (globalThis);

/** What a push is about (`Wake` in rides/push/base.py). @type {Record<string, string>} */
const TEXTS = {
  match_proposal: gettext("A passenger waits for your answer."),
  match_confirm: gettext("A driver has accepted."),
};

worker.addEventListener("install", () => worker.skipWaiting());

worker.addEventListener("push", (/** @type {any} */ event) => event.waitUntil(show(read(event.data))));

worker.addEventListener("notificationclick", (/** @type {any} */ event) => {
  event.notification.close();
  event.waitUntil(open());
});

/** A browser wants a notification for every push, also for one that this version does not know. @param {any} wake */
async function show(wake) {
  const body = TEXTS[wake.type] ?? gettext("Something has happened.");
  await worker.registration.showNotification("NebengJek", { body, tag: "nebengjek", renotify: true });
}

/** @param {any} data */
function read(data) {
  try {
    return data.json() ?? {};
  } catch {
    return {};
  }
}

/** Go to a page that is open, else open one. */
async function open() {
  const [page] = await worker.clients.matchAll({ type: "window", includeUncontrolled: true });
  return page ? page.focus() : worker.clients.openWindow("/");
}
