/**
 * Commands that wait for their answer: in order, one on its way at a time, sent again until the server has answered; and
 * among them positions, which go out one behind the other (see `positions.js`).
 */

import {
  CommandExpired, CommandTooLarge, InternalError, QueueFull, RateLimited, ServerError, Unauthorized, ValidationFailed,
} from "./errors.js";
import { POSITIONS_MAX, PositionPace, Unconfirmed } from "./positions.js";

export const QUEUE_MAX = 100;
/** Seconds; less than the ten minutes for which the server remembers ids, so that nothing can happen twice. */
export const QUEUE_MAX_AGE = 540;
/** Seconds without an answer after which the connection counts as dead. */
export const ANSWER_TIMEOUT = 30;
/** The shortest pause after `RATE_LIMIT`, in seconds. */
const RETRY_MIN = 0.1;
/** Commands that the server answers without a look at the positions before them. */
const SETTLES_NOTHING = new Set(["sync"]);

/**
 * @typedef {object} Waiting a command or a position
 * @property {string} [id] of a position only while it asks for an answer
 * @property {string} type
 * @property {object} [position] the data of a position
 * @property {boolean} [kept] whether a position is kept until it is confirmed
 * @property {string} text the frame
 * @property {boolean} sent
 * @property {number} wall when it was given, by the clock on the wall
 * @property {number} ticks the same, by one that never jumps
 * @property {(data: any) => void} resolve
 * @property {(error: Error) => void} reject
 * @property {any} [timer]
 */

export class CommandQueue {
  /** @type {Waiting[]} */ #waiting = [];
  /** @type {((text: string) => void) | null} */ #send = null;
  /** @type {any} */ #answerTimer;
  /** @type {any} */ #pause;
  /** @type {Waiting | null} */ #onItsWay = null;
  #maxSize = Infinity;
  #unconfirmed = new Unconfirmed();
  #pace = new PositionPace();

  /**
   * @typedef {object} QueueOptions
   * @property {number} [max]
   * @property {number} [maxAge]
   * @property {() => string} newId for positions that ask for an answer
   * @property {() => void} onSilence an answer does not come
   * @property {(error: any) => void} onRefused a position got this error
   */
  /** @param {QueueOptions} options */
  constructor({ max = QUEUE_MAX, maxAge = QUEUE_MAX_AGE, newId, onSilence, onRefused }) {
    this.max = max;
    this.maxAge = maxAge;
    this.newId = newId;
    this.onSilence = onSilence;
    this.onRefused = onRefused;
  }

  /** How many commands wait for an answer. */
  get length() {
    return this.#waiting.filter((item) => !item.position).length;
  }

  /** A connection is there: send what waits, first what may have been lost. @param {(text: string) => void} send @param {{max_message_size?: number, location_rate?: number}} limits */
  open(send, limits) {
    this.#send = send;
    this.#maxSize = limits.max_message_size || Infinity;
    this.#pace.begin(limits.location_rate ?? 0);
    this.#waiting.unshift(...this.#unconfirmed.take().map((position) => this.#positionItem(position, true)));
    this.#next();
  }

  /** The connection is gone; what was on its way will be sent again. */
  pause() {
    this.#send = null;
    this.#onItsWay = null;
    clearTimeout(this.#answerTimer);
    clearTimeout(this.#pause);
    this.#pause = undefined;
  }

  /**
   * Take a command; resolves to the `data` of its `ack`. Aborting withdraws it: it is not sent, or not again.
   * @param {{id: string, type: string, data: object, signal?: AbortSignal, first?: boolean}} command
   */
  add({ id, type, data, signal, first = false }) {
    if (signal?.aborted) return Promise.reject(signal.reason);
    if (this.length >= this.max && !first) {
      return Promise.reject(new QueueFull(`${this.max} commands wait already.`));
    }
    return new Promise((resolve, reject) => {
      const item = this.#item({ id, type, text: textOf({ type, id, data }), resolve, reject });
      item.timer = setTimeout(() => this.#expire(item), this.maxAge * 1000);
      signal?.addEventListener("abort", () => this.#settle(item, () => reject(signal.reason)), { once: true });
      if (first) this.#waiting.unshift(item);
      else this.#waiting.push(item);
      this.#next();
    });
  }

  /** Send a position behind what was given before it; without `keep` it takes the place of one that still waits. @param {object} data @param {{keep: boolean}} options */
  addPosition(data, { keep }) {
    const item = this.#positionItem(data, keep);
    const own = this.#waiting.filter(({ position }) => position);
    const tooMany = keep ? this.#unconfirmed.length + own.filter(({ kept }) => kept).length + 1 - POSITIONS_MAX : 0;
    for (let n = 0; n < tooMany; n += 1) this.#dropOldest();
    for (const old of own) if (!old.kept) this.#remove(old);
    this.#waiting.push(item);
    this.#next();
  }

  #dropOldest() {
    const oldest = this.#unconfirmed.length ? undefined : this.#waiting.find(({ kept }) => kept);
    if (oldest) this.#remove(oldest);
    else this.#unconfirmed.dropOldest();
  }

  /** Take an `ack` or `error`; returns whether it was for the command on its way. @param {any} frame */
  answer(frame) {
    const item = this.#onItsWay;
    if (!item || item.id !== frame.id) return false;
    const error = frame.type === "ack" ? null : ServerError.of(frame.data);
    if (error instanceof RateLimited) {
      this.#waitFor(error.retryAfter);
    } else {
      if (confirms(item, error)) this.#unconfirmed.take();
      if (error && item.position) this.#refused(item, error, frame.data);
      this.#settle(item, () => (error ? item.reject(error) : item.resolve(frame.data)));
    }
    return true;
  }

  /** Nothing will be answered any more. @param {Error} error */
  end(error) {
    this.pause();
    for (const item of [...this.#waiting]) this.#settle(item, () => item.reject(error));
  }

  /** Over the rate limit: what was refused stays at the head. @param {number} [retryAfter] */
  #waitFor(retryAfter) {
    clearTimeout(this.#answerTimer);
    this.#onItsWay = null;
    this.#goOnAfter(Math.max(RETRY_MIN, retryAfter ?? 0));
  }

  /** @param {number} seconds */
  #goOnAfter(seconds) {
    this.#pause = setTimeout(() => {
      this.#pause = undefined;
      this.#next();
    }, seconds * 1000);
  }

  /** After a fault of the server a position may be booked later, or not: another answer will tell. @param {Waiting} item @param {ServerError} error @param {any} data */
  #refused(item, error, data) {
    if (error instanceof InternalError && item.position) this.#unconfirmed.add(item.position);
    this.onRefused(data);
  }

  #next() {
    while (this.#send && !this.#onItsWay && this.#pause === undefined && this.#waiting.length) {
      const item = this.#waiting[0];
      if (!item.position && this.#age(item) >= this.maxAge) {
        this.#expire(item);
      } else if (new TextEncoder().encode(item.text).length > this.#maxSize) {
        const error = new CommandTooLarge(`A command may have ${this.#maxSize} bytes.`);
        this.#settle(item, () => item.reject(error));
      } else {
        this.#transmit(item);
      }
    }
  }

  /** @param {Waiting} item */
  #transmit(item) {
    if (item.position) this.#transmitPosition(item, item.position);
    else this.#ask(item, item.text);
  }

  /** @param {Waiting} item @param {object} position */
  #transmitPosition(item, position) {
    const pause = this.#pace.take();
    if (pause) {
      this.#goOnAfter(pause);
    } else if (item.kept && this.#unconfirmed.isDue) {
      item.id = this.newId();
      this.#ask(item, JSON.stringify({ type: item.type, id: item.id, data: position }));
    } else {
      this.#waiting.shift();
      if (item.kept) this.#unconfirmed.add(position);
      this.#send?.(item.text);
    }
  }

  /** Send what is answered. @param {Waiting} item @param {string} text */
  #ask(item, text) {
    item.sent = true;
    this.#onItsWay = item;
    this.#answerTimer = setTimeout(this.onSilence, ANSWER_TIMEOUT * 1000);
    this.#send?.(text);
  }

  /** @param {object} position @param {boolean} kept */
  #positionItem(position, kept) {
    const type = "location_update";
    const text = JSON.stringify({ type, data: position });
    return this.#item({ type, position, kept, text, resolve: () => {}, reject: () => {} });
  }

  /** @param {Omit<Waiting, "sent" | "wall" | "ticks">} item @returns {Waiting} */
  #item(item) {
    return { ...item, sent: false, wall: Date.now(), ticks: performance.now() };
  }

  /** @param {Waiting} item */
  #age(item) {
    return Math.max(Date.now() - item.wall, performance.now() - item.ticks) / 1000;
  }

  /** @param {Waiting} item */
  #expire(item) {
    const error = new CommandExpired(`No answer within ${this.maxAge} s.`, item.sent);
    this.#settle(item, () => item.reject(error));
  }

  /** @param {Waiting} item @param {() => void} tell */
  #settle(item, tell) {
    if (!this.#remove(item)) return;
    tell();
    this.#next();
  }

  /** @param {Waiting} item @returns {boolean} whether it was there */
  #remove(item) {
    const place = this.#waiting.indexOf(item);
    if (place < 0) return false;
    this.#waiting.splice(place, 1);
    clearTimeout(item.timer);
    if (this.#onItsWay === item) {
      this.#onItsWay = null;
      clearTimeout(this.#answerTimer);
    }
    return true;
  }
}

/**
 * The text of a frame. Half of a surrogate pair (half an emoji) is no text that the server could read, so it could not
 * answer either, and everything behind it would wait: the command fails at once.
 * @param {object} frame
 */
function textOf(frame) {
  return JSON.stringify(frame, (_, value) => {
    if (typeof value === "string" && /\p{Surrogate}/u.test(value)) throw new TypeError("A text ends within a character.");
    return value;
  });
}

/**
 * Whether the server has the positions before something that was answered: it books them before it carries out a command
 * (but `sync`), and before it acknowledges a position.
 * @param {Waiting} item @param {ServerError | null} error
 */
function confirms(item, error) {
  if (!error) return !SETTLES_NOTHING.has(item.type);
  return !item.position && (error instanceof ValidationFailed || error instanceof Unauthorized);
}
