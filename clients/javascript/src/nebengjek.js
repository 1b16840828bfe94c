/**
 * The client of NebengJek, for browsers and for Node 22 and later. No build step and no dependency.
 *
 *     import { Client } from "./nebengjek.js";
 *     const client = new Client(location.origin, { access, refresh });
 *     client.on("match_proposal", ({ data }) => console.log(data.match_id, data.distance_km));
 *     await client.connect();
 *     await client.finderUpdate({ is_active: true, location, target_location });
 *
 * It keeps one connection for one user: it comes back by itself with what was missed, sends commands again with their
 * ids until they are answered, so that each is carried out once, and renews its tokens. All times are in seconds.
 */

import { Commands } from "./nebengjek/commands.js";
import { Connection } from "./nebengjek/connection.js";
import { ClientClosed, CommandDropped, ConnectFailed, ServerError } from "./nebengjek/errors.js";
import { Events } from "./nebengjek/events.js";
import { CommandQueue } from "./nebengjek/queue.js";
import { Receipts } from "./nebengjek/receipts.js";
import { Rest } from "./nebengjek/rest.js";
import { fold } from "./nebengjek/state.js";
import { Tokens } from "./nebengjek/tokens.js";

export * from "./nebengjek/errors.js";
export { Rest } from "./nebengjek/rest.js";
export { allowedActions, fold } from "./nebengjek/state.js";

/** How long a connection may say nothing before it is asked; pings of the server cannot be seen in a browser. */
export const SILENCE_MAX = 60;
/** The least time between two renewals on a connection, should tokens live shorter than the server warns ahead. */
export const RENEWAL_PAUSE = 10;
/** How much later than an earlier one a `session_ready` may have come, that seems to set the clock back. */
const CLOCK_TOLERANCE = 5;

/**
 * @typedef {object} Options
 * @property {string} access
 * @property {string} [refresh]
 * @property {(tokens: {access: string, refresh: string}) => unknown} [onTokens] called with new tokens before they are used
 * @property {(direction: "->" | "<-", text: string) => void} [onFrame] sees every frame
 * @property {(url: string, protocols: string[]) => WebSocket} [makeSocket]
 * @property {typeof globalThis.fetch} [fetch]
 * @property {number | null} [openTimeout] for the first `session_ready`; null: for ever
 * @property {number} [queueMax]
 * @property {number} [queueMaxAge]
 */

export class Client extends Commands {
  /** What the server told, changed by every notification since. @type {any} */ state = null;
  /** @type {any} */ limits = null;
  /** The data of the last `session_ready`. @type {any} */ session = null;
  connected = false;
  #place = { epoch: "", seq: 0 };
  #catchingUp = false;
  #clockOffset = 0;
  #events = new Events();
  #receipts = new Receipts((text) => this.#transmit(text));
  #number = 0;
  #prefix = randomName();
  /** Answers to what goes beside the queue. @type {Map<string, {resolve: (data: any) => void, reject: (error: Error) => void}>} */
  #asides = new Map();
  /** @type {any} */ #silence;
  #renewedAt = -Infinity;

  /** @param {string} url of the site, such as `https://rides.example.com` @param {Options} options */
  constructor(url, options) {
    super();
    this.url = url.replace(/\/+$/, "");
    this.options = options;
    this.rest = new Rest(this.url, { access: options.access, fetch: options.fetch });
    this.tokens = new Tokens(this.rest, options.refresh, options.onTokens);
    this.connection = new Connection(this.tokens, {
      open: () => this.#open(),
      onText: (text) => this.#receive(text),
      onDown: () => this.#down(),
      onPause: (pause, { code, reason }) => this.#local("disconnected", { code, reason, retry_in: pause }),
      onEnd: (error) => this.#end(error),
      now: () => this.now().getTime(),
    });
    const { queueMax: max, queueMaxAge: maxAge } = options;
    this.queue = new CommandQueue({
      max,
      maxAge,
      newId: () => this.#nextId(),
      onSilence: () => this.connection.lose("no answer"),
      onRefused: (error) => this.#local("error", error),
    });
  }

  get access() { return this.tokens.access; }
  get refresh() { return this.tokens.refresh; }
  /** @returns {string | undefined} */
  get userId() { return this.session?.user_id; }
  /** @returns {"driver" | "passenger" | undefined} */
  get role() { return this.session?.role; }

  /** The server's clock. */
  now() { return new Date(Date.now() + this.#clockOffset); }

  /** Connect, and stay connected; resolves with the first `session_ready`. */
  async connect() {
    if (this.connection.ended) throw this.connection.ended;
    if (this.session) return;
    const { openTimeout = 30 } = this.options;
    const first = this.#events.waitFor("session_ready");
    this.connection.start();
    const failed = new ConnectFailed(`No session within ${openTimeout} s.`);
    const timer = openTimeout === null ? undefined
      : setTimeout(() => this.session || this.connection.end(failed), openTimeout * 1000);
    await first.finally(() => clearTimeout(timer));
  }

  /** End the connection for good; commands that wait are rejected. */
  close() { this.connection.end(new ClientClosed("The client was closed.")); }

  /** Try again at once instead of at the end of a pause. */
  retryNow() { this.connection.retryNow(); }

  // --- Events: notifications by their type, and `session_ready`, `state`, `disconnected`, `closed`, `error` without an id ---

  /** @param {string} type or `"*"` @param {(frame: any) => void} handler @returns {() => void} how to end it */
  on(type, handler) { return this.#events.on(type, handler); }
  /** @param {string} type @param {(frame: any) => void} handler */
  off(type, handler) { this.#events.off(type, handler); }
  /** @param {string} type @param {(frame: any) => void} handler */
  once(type, handler) { return this.#events.once(type, handler); }
  /** @param {...string} types */
  subscribe(...types) { return this.#events.subscribe(...types); }
  /** @param {string} type @param {(frame: any) => boolean} [fits] @param {number} [timeout] */
  waitFor(type, fits, timeout) { return this.#events.waitFor(type, fits, timeout); }

  // --- Commands: the methods of `Commands`, and these ---

  /** Any command, also one that this client does not know. @param {string} type @param {object} data @param {{signal?: AbortSignal}} [options] */
  command(type, data, { signal } = {}) {
    if (this.connection.ended) return Promise.reject(this.connection.ended);
    return this.queue.add({ id: this.#nextId(), type, data, signal });
  }

  /**
   * Say where the phone is. A driver's positions are kept, and sent again, until the server has them for the fare; of a
   * passenger's only the latest waits for a connection.
   * @param {{latitude: number, longitude: number, timestamp?: string, accuracy?: number, speed?: number, heading?: number}} data
   */
  async locationUpdate(data) {
    if (this.connection.ended) throw this.connection.ended;
    const keep = this.role === "driver";
    this.queue.addPosition(keep ? { timestamp: this.now().toISOString(), ...data } : data, { keep });
  }

  /** Go on with a fresh token; goes beside the queue, since it is about this one connection. @param {string} token */
  tokenRefresh(token) {
    if (!this.connected) return Promise.resolve({}); // the next connection begins with it
    const id = this.#nextId();
    return new Promise((resolve, reject) => {
      this.#asides.set(id, { resolve, reject });
      this.#transmit(JSON.stringify({ type: "token_refresh", id, data: { token } }));
    });
  }

  // --- What the connection tells ---

  #open() {
    const { epoch, seq } = this.#place;
    const query = epoch ? `?resume=${epoch}:${seq}` : "";
    const make = this.options.makeSocket ?? ((url, protocols) => new WebSocket(url, protocols));
    return make(`${this.url.replace(/^http/, "ws")}/ws/${query}`, ["bearer", this.access]);
  }

  #down() {
    this.connected = this.#catchingUp = false;
    clearTimeout(this.#silence);
    this.#receipts.stop();
    this.queue.pause();
    for (const { reject } of this.#asides.values()) reject(new CommandDropped("The connection was lost."));
    this.#asides.clear();
  }

  /** @param {import("./nebengjek/errors.js").ConnectionEnded} error */
  #end(error) {
    this.queue.end(error);
    this.#local("closed", { reason: error.message, error });
    this.#events.end(error);
  }

  /** @param {string} text */
  #receive(text) {
    this.#trace("<-", text);
    clearTimeout(this.#silence);
    this.#silence = setTimeout(() => this.sync().catch(() => {}), SILENCE_MAX * 1000);
    const frame = JSON.parse(text);
    if (frame.type === "session_ready") this.#ready(frame);
    else if (frame.type === "ack" || frame.type === "error") this.#answered(frame);
    else this.#notified(frame);
  }

  /** @param {any} frame */
  #ready(frame) {
    const { epoch, seq, recovered, server_time, state, limits } = frame.data;
    const begins = !this.connected;
    this.#setClock(Date.parse(server_time) - Date.now());
    Object.assign(this, { session: frame.data, state, limits, connected: true });
    this.#place = { epoch, seq };
    this.#catchingUp = begins && recovered;
    this.connection.established();
    if (begins) this.#receipts.begin();
    this.#receipts.noteState(seq, (begins || !recovered) && state.proposals.length > 0);
    this.#events.emit(frame);
    this.#local("state", this.state);
    if (begins && this.connected) this.#begin();
  }

  /**
   * The longer a `session_ready` was on its way, the slower the server's clock seems. So it is not set back a little:
   * points of a ride that seem to be older than the one before do not count for the fare.
   * @param {number} offset in milliseconds
   */
  #setClock(offset) {
    const back = this.#clockOffset - offset;
    if (!this.session || back < 0 || back > CLOCK_TOLERANCE * 1000) this.#clockOffset = offset;
  }

  /** The state of a resumed session is newer than what was missed: an answer from behind that says when to go on. */
  #begin() {
    if (this.#catchingUp) this.queue.add({ id: this.#nextId(), type: "sync", data: {}, first: true }).catch(() => {});
    this.queue.open((text) => this.#transmit(text), this.limits);
  }

  /** @param {any} frame */
  #notified(frame) {
    if (frame.seq !== undefined) {
      if (frame.seq <= this.#place.seq) return;
      this.#place.seq = frame.seq;
      this.#receipts.note(frame.seq, frame.type);
      if (this.#catchingUp) frame.resumed = true;
      else this.#fold(frame);
    }
    if (frame.type === "server_restarting") this.connection.restartPause = frame.data.reconnect_after;
    if (frame.type === "token_expiring") this.#renewToken();
    this.#events.emit(frame);
    if (frame.seq !== undefined) this.#local("state", this.state);
  }

  /** @param {any} frame */
  #fold(frame) {
    const state = fold(this.state, this.session.role, frame.type, frame.data);
    if (state) this.state = state;
    else this.sync().catch(() => {}); // only the server knows; without a connection the next one will tell
  }

  /** @param {any} frame */
  #answered(frame) {
    const aside = this.#asides.get(frame.id);
    if (aside) {
      this.#asides.delete(frame.id);
      if (frame.type === "ack") aside.resolve(frame.data);
      else aside.reject(ServerError.of(frame.data));
    } else if (!this.queue.answer(frame) && frame.type === "error" && frame.id === undefined) {
      this.#events.emit(frame);
    }
  }

  async #renewToken() {
    const pause = this.#renewedAt + RENEWAL_PAUSE * 1000 - performance.now();
    this.#renewedAt = performance.now() + Math.max(0, pause);
    if (pause > 0) await new Promise((resolve) => setTimeout(resolve, pause));
    if (this.connection.ended) return;
    try {
      if (await this.tokens.renew()) await this.tokenRefresh(this.access);
    } catch {
      // The socket closes with 4401 when the token ends, and the next one asks again.
    }
  }

  /** Tell what no frame tells. @param {string} type @param {any} data */
  #local(type, data) { this.#events.emit({ type, data }); }

  /** @param {string} text */
  #transmit(text) {
    this.#trace("->", text);
    this.connection.socket?.send(text);
  }

  /** @param {"->" | "<-"} direction @param {string} text */
  #trace(direction, text) {
    try {
      this.options.onFrame?.(direction, text);
    } catch (error) {
      console.error(error); // who looks on does not stand in the way
    }
  }

  #nextId() {
    this.#number += 1;
    return `${this.#prefix}-${this.#number}`;
  }
}

/** Unique among all clients of a user: no id may come again within ten minutes. */
function randomName() {
  const bytes = crypto.getRandomValues(new Uint8Array(8));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}
