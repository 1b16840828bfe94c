/** The proposals of a phone, each with the time that is left to answer it. */

import { nameOf } from "./geo.js";
import { length, otherName } from "./words.js";

/** @typedef {import("./phone.js").Phone} Phone */

/** @type {Record<string, Record<string, () => string>>} */
const STATUS = {
  DRIVER_CONFIRMED: { driver: () => gettext("You accepted; the passenger decides."), passenger: () => gettext("The driver accepts.") },
  PASSENGER_CONFIRMED: { driver: () => gettext("The passenger accepts."), passenger: () => gettext("You accepted; the driver decides.") },
};

/** Draw anew what has changed; what stays keeps its place and its focus. @param {HTMLElement} list @param {Phone} phone */
export function drawProposals(list, phone) {
  const { proposals } = phone.state;
  const open = proposals.filter((/** @type {any} */ match) => match.match_status !== "ACCEPTED");
  const wanted = new Set(open.map((/** @type {any} */ match) => match.match_id));
  for (const item of [...list.children]) if (!wanted.has(/** @type {HTMLElement} */ (item).dataset.match)) item.remove();
  for (const match of open) {
    const old = [...list.children].find((item) => /** @type {HTMLElement} */ (item).dataset.match === match.match_id);
    const item = /** @type {HTMLElement} */ (old ?? list.appendChild(document.createElement("li")));
    if (item.dataset.status !== match.match_status) fill(item, phone, match);
  }
  tickCountdowns(list, phone);
}

/** By the server's clock, not the phone's. @param {HTMLElement} list @param {Phone} phone */
export function tickCountdowns(list, phone) {
  for (const timer of list.querySelectorAll("progress")) {
    const expires = Date.parse(timer.dataset.expires ?? "");
    const left = Math.max(0, (expires - phone.client.now().getTime()) / 1000);
    timer.value = left;
    const text = timer.nextElementSibling;
    if (text) text.textContent = interpolate(gettext("%s s left"), [Math.ceil(left)]);
  }
}

/** @param {HTMLElement} item @param {Phone} phone @param {any} match */
function fill(item, phone, match) {
  item.dataset.match = match.match_id;
  item.dataset.status = match.match_status;
  const status = STATUS[match.match_status]?.[phone.role]();
  const way = interpolate(gettext("%(from)s → %(to)s"), { from: nameOf(match.location), to: nameOf(match.target_location) }, true);
  const far = interpolate(gettext("%s from the pick-up"), [length(match.distance_km * 1000)]);
  item.replaceChildren(
    text("strong", otherName(phone, match)),
    text("span", phone.role === "driver" ? `${way}, ${far}` : far),
    ...(status ? [text("em", status)] : []),
    countdown(match),
    buttons(phone, match),
  );
}

/** @param {any} match */
function countdown({ expires_at }) {
  const line = document.createElement("span");
  line.className = "countdown";
  const bar = document.createElement("progress");
  bar.max = 30;
  bar.dataset.expires = expires_at;
  bar.setAttribute("aria-label", gettext("Time left to answer"));
  line.append(bar, text("span", ""));
  return line;
}

/** @param {Phone} phone @param {any} match */
function buttons(phone, match) {
  const line = document.createElement("span");
  line.className = "buttons";
  const own = phone.role === "driver" ? "DRIVER_CONFIRMED" : "PASSENGER_CONFIRMED";
  if (match.match_status !== own) line.append(button("accept", gettext("Accept"), match, "primary"));
  line.append(button("decline", match.match_status === own ? gettext("Withdraw") : gettext("Decline"), match, "danger"));
  return line;
}

/** @param {string} act @param {string} label @param {any} match @param {string} kind */
function button(act, label, { match_id }, kind) {
  const made = document.createElement("button");
  made.type = "button";
  made.className = kind;
  Object.assign(made.dataset, { act, match: match_id });
  made.textContent = label;
  return made;
}

/** @param {string} name @param {string} content */
function text(name, content) {
  const element = document.createElement(name);
  element.textContent = content;
  return element;
}
