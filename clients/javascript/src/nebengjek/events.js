/** Handlers by type, and asynchronous iteration over what they would be called with. */

import { ClientClosed, SubscriptionOverflow, WaitTimeout } from "./errors.js";

/** Frames that wait for the reader of a subscription. */
export const SUBSCRIPTION_MAX = 1000;

/** @typedef {{type: string, data: any, seq?: number}} Frame */

export class Events {
  /** @type {Map<string, Set<(frame: any) => void>>} */ #handlers = new Map();
  /** @type {Set<(error: any) => void>} */ #enders = new Set();

  /** Call a handler with each frame of a type, or of every type (`"*"`); returns how to end that. @param {string} type @param {(frame: any) => void} handler */
  on(type, handler) {
    if (!this.#handlers.has(type)) this.#handlers.set(type, new Set());
    this.#handlers.get(type)?.add(handler);
    return () => this.off(type, handler);
  }

  /** @param {string} type @param {(frame: any) => void} handler */
  off(type, handler) {
    this.#handlers.get(type)?.delete(handler);
  }

  /** @param {string} type @param {(frame: any) => void} handler */
  once(type, handler) {
    const off = this.on(type, (frame) => {
      off();
      handler(frame);
    });
    return off;
  }

  /** Tell everybody; a handler that throws does not keep it from the others. @param {Frame} frame */
  emit(frame) {
    for (const type of [frame.type, "*"]) {
      for (const handler of [...(this.#handlers.get(type) ?? [])]) {
        try {
          handler(frame);
        } catch (error) {
          console.error(error);
        }
      }
    }
  }

  /** The next frame of a type that fits. @param {string} type @param {(frame: Frame) => boolean} [fits] @param {number} [timeout] in seconds */
  waitFor(type, fits = () => true, timeout = undefined) {
    return new Promise((resolve, reject) => {
      const off = this.on(type, (frame) => fits(frame) && done(() => resolve(frame)));
      const ender = (/** @type {Error} */ error) => done(() => reject(error));
      const timer = timeout === undefined ? undefined
        : setTimeout(() => done(() => reject(new WaitTimeout(`No ${type} within ${timeout} s.`))), timeout * 1000);
      const done = (/** @type {() => void} */ tell) => {
        off();
        this.#enders.delete(ender);
        clearTimeout(timer);
        tell();
      };
      this.#enders.add(ender);
    });
  }

  /** Iterate over the frames of some types from now on; it ends with `close()` of the client, or throws its error. @param {...string} types */
  subscribe(...types) {
    /** @type {Frame[]} */ const waiting = [];
    /** @type {{done: boolean, error: Error | null}} */ const end = { done: false, error: null };
    let wake = () => {};
    const stop = (/** @type {Error | null} */ error) => {
      Object.assign(end, { done: true, error: error instanceof ClientClosed ? null : error });
      offs.forEach((off) => off());
      this.#enders.delete(stop);
      wake();
    };
    const take = (/** @type {Frame} */ frame) => {
      if (waiting.push(frame) > SUBSCRIPTION_MAX) stop(new SubscriptionOverflow(`${SUBSCRIPTION_MAX} frames were not read.`));
      wake();
    };
    const offs = types.map((type) => this.on(type, take));
    this.#enders.add(stop);
    return (async function* frames() {
      try {
        while (true) {
          while (waiting.length && !(end.error instanceof SubscriptionOverflow)) yield /** @type {Frame} */ (waiting.shift());
          if (end.error) throw end.error;
          if (end.done) return;
          await new Promise((resolve) => { wake = () => resolve(undefined); });
        }
      } finally {
        stop(end.error);
      }
    })();
  }

  /** End all that waits. @param {Error} error */
  end(error) {
    for (const ender of [...this.#enders]) ender(error);
  }
}
