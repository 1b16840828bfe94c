/** A phone: its user, client, place and plans. What it shows is in `view.js`. */

import { Client, LoginRequired, Replaced, Rest } from "../nebengjek.js";
import { Drive } from "./drive.js";
import { NAMED, distance } from "./geo.js";
import { Memory, freshNumber } from "./memory.js";
import { Network } from "./network.js";
import { wakeByPush } from "./push.js";

/** Milliseconds between two positions of somebody who waits: less than the server takes for "not heard of any more". */
const REPORT_INTERVAL = 15_000;
/** Metres at the start of a ride, well below what the server allows. */
const THERE_M = 30;
/** Milliseconds that a wish stands before its price is asked for: a pin that is dragged asks once. */
const QUOTE_PAUSE = 300;

/** Whom a phone belongs to, until somebody says otherwise. */
const NAMES = { driver: "Ratna", passenger: "Budi" };

/** @type {Record<string, any>} */
const BEGINNINGS = { place: NAMED.get("Monas"), pickup: NAMED.get("Gambir"), target: NAMED.get("Gondangdia"), speed: 150 };

/** @typedef {import("./geo.js").Place} Place */
/** @typedef {"number" | "code" | "vehicle" | "on" | "ended"} Stage */

export class Phone extends EventTarget {
  /** @type {Stage} */ stage = "number";
  /** @type {any} the `Client`, once logged in */ client = null;
  /** @type {Phone | null} the one beside it */ partner = null;
  /** @type {Place | null} where the other party of the ride is */ other = null;
  /** @type {Place[]} the way that was driven with the passenger, as far as this page has seen it */ driven = [];
  /** @type {any} the payment of the last ride, as far as this page has seen it */ paid = null;
  /** The code that came. */ code = "";
  problem = "";
  /** What became of what the person thinks of the last ride. */ said = "";
  noDriver = false;
  /** @type {any} what the wished ride will cost */ quote = null;
  #quoted = "";
  /** @type {any} the last ride as its receipt tells it */ receipt = null;
  #receiptOf = "";
  /** Seconds until the next try, while there is no connection. @type {number | null} */ retryIn = null;
  resumed = 0;
  /** @type {any} why the client has ended */ ended = null;

  /**
   * @param {"driver" | "passenger"} role
   * @param {(role: string, direction: "->" | "<-", text: string) => void} onFrame
   */
  constructor(role, onFrame) {
    super();
    this.role = role;
    this.memory = new Memory(role);
    this.network = new Network();
    this.onFrame = onFrame;
    this.rest = new Rest(location.origin, { fetch: this.network.fetch });
    this.drive = new Drive({ speed: () => this.get("speed"), onMove: (place) => this.moveTo(place) });
    if (!this.memory.get("number")) this.memory.set({ number: freshNumber() });
    setInterval(() => this.#report(), REPORT_INTERVAL);
    if (this.memory.get("access")) this.#goOn();
  }

  /** What is remembered, or how it begins. @param {string} name */
  get(name) {
    return this.memory.get(name) ?? (name === "name" ? NAMES[this.role] : BEGINNINGS[name]);
  }

  /** @param {object} changes */
  set(changes) {
    this.memory.set(changes);
    this.changed();
  }

  get state() {
    return this.stage === "on" ? this.client.state : null;
  }

  get userId() {
    return this.memory.get("userId");
  }

  /** @param {string} action */
  may(action) {
    return Boolean(this.state?.allowed_actions.includes(action));
  }

  /** The last ride, until it was looked at. */
  get finished() {
    const { ride, last_ride, payment } = this.state ?? {};
    const over = last_ride && ["COMPLETED", "CANCELLED"].includes(last_ride.status);
    return !ride && !payment && over && this.memory.get("seen") !== last_ride.ride_id ? last_ride : null;
  }

  /** Where a driver on a ride has to go. @returns {Place | null} */
  get heading() {
    const ride = this.state?.ride;
    if (this.role !== "driver" || !ride) return null;
    return ride.status === "PICKUP" ? ride.location : ride.target_location;
  }

  get isThere() {
    return Boolean(this.heading && distance(this.get("place"), this.heading) < THERE_M);
  }

  changed() {
    this.dispatchEvent(new Event("change"));
  }

  /** Do something, and show what went wrong with it. @param {() => Promise<unknown>} work */
  async try(work) {
    this.problem = "";
    try {
      const done = work();
      this.changed(); // what waits for the network is shown
      await done;
    } catch (error) {
      this.problem = explain(error);
    }
    this.changed();
  }

  // --- Who ---

  /** @param {string} number */
  async requestCode(number) {
    const msisdn = number.replaceAll(/[\s-]/g, "");
    await this.rest.requestCode(msisdn);
    this.code = (await this.rest.call("GET", `/demo/codes/${encodeURIComponent(msisdn)}/`)).code;
    this.memory.set({ number: msisdn });
    this.stage = "code";
  }

  /** Log in, and say who it is: a name that was said before is confirmed. @param {string} code @param {string} [name] */
  async logIn(code, name = this.get("name")) {
    const session = await this.rest.logIn(this.get("number"), code);
    this.rest.access = session.access;
    try {
      if (name.trim()) await this.rest.setName(name);
      this.memory.set({ name });
    } catch (error) {
      this.problem = explain(error); // the login stands
    }
    this.#begin(session);
  }

  wakeByPush() {
    this.rest.access = this.memory.get("access");
    return wakeByPush(this.rest);
  }

  /** @param {string} type @param {string} plate */
  async register(type, plate) {
    this.#begin(await this.rest.registerDriver(/** @type {any} */ (type), plate));
  }

  back() {
    this.stage = "number";
    this.changed();
  }

  /** Hang up and be somebody new. */
  async becomeNew() {
    await this.#leaveQuietly();
    this.client?.close();
    this.memory.forget("bot", "speed");
    this.memory.set({ number: freshNumber() });
    Object.assign(this, { client: null, other: null, paid: null, driven: [], ended: null, code: "", problem: "", said: "", quote: null, receipt: null, retryIn: null, noDriver: false });
    this.#quoted = "";
    this.drive.stop();
    this.stage = "number";
    this.changed();
  }

  /** Come back after the end of the client; what is left of the tokens decides how. */
  reconnect() {
    if (this.ended instanceof LoginRequired) {
      this.memory.set({ access: null });
      this.stage = "number";
    } else {
      this.#connect();
    }
    this.changed();
  }

  /** @param {any} session */
  #begin({ access, refresh, user }) {
    this.memory.set({ access, refresh, userId: user.id, role: user.role });
    this.#goOn();
  }

  #goOn() {
    this.rest.access = this.memory.get("access");
    const role = this.memory.get("role");
    if (role === this.role) {
      this.#connect();
    } else if (role === "passenger") {
      this.stage = "vehicle";
    } else {
      this.stage = "number";
      this.problem = gettext("That is the number of a driver: take another one for the passenger.");
    }
    this.changed();
  }

  #connect() {
    const client = new Client(location.origin, {
      access: this.memory.get("access"),
      refresh: this.memory.get("refresh"),
      onTokens: (tokens) => this.memory.set(tokens),
      onFrame: (direction, text) => this.onFrame(this.role, direction, text),
      makeSocket: this.network.makeSocket,
      fetch: this.network.fetch,
      openTimeout: null,
    });
    this.client = client;
    this.stage = "on";
    this.ended = null;
    client.on("*", (/** @type {any} */ frame) => this.#heard(frame));
    client.connect().catch(() => {}); // `closed` says why
  }

  // --- What is heard ---

  /** @param {any} frame */
  #heard({ type, data, resumed }) {
    if (resumed) this.resumed += 1;
    if (type === "session_ready") this.#ready();
    if (type === "disconnected") this.retryIn = data.retry_in;
    if (type === "closed") this.#closed(data.error);
    if (type === "error") this.problem = data.message;
    if (type === "location_update") this.#seen({ latitude: data.latitude, longitude: data.longitude });
    if (type === "ride_start") this.driven = this.role === "driver" ? [this.get("place")] : [];
    if (type === "ride_completed") this.paid = data.payment;
    if (type === "ride_pickup" && this.role === "passenger") this.other = data.driver_location;
    if (type === "finder_update") this.noDriver = data.reason === "no_driver";
    if (["ride_arrived", "ride_cancelled", "ride_completed"].includes(type)) this.#rideEnds();
    const over = this.state?.payment ?? this.finished;
    if (over && over.ride_id !== this.#receiptOf) this.#fetchReceipt(over.ride_id);
    this.changed();
  }

  /** @param {string} rideId */
  async #fetchReceipt(rideId) {
    this.#receiptOf = rideId;
    this.rest.access = this.memory.get("access");
    try {
      this.receipt = await this.rest.ride(rideId);
    } catch {
      this.#receiptOf = ""; // the next frame asks again
    }
    this.changed();
  }

  /** @param {Place} place */
  #seen(place) {
    this.other = place;
    if (this.role === "passenger") this.#drivenTo(place);
  }

  /** @param {Place} place */
  #drivenTo(place) {
    if (this.state?.ride?.status === "ONGOING") this.driven.push(place);
  }

  #ready() {
    if (this.retryIn !== null) this.resumed = 0;
    this.retryIn = null;
    this.#quoted = "";
    this.#report();
  }

  #rideEnds() {
    this.drive.stop();
    this.other = null;
  }

  /** @param {Error} error */
  #closed(error) {
    this.drive.stop();
    if (!(error instanceof Replaced || error instanceof LoginRequired)) return;
    this.ended = error;
    this.stage = "ended";
  }

  // --- What is done ---

  /** Be somewhere else; the server hears of it when it can make something of it. @param {Place} place */
  moveTo(place) {
    if (this.role === "driver") this.#drivenTo(place);
    this.set({ place });
    this.#report();
  }

  setBeacon(/** @type {boolean} */ active) {
    return this.client.beaconUpdate(active ? { is_active: true, ...this.get("place") } : { is_active: false });
  }

  /** Where the passenger wants to be picked up and to go. */
  get wish() {
    return { location: this.get("pickup"), target_location: this.get("target") };
  }

  /** Have the price of the wished ride shown; asks only once for the same wish. */
  wantQuote() {
    const wish = JSON.stringify(this.wish);
    if (wish === this.#quoted) return;
    this.#quoted = wish;
    this.quote = null;
    setTimeout(() => wish === this.#quoted && this.state && this.#fetchQuote(wish), QUOTE_PAUSE);
  }

  /** @param {string} wish */
  async #fetchQuote(wish) {
    if (this.stage !== "on") return; // somebody else by now
    this.rest.access = this.memory.get("access");
    const quote = await this.rest.quote(JSON.parse(wish)).catch(() => null); // a ride needs none
    if (wish !== this.#quoted) return;
    this.quote = quote;
    this.changed();
  }

  find() {
    this.noDriver = false;
    const isGood = this.quote && new Date(this.quote.valid_until) > this.client.now();
    const promised = isGood ? { quote_id: this.quote.quote_id } : {};
    this.#quoted = "";
    return this.client.finderUpdate({ is_active: true, ...this.wish, ...promised, auto_accept: Boolean(this.get("autoAccept")) });
  }

  stop() {
    return this.client.finderUpdate({ is_active: false });
  }

  answer(/** @type {string} */ match_id, /** @type {boolean} */ accepted) {
    return this.client.matchConfirm({ match_id, accepted });
  }

  /** @param {string} [pin] where the server asks for it */
  startRide(pin) {
    this.#report(); // the server compares the last positions
    return this.client.rideStart({ ride_id: this.state.ride.ride_id, ...(pin && { pin }) });
  }

  arrive(factor = 1) {
    return this.client.rideArrived({ ride_id: this.state.ride.ride_id, adjustment_factor: factor });
  }

  pay(/** @type {"ACCEPTED" | "REJECTED"} */ status) {
    const { ride_id, total_cost } = this.state.payment;
    return this.client.paymentProcess({ ride_id, total_cost, status });
  }

  cancel() {
    return this.client.rideCancel({ ride_id: this.state.ride.ride_id, reason: "Changed my mind." });
  }

  toggleDrive() {
    if (this.drive.isUnderWay) this.drive.stop();
    else if (this.heading) this.drive.start(this.get("place"), this.heading);
    this.changed();
  }

  /** Give the other side of the last ride stars. @param {number} rating */
  async rate(rating) {
    await this.client.rideRate({ ride_id: this.finished.ride_id, rating });
    this.said = gettext("Thank you. Means are shown from five ratings on.");
  }

  /** Never again be paired with the other side of the last ride. */
  async block() {
    this.rest.access = this.memory.get("access");
    await this.rest.block(this.finished.ride_id);
    this.said = gettext("You two get no offers with each other any more.");
  }

  again() {
    this.driven = [];
    this.said = "";
    this.set({ seen: this.finished?.ride_id });
  }

  cut(/** @type {boolean} */ isCut) {
    if (isCut) {
      this.network.cut();
    } else {
      this.network.mend();
      this.client?.retryNow();
    }
    this.changed();
  }

  /** Say where one is: a driver who wants passengers or has one, a passenger who is waited for. */
  #report() {
    const { beacon, ride } = this.state ?? {};
    if (this.role === "driver" && (beacon?.is_active || ride)) {
      const timestamp = this.client.now().toISOString();
      this.client.locationUpdate({ ...this.get("place"), timestamp, accuracy: 5 }).catch(() => {});
    } else if (this.role === "passenger" && ride?.status === "PICKUP") {
      this.client.locationUpdate(ride.location).catch(() => {});
    }
  }

  /** Whoever goes leaves no search and no ride behind, if that can be said at once. */
  async #leaveQuietly() {
    if (!this.client?.connected) return;
    const goodbyes = [
      this.state?.ride && this.may("ride_cancel") && (() => this.cancel()),
      this.state?.finder?.is_active && (() => this.stop()),
      this.state?.beacon?.is_active && (() => this.setBeacon(false)),
    ];
    for (const goodbye of goodbyes) if (goodbye) await goodbye().catch(() => {});
  }
}

/** @param {any} error */
function explain(error) {
  const fields = Object.entries(error.fields ?? {}).map(([name, texts]) => `${name}: ${[texts].flat().join(" ")}`);
  return fields.length ? fields.join(" ") : error.message;
}
