/** A bot: does for a phone what makes sense next, by itself, after a short pause. */

/** Milliseconds from a change to what the bot does about it. */
const PAUSE = 900;
/** Milliseconds that a finished ride can be looked at. */
const LOOK = 5000;

/** @typedef {import("./phone.js").Phone} Phone */
/** @typedef {() => unknown} Step */

export class Bot {
  /** @type {ReturnType<typeof setTimeout> | undefined} */ #timer;
  #isBusy = false;

  /** @param {Phone} phone */
  constructor(phone) {
    this.phone = phone;
    phone.addEventListener("change", () => this.#consider());
    setInterval(() => this.#consider(), PAUSE); // what the other phone does matters too
    this.#consider();
  }

  #consider() {
    if (this.#timer !== undefined || this.#isBusy || !this.phone.get("bot") || !nextStep(this.phone)) return;
    const pause = this.phone.finished ? LOOK : PAUSE;
    this.#timer = setTimeout(() => this.#act(), pause);
  }

  async #act() {
    this.#timer = undefined;
    const step = this.phone.get("bot") && nextStep(this.phone);
    if (!step) return;
    this.#isBusy = true;
    await this.phone.try(async () => step());
    this.#isBusy = false;
  }
}

/** What makes sense now; null: nothing but to wait. @param {Phone} phone @returns {Step | null} */
export function nextStep(phone) {
  switch (phone.stage) {
    case "number": return () => phone.requestCode(phone.get("number"));
    case "code": return () => phone.logIn(phone.code);
    case "vehicle": return () => phone.register("car", `B ${phone.get("number").slice(-4)} NJ`);
    case "on": return phone.state && phone.client.connected ? rideStep(phone) : null;
    default: return null;
  }
}

/** @param {Phone} phone @returns {Step | null} */
function rideStep(phone) {
  if (phone.finished) return phone.get("once") ? () => phone.set({ bot: false, once: false }) : () => phone.again();
  return phone.role === "driver" ? driverStep(phone) : passengerStep(phone);
}

/** @param {Phone} phone @returns {Step | null} */
function driverStep(phone) {
  const { ride, beacon, proposals, payment } = phone.state;
  if (ride) {
    if (phone.drive.isUnderWay) return null;
    if (!phone.isThere) return () => phone.toggleDrive();
    const pin = phone.partner?.state?.ride?.pin; // as the passenger beside it says it aloud
    return ride.status === "PICKUP" ? () => phone.startRide(pin) : () => phone.arrive();
  }
  if (!beacon.is_active) return () => phone.setBeacon(true);
  const match = proposals.find((/** @type {any} */ one) => one.match_status !== "DRIVER_CONFIRMED");
  if (!match || payment) return null;
  return () => phone.answer(match.match_id, isWanted(phone, match));
}

/** @param {Phone} phone @returns {Step | null} */
function passengerStep(phone) {
  const { ride, finder, proposals, payment } = phone.state;
  if (payment) return () => phone.pay("ACCEPTED");
  if (ride) return null;
  if (!finder.is_active) return isComing(phone.partner) ? null : () => phone.find();
  const match = proposals.find((/** @type {any} */ one) => one.match_status === "DRIVER_CONFIRMED" && isWanted(phone, one));
  return match ? () => phone.answer(match.match_id, true) : null;
}

/** Whether the phone beside it is about to be a driver who waits: it is worth waiting for. @param {Phone | null} partner */
function isComing(partner) {
  return Boolean(partner?.get("bot") && !partner.network.isCut && partner.stage !== "ended" && !partner.state?.beacon?.is_active);
}

/** With two bots side by side, each wants the other and nobody else. @param {Phone} phone @param {any} match */
function isWanted({ role, partner }, match) {
  if (!partner?.get("bot") || partner.network.isCut || partner.stage !== "on") return true;
  const other = role === "driver" ? match.passenger_id : match.driver_id;
  return other === partner.userId;
}
