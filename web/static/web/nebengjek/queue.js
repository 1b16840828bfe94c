/** Commands that wait for their answer: in order, one on its way at a time, sent again until the server has answered. */

import { CommandExpired, CommandTooLarge, QueueFull, RateLimited, ServerError } from "./errors.js";

export const QUEUE_MAX = 100;
/** Seconds; less than the ten minutes for which the server remembers ids, so that nothing can happen twice. */
export const QUEUE_MAX_AGE = 540;
/** Seconds without an answer after which the connection counts as dead. */
export const ANSWER_TIMEOUT = 30;
/** The shortest pause after `RATE_LIMIT`, in seconds. */
const RETRY_MIN = 0.1;

/**
 * @typedef {object} Waiting a command, or (without id) a position
 * @property {string} [id]
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

  /** @param {{max?: number, maxAge?: number, onSilence: () => void}} options `onSilence`: an answer does not come */
  constructor({ max = QUEUE_MAX, maxAge = QUEUE_MAX_AGE, onSilence }) {
    this.max = max;
    this.maxAge = maxAge;
    this.onSilence = onSilence;
  }

  /** How many commands wait for an answer. */
  get length() {
    return this.#waiting.filter((item) => item.id).length;
  }

  /** A connection is there: send what waits, first what may have been lost. @param {(text: string) => void} send @param {number} [maxSize] */
  open(send, maxSize) {
    this.#send = send;
    this.#maxSize = maxSize || Infinity;
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
      const item = this.#item(JSON.stringify({ type, id, data }), resolve, reject, id);
      item.timer = setTimeout(() => this.#expire(item), this.maxAge * 1000);
      signal?.addEventListener("abort", () => this.#settle(item, () => reject(signal.reason)), { once: true });
      if (first) this.#waiting.unshift(item);
      else this.#waiting.push(item);
      this.#next();
    });
  }

  /** Send a position at once; without a connection the latest keeps its place between the commands. @param {object} data */
  addPosition(data) {
    const text = JSON.stringify({ type: "location_update", data });
    if (this.#send) {
      this.#send(text);
      return;
    }
    if (this.#waiting.at(-1)?.id === undefined) this.#waiting.pop();
    this.#waiting.push(this.#item(text, () => {}, () => {}));
  }

  /** Take an `ack` or `error`; returns whether it was for the command on its way. @param {any} frame */
  answer(frame) {
    const item = this.#onItsWay;
    if (!item || item.id !== frame.id) return false;
    if (frame.type === "ack") {
      this.#settle(item, () => item.resolve(frame.data));
    } else {
      this.#refused(item, ServerError.of(frame.data));
    }
    return true;
  }

  /** Nothing will be answered any more. @param {Error} error */
  end(error) {
    this.pause();
    for (const item of [...this.#waiting]) this.#settle(item, () => item.reject(error));
  }

  /** @param {Waiting} item @param {ServerError} error */
  #refused(item, error) {
    if (!(error instanceof RateLimited)) {
      this.#settle(item, () => item.reject(error));
      return;
    }
    clearTimeout(this.#answerTimer);
    this.#onItsWay = null;
    this.#pause = setTimeout(() => {
      this.#pause = undefined;
      this.#next();
    }, Math.max(RETRY_MIN, error.retryAfter ?? 0) * 1000);
  }

  #next() {
    while (this.#send && !this.#onItsWay && this.#pause === undefined && this.#waiting.length) {
      const item = this.#waiting[0];
      if (this.#age(item) >= this.maxAge) {
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
    if (item.id === undefined) {
      this.#waiting.shift();
    } else {
      item.sent = true;
      this.#onItsWay = item;
      this.#answerTimer = setTimeout(this.onSilence, ANSWER_TIMEOUT * 1000);
    }
    this.#send?.(item.text);
  }

  /** @param {string} text @param {(data: any) => void} resolve @param {(error: Error) => void} reject @param {string} [id] @returns {Waiting} */
  #item(text, resolve, reject, id) {
    return { id, text, resolve, reject, sent: false, wall: Date.now(), ticks: performance.now() };
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
    const place = this.#waiting.indexOf(item);
    if (place < 0) return;
    this.#waiting.splice(place, 1);
    clearTimeout(item.timer);
    if (this.#onItsWay === item) {
      this.#onItsWay = null;
      clearTimeout(this.#answerTimer);
    }
    tell();
    this.#next();
  }
}
