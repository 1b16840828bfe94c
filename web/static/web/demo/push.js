/** Web Push in a browser: subscribe, and tell the server which address wakes this device. */

const WORKER = "/demo/worker.js";

/**
 * Let the server wake this browser while the person is away. Throws an Error with a text for people where that cannot be:
 * no key on the server, no permission, or no push service that the browser reaches.
 * @param {any} rest of the logged-in person
 */
export async function wakeByPush(rest) {
  const { application_server_key: key } = await rest.call("GET", "/api/me/devices/");
  if (!key) throw new Error(gettext("This server has no key for Web Push: set PUSH_BACKEND and VAPID_PRIVATE_KEY."));
  if (!("serviceWorker" in navigator && "PushManager" in globalThis)) {
    throw new Error(gettext("This browser has no Web Push."));
  }
  if ((await Notification.requestPermission()) !== "granted") {
    throw new Error(gettext("Notifications are not allowed on this page."));
  }
  const subscription = await subscribe(key);
  const { endpoint, keys } = subscription.toJSON();
  await rest.call("POST", "/api/me/devices/", { kind: "webpush", token: endpoint, keys });
}

/** @param {string} key */
async function subscribe(key) {
  const registration = await navigator.serviceWorker.register(WORKER);
  await active(registration);
  try {
    return await registration.pushManager.subscribe({ userVisibleOnly: true, applicationServerKey: key });
  } catch (error) {
    throw new Error(interpolate(gettext("The browser's push service cannot be reached: %s"), [/** @type {Error} */ (error).message]));
  }
}

/** Wait until the worker runs; `navigator.serviceWorker.ready` waits for one of this page. @param {ServiceWorkerRegistration} registration */
async function active(registration) {
  const worker = registration.installing ?? registration.waiting ?? registration.active;
  while (worker && worker.state !== "activated") {
    if (worker.state === "redundant") throw new Error(gettext("The service worker could not be installed."));
    await new Promise((resolve) => worker.addEventListener("statechange", resolve, { once: true }));
  }
}
