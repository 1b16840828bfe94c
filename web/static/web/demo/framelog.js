/** The log of what goes over the wire, as it goes: the newest first, filtered by phone and type. */

/** Frames that are kept, and how many of them may be positions, which come by the second. */
const KEPT = 400;
const POSITIONS_KEPT = 100;
const POSITION = "location_update";

/** @typedef {"->" | "<-"} Direction */

export class FrameLog {
  #count = 0;
  #waiting = /** @type {HTMLElement[]} */ ([]);
  #isPaused = false;
  #types = new Set();
  #catchingUp = new Set();

  /** @param {HTMLElement} root */
  constructor(root) {
    this.root = root;
    this.list = /** @type {HTMLElement} */ (root.querySelector("ol"));
    this.type = /** @type {HTMLSelectElement} */ (root.querySelector('[name="type"]'));
    this.pause = /** @type {HTMLButtonElement} */ (root.querySelector('[data-part="pause"]'));
    this.pause.addEventListener("click", () => this.#toggle());
    root.querySelector('[data-part="clear"]')?.addEventListener("click", () => this.#clear());
    root.addEventListener("change", () => this.#filter());
    this.#say();
  }

  /** @param {string} phone @param {Direction} direction @param {string} text */
  add(phone, direction, text) {
    const frame = JSON.parse(text);
    const item = entry(phone, direction, frame, this.#isResumed(phone, direction, frame));
    this.#count += 1;
    this.#offer(frame.type);
    this.#show(item);
    if (this.#isPaused) {
      this.#waiting.push(item);
      this.#waiting.splice(0, this.#waiting.length - KEPT);
    } else {
      this.#insert([item]);
    }
    this.#say();
  }

  /** What comes between a recovered `session_ready` and the first answer was missed. @param {string} phone @param {Direction} direction @param {any} frame */
  #isResumed(phone, direction, { type, seq, data }) {
    if (direction === "->") return false;
    const isCatchingUp = this.#catchingUp.has(phone);
    if (type === "session_ready" && data.recovered && !isCatchingUp) this.#catchingUp.add(phone);
    else if (["session_ready", "ack", "error"].includes(type)) this.#catchingUp.delete(phone);
    return seq !== undefined && isCatchingUp;
  }

  /** @param {HTMLElement[]} items the oldest first */
  #insert(items) {
    for (const item of items) this.list.prepend(item);
    const positions = this.list.querySelectorAll(`[data-type="${POSITION}"]`);
    for (const old of [...positions].slice(POSITIONS_KEPT)) old.remove();
    while (this.list.children.length > KEPT) this.list.lastElementChild?.remove();
  }

  #toggle() {
    this.#isPaused = !this.#isPaused;
    this.pause.setAttribute("aria-pressed", String(this.#isPaused));
    if (!this.#isPaused) this.#insert(this.#waiting.splice(0));
    this.#say();
  }

  #clear() {
    this.#waiting = [];
    this.#count = 0;
    this.list.replaceChildren();
    this.#say();
  }

  #filter() {
    for (const item of [...this.list.children, ...this.#waiting]) this.#show(/** @type {HTMLElement} */ (item));
  }

  /** @param {HTMLElement} item */
  #show(item) {
    const phone = /** @type {HTMLInputElement} */ (this.root.querySelector(`[name="${item.dataset.phone}"]`));
    const { type } = item.dataset;
    const positions = /** @type {HTMLInputElement} */ (this.root.querySelector('[name="positions"]'));
    const isWanted = this.type.value ? this.type.value === type : positions.checked || type !== POSITION;
    item.hidden = !phone.checked || !isWanted;
  }

  /** @param {string} type */
  #offer(type) {
    if (this.#types.has(type)) return;
    this.#types.add(type);
    const chosen = this.type.value;
    const [all] = this.type.options;
    this.type.replaceChildren(all, ...[...this.#types].sort().map((name) => new Option(name, name)));
    this.type.value = chosen;
  }

  #say() {
    const count = /** @type {HTMLElement} */ (this.root.querySelector('[data-part="count"]'));
    const waiting = this.#waiting.length;
    count.textContent = waiting ? interpolate(gettext("%s wait"), [waiting]) : interpolate(gettext("%s so far"), [this.#count]);
  }
}

/** @param {string} phone @param {Direction} direction @param {any} frame @param {boolean} isResumed */
function entry(phone, direction, frame, isResumed) {
  const item = document.createElement("li");
  Object.assign(item.dataset, { phone, direction, type: frame.type, seq: frame.seq ?? "" });
  if (isResumed) item.dataset.resumed = "";
  const details = document.createElement("details");
  const summary = document.createElement("summary");
  const data = direction === "->" && frame.type === "token_refresh" ? { token: "…" } : frame.data;
  summary.append(
    part("time", new Date().toLocaleTimeString("en-GB")),
    part("who", direction === "->" ? interpolate(gettext("%s sends"), [phoneName(phone)]) : interpolate(gettext("%s gets"), [phoneName(phone)])),
    part("arrow", direction === "->" ? "↑" : "↓"),
    part("type", frame.type),
    part("seq", frame.seq === undefined ? "" : `#${frame.seq}`),
    ...(isResumed ? [part("mark", gettext("missed, resumed"))] : []),
    part("data", JSON.stringify(data)),
  );
  const whole = document.createElement("pre");
  whole.textContent = JSON.stringify({ ...frame, data }, null, 2);
  details.append(summary, whole);
  item.append(details);
  return item;
}

/** @param {string} phone */
function phoneName(phone) {
  return phone === "driver" ? gettext("Driver") : gettext("Passenger");
}

/** @param {string} name @param {string} text */
function part(name, text) {
  const element = document.createElement("span");
  element.className = `frame-${name}`;
  element.textContent = text;
  return element;
}
