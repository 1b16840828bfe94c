/** What a phone shows: its part of the page follows the phone, and what is pressed is done by it. */

import { Replaced } from "../nebengjek.js";
import { NAMED, nameOf } from "./geo.js";
import { PhoneMap } from "./phonemap.js";
import { bill, cardText, comingText, headline, length, networkText, quoteText } from "./words.js";
import { drawProposals, tickCountdowns } from "./proposals.js";

/** @typedef {import("./phone.js").Phone} Phone */

/** Choices of places, and what they set. */
const PLACES = ["place", "pickup", "target"];

export class PhoneView {
  #isDue = false;
  /** @type {PhoneMap | null} */ #map = null;

  /** @param {HTMLElement} root @param {Phone} phone */
  constructor(root, phone) {
    this.root = root;
    this.phone = phone;
    this.#fill();
    this.#listen();
    phone.addEventListener("change", () => this.#soon());
    setInterval(() => tickCountdowns(this.#part("proposals"), phone), 250);
    this.#draw();
  }

  /** @param {string} name */
  #part(name) {
    return /** @type {any} */ (this.root.querySelector(`[data-part="${name}"]`));
  }

  /** @param {string} name */
  #field(name) {
    return /** @type {any} */ (this.root.querySelector(`[name="${name}"]`));
  }

  /** Once for all that changes at the same time; not bound to frames, which a hidden page does not draw. */
  #soon() {
    if (this.#isDue) return;
    this.#isDue = true;
    setTimeout(() => {
      this.#isDue = false;
      this.#draw();
    });
  }

  #fill() {
    for (const name of PLACES) {
      const choice = this.#field(name);
      if (choice) choice.append(...[...NAMED.keys()].map((place) => new Option(String(place), String(place))));
    }
    const number = this.#field("number");
    number.value = this.phone.get("number");
    this.#field("full_name").value = this.phone.get("name");
    if (this.#field("vehicle_plate")) this.#field("vehicle_plate").value = `B ${number.value.slice(-4)} NJ`;
  }

  #listen() {
    const { phone, root } = this;
    for (const form of root.querySelectorAll("form")) {
      form.addEventListener("submit", (event) => {
        event.preventDefault();
        this.#submit(/** @type {HTMLFormElement} */ (form));
      });
    }
    root.addEventListener("click", ({ target }) => this.#press(/** @type {Element} */ (target).closest("button")));
    for (const name of PLACES) {
      this.#field(name)?.addEventListener("change", (/** @type {any} */ event) => this.#choose(name, event.target.value));
    }
    this.#field("bot").addEventListener("change", (/** @type {any} */ event) => phone.set({ bot: event.target.checked, once: false }));
    this.#field("cut").addEventListener("change", (/** @type {any} */ event) => phone.cut(event.target.checked));
    this.#field("auto_accept")?.addEventListener("change", (/** @type {any} */ event) => phone.set({ autoAccept: event.target.checked }));
    this.#field("speed")?.addEventListener("input", (/** @type {any} */ event) => phone.set({ speed: Number(event.target.value) }));
  }

  /** @param {HTMLFormElement} form */
  async #submit(form) {
    const { phone } = this;
    const fields = /** @type {Record<string, string>} */ (Object.fromEntries(new FormData(form)));
    /** @type {Record<string, () => Promise<void>>} */
    const steps = {
      number: () => phone.requestCode(fields.number),
      code: () => phone.logIn(fields.code, fields.full_name),
      vehicle: () => phone.register(fields.vehicle_type, fields.vehicle_plate),
    };
    await phone.try(steps[form.dataset.view ?? ""]);
    this.#focus();
  }

  /** @param {HTMLButtonElement | null} button */
  async #press(button) {
    const { phone } = this;
    const act = button?.dataset.act;
    if (!button || !act || button.getAttribute("aria-disabled") === "true") return;
    /** @type {Record<string, () => unknown>} */
    const acts = {
      back: () => phone.back(),
      reconnect: () => phone.reconnect(),
      new: () => phone.becomeNew(),
      beacon: () => phone.setBeacon(!phone.state.beacon.is_active),
      find: () => phone.find(),
      stop: () => phone.stop(),
      accept: () => phone.answer(button.dataset.match ?? "", true),
      decline: () => phone.answer(button.dataset.match ?? "", false),
      drive: () => phone.toggleDrive(),
      start: () => phone.startRide(this.#field("pin")?.value),
      arrive: () => phone.arrive(Number(this.#field("factor").value)),
      cancel: () => phone.cancel(),
      pay: () => phone.pay("ACCEPTED"),
      refuse: () => phone.pay("REJECTED"),
      rate: () => phone.rate(Number(button.dataset.stars)),
      block: () => phone.block(),
      push: () => this.#wakeByPush(),
      again: () => phone.again(),
    };
    await phone.try(async () => acts[act]());
    if (act === "new") this.#fill();
    this.#focus();
  }

  async #wakeByPush() {
    await this.phone.wakeByPush();
    say(this.#part("push"), gettext("This browser is woken when the phone has no connection."));
  }

  /** Keep the keyboard focus in the phone when the pressed button is gone. */
  #focus() {
    setTimeout(() => {
      if (document.activeElement !== document.body) return;
      const next = /** @type {HTMLElement | null} */ (
        [...this.root.querySelectorAll("[data-view] :is(input, button.primary)")].find((element) => element.checkVisibility()));
      next?.focus({ preventScroll: true });
    }, 50);
  }

  /** @param {string} name @param {string} place */
  #choose(name, place) {
    const chosen = NAMED.get(place);
    if (!chosen) return;
    if (name === "place") this.phone.moveTo(chosen);
    else this.phone.set({ [name]: chosen });
  }

  #draw() {
    const { phone, root } = this;
    root.dataset.stage = phone.stage;
    for (const view of root.querySelectorAll("[data-view]")) {
      /** @type {HTMLElement} */ (view).hidden = /** @type {HTMLElement} */ (view).dataset.view !== phone.stage;
    }
    say(this.#part("problem"), phone.problem);
    say(this.#part("network"), networkText(phone));
    root.dataset.network = phone.network.isCut ? "cut" : phone.client?.connected ? "on" : "off";
    this.#field("bot").checked = Boolean(phone.get("bot"));
    this.#field("cut").checked = phone.network.isCut;
    say(this.#part("who"), phone.get("number"));
    if (phone.stage === "code") this.#drawCode();
    if (phone.stage === "ended") this.#drawEnd();
    if (phone.stage === "on") this.#drawRide();
  }

  #drawCode() {
    say(this.#part("sms"), interpolate(gettext("SMS: %s is your NebengJek code."), [this.phone.code]));
    this.#field("code").value ||= this.phone.code;
  }

  #drawEnd() {
    const isReplaced = this.phone.ended instanceof Replaced;
    say(this.#part("ended-title"), isReplaced ? gettext("In use elsewhere (4409)") : gettext("A login is needed"));
    say(this.#part("ended-text"), isReplaced
      ? gettext("A newer connection of this person took over, in another tab or on another phone. This one does not come back by itself: the two would throw each other out for ever.")
      : gettext("The tokens of this person are not good any more."));
  }

  #drawRide() {
    const { phone } = this;
    this.#field("code").value = "";
    this.#map ??= new PhoneMap(this.#part("map"), phone, {
      chosen: () => this.#chosen(),
      choose: (what) => { /** @type {any} */ (this.root.querySelector(`[name="sets"][value="${what}"]`) ?? {}).checked = true; },
    });
    say(this.#part("headline"), headline(phone));
    this.#map.draw();
    for (const button of this.root.querySelectorAll("[data-action]")) {
      const action = /** @type {HTMLElement} */ (button).dataset.action ?? "";
      button.setAttribute("aria-disabled", String(!phone.may(action))); // `disabled` would take the focus away
    }
    if (!phone.state) return;
    const panels = this.#panels();
    for (const panel of this.root.querySelectorAll("[data-panel]")) {
      /** @type {HTMLElement} */ (panel).hidden = !panels[/** @type {HTMLElement} */ (panel).dataset.panel ?? ""];
    }
    drawProposals(this.#part("proposals"), phone);
    this.#drawPlaces();
    if (phone.role === "driver") this.#drawDriver();
    else this.#drawPassenger();
    if (phone.finished) this.#drawFinished();
  }

  #drawFinished() {
    const { phone } = this;
    list(this.#part("finished"), bill(phone.finished, phone.paid, phone));
    for (const star of this.root.querySelectorAll('[data-act="rate"]')) {
      /** @type {HTMLElement} */ (star).hidden = phone.finished?.status !== "COMPLETED";
    }
    say(this.#part("said"), phone.said);
  }

  /** What a click on the map sets. */
  #chosen() {
    if (this.phone.role === "driver") return "place";
    return /** @type {any} */ (this.root.querySelector('[name="sets"]:checked')).value;
  }

  /** Which panels are there. @returns {Record<string, boolean>} */
  #panels() {
    const { ride, payment, finder, beacon } = this.phone.state;
    const finished = Boolean(this.phone.finished);
    return {
      beacon: Boolean(beacon) && !ride && !finished,
      drive: Boolean(this.phone.heading),
      card: Boolean(ride && cardText(this.phone)),
      pickup: ride?.status === "PICKUP",
      coming: ride?.status === "PICKUP" || ride?.status === "ONGOING",
      ongoing: ride?.status === "ONGOING",
      owed: Boolean(payment),
      payment: Boolean(payment),
      wish: Boolean(finder) && !ride && !finder?.is_active && !finished,
      searching: Boolean(finder?.is_active),
      finished,
    };
  }

  #drawPlaces() {
    for (const name of PLACES) {
      const choice = this.#field(name);
      if (choice && document.activeElement !== choice) choice.value = NAMED.has(nameOf(this.phone.get(name))) ? nameOf(this.phone.get(name)) : "";
    }
  }

  #drawDriver() {
    const { phone } = this;
    const { beacon, ride, payment, last_ride } = phone.state;
    const button = /** @type {HTMLElement} */ (this.root.querySelector('[data-act="beacon"]'));
    say(button, beacon.is_active ? gettext("Go offline") : gettext("Go online"));
    button.classList.toggle("primary", !beacon.is_active);
    const drive = /** @type {HTMLButtonElement} */ (this.root.querySelector('[data-act="drive"]'));
    say(drive, phone.drive.isUnderWay ? gettext("Stop") : gettext("Drive"));
    drive.disabled = phone.isThere;
    this.#field("speed").value = phone.get("speed");
    if (!ride && this.#field("pin")) this.#field("pin").value = "";
    say(this.#part("speed"), interpolate(gettext("%s km/h"), [phone.get("speed")]));
    if (ride) {
      say(this.#part("card"), cardText(phone));
      const name = nameOf(/** @type {import("./geo.js").Place} */ (phone.heading));
      say(this.#part("way"), phone.drive.isUnderWay
        ? interpolate(gettext("%(far)s to %(place)s"), { far: length(phone.drive.left), place: name }, true)
        : interpolate(gettext("To %s"), [name]));
    }
    if (payment && last_ride) list(this.#part("owed"), bill(last_ride, payment, phone));
  }

  #drawPassenger() {
    const { phone } = this;
    const { ride, payment } = phone.state;
    this.#field("auto_accept").checked = Boolean(phone.get("autoAccept"));
    if (this.#panels().wish) phone.wantQuote();
    say(this.#part("quote"), quoteText(phone.quote));
    if (ride) {
      say(this.#part("coming"), comingText(phone));
      say(this.#part("card"), cardText(phone));
      const isPin = ride.pin && ride.status === "PICKUP";
      say(this.#part("pin"), isPin ? interpolate(gettext("Your PIN for the driver: %s"), [ride.pin]) : "");
    }
    const cancel = /** @type {HTMLElement} */ (this.root.querySelector('[data-panel="coming"] button'));
    cancel.hidden = ride?.status !== "PICKUP";
    if (!payment) return;
    list(this.#part("bill"), bill(ride, payment, phone));
    const qr = this.#part("qr");
    const { pathname } = new URL(payment.qr_code_url, location.origin);
    if (qr.getAttribute("src") !== pathname) qr.src = pathname; // of this server, under whatever name it is reached
  }
}

/** Change a text only if it is another one, so that nobody is told the same twice. @param {HTMLElement} element @param {string} text */
function say(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

/** @param {HTMLElement} element @param {[string, string][]} lines */
function list(element, lines) {
  const text = lines.flat().join("\n");
  if (element.dataset.lines === text) return;
  element.dataset.lines = text;
  element.replaceChildren(...lines.flatMap(([name, value]) => {
    const [term, description] = [document.createElement("dt"), document.createElement("dd")];
    term.textContent = name;
    description.textContent = value;
    return [term, description];
  }));
}
