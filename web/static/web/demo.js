/** The page with two phones. */

import { Bot } from "./demo/bot.js";
import { FrameLog } from "./demo/framelog.js";
import { Phone } from "./demo/phone.js";
import { PhoneView } from "./demo/view.js";

const frames = new FrameLog(/** @type {HTMLElement} */ (document.querySelector(".frames")));
const phones = ["driver", "passenger"].map(
  (role) => new Phone(/** @type {any} */ (role), (...frame) => frames.add(...frame)),
);
phones[0].partner = phones[1];
phones[1].partner = phones[0];

for (const phone of phones) {
  new PhoneView(/** @type {HTMLElement} */ (document.querySelector(`[data-role="${phone.role}"]`)), phone);
  new Bot(phone);
}

/** Both phones by themselves, for one ride from wherever they are. */
function watch() {
  for (const phone of phones) {
    if (phone.finished) phone.again();
    phone.set({ bot: true, once: true });
  }
}

function say() {
  const isOn = phones.some((phone) => phone.get("bot") && phone.get("once"));
  const text = isOn ? gettext("The bots take a ride …") : "";
  const state = /** @type {HTMLElement} */ (document.getElementById("watch-state"));
  if (state.textContent !== text) state.textContent = text;
}

document.getElementById("watch")?.addEventListener("click", watch);
for (const phone of phones) phone.addEventListener("change", say);
say();
