/** The way between a phone and the server, which can be cut. */

/** What a browser reports for a connection that ended without a closing frame. */
const LOST = { code: 1006, reason: "" };

/** Milliseconds after which an attempt without a network fails. */
const REFUSED_AFTER = 50;

/**
 * A socket that can lose its network. A page cannot end a WebSocket without a closing frame; so the real one is left
 * alone, unheard: the server goes on believing in it, as it does when a phone drives into a tunnel.
 */
class CuttableSocket {
  onopen = null;
  onmessage = null;
  onerror = null;
  onclose = null;
  #lost = false;

  /** @param {WebSocket | null} real null: there is no network */
  constructor(real) {
    this.real = real;
    if (!real) {
      setTimeout(() => this.cut(), REFUSED_AFTER);
      return;
    }
    real.onopen = (event) => this.#pass("onopen", event);
    real.onmessage = (event) => this.#pass("onmessage", event);
    real.onerror = (event) => this.#pass("onerror", event);
    real.onclose = (event) => this.#pass("onclose", event);
  }

  /** @param {string} text */
  send(text) {
    if (!this.#lost) this.real?.send(text);
  }

  /** @param {number} [code] */
  close(code) {
    if (!this.#lost) this.real?.close(code);
  }

  cut() {
    if (this.#lost) return;
    this.#pass("onclose", LOST);
    this.#lost = true;
  }

  /** @param {"onopen" | "onmessage" | "onerror" | "onclose"} name @param {any} event */
  #pass(name, event) {
    const handler = /** @type {((event: any) => void) | null} */ (this[name]);
    if (!this.#lost) handler?.(event);
  }
}

export class Network {
  isCut = false;
  /** @type {CuttableSocket | null} */ #socket = null;

  /** @param {string} url @param {string[]} protocols @returns {any} */
  makeSocket = (url, protocols) => {
    this.#socket = new CuttableSocket(this.isCut ? null : new WebSocket(url, protocols));
    return this.#socket;
  };

  /** @type {typeof globalThis.fetch} */
  fetch = (...request) => (this.isCut ? Promise.reject(new TypeError("There is no network.")) : globalThis.fetch(...request));

  cut() {
    this.isCut = true;
    this.#socket?.cut();
  }

  mend() {
    this.isCut = false;
  }
}
