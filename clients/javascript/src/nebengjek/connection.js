/** One socket after the other, for as long as it makes sense: when to come back, when to renew the token, when to end. */

import { ClientClosed, ConnectionEnded, LoginRequired, Replaced, ServerError } from "./errors.js";

/** The first pause before a new socket; each next one is twice as long, times a random number from 0.5 to 1. */
export const BACKOFF_FIRST = 0.5;
export const BACKOFF_MAX = 30;
/** A socket that lived so long begins the pauses anew. */
export const STABLE_AFTER = 10;
export const RETRY_AFTER_MAX = 300;
/** The pause after 4429. */
export const FLOOD_WAIT = 30;
/** How long the first frame may take. */
export const SESSION_TIMEOUT = 15;

/** What the close codes of the contract mean for a client that wants to come back. */
const LOST = 1006;
const UNAUTHORIZED = 4401;
const REPLACED = 4409;
const FLOODING = 4429;

/** @typedef {{code: number, reason: string, opened: boolean, error?: unknown}} Down how a socket ended */

/**
 * @typedef {object} Hooks
 * @property {() => WebSocket} open makes a socket
 * @property {(text: string) => void} onText a frame has come
 * @property {() => void} onDown the socket is gone
 * @property {(pause: number, down: Down) => void} onPause before it comes back
 * @property {(error: ConnectionEnded) => void} onEnd it does not come back
 * @property {() => number} now the server's time in milliseconds
 */

export class Connection {
  /** @type {WebSocket | null} */ socket = null;
  /** Seconds to wait before the next socket, as the server has asked for. */
  restartPause = 0;
  /** @type {((code: number, reason: string) => void) | null} */ #down = null;
  #wake = () => {};
  #renewed = false;
  #begun = false;
  /** @type {ConnectionEnded | null} */ ended = null;

  /** @param {import("./tokens.js").Tokens} tokens @param {Hooks} hooks */
  constructor(tokens, hooks) {
    this.tokens = tokens;
    this.hooks = hooks;
  }

  /** Begin, once. */
  start() {
    if (this.#begun) return;
    this.#begun = true;
    globalThis.addEventListener?.("online", this.retryNow);
    this.#live().catch((error) => this.end(error));
  }

  /** Try again now, not at the end of the pause: the network may be back. */
  retryNow = () => this.#wake();

  /** The session has begun: from now on a refused token may be renewed again. */
  established() {
    clearTimeout(this.sessionTimer);
    this.#renewed = false;
  }

  /** Give up a socket that says nothing any more; another one follows. @param {string} reason */
  lose(reason) {
    const { socket } = this;
    this.#down?.(LOST, reason);
    socket?.close();
  }

  /** End for good. @param {unknown} error */
  end(error) {
    if (this.ended) return;
    const known = error instanceof ConnectionEnded;
    if (!known) console.error(error);
    this.ended = known ? error : new ClientClosed(String(error));
    globalThis.removeEventListener?.("online", this.retryNow);
    const { socket } = this;
    this.#down?.(1000, "");
    socket?.close(1000);
    this.#wake();
    this.hooks.onEnd(this.ended);
  }

  async #live() {
    for (let failures = 0; !this.ended; failures += 1) {
      const begun = performance.now();
      const down = await this.#attempt();
      if (this.ended) return;
      if (performance.now() - begun > STABLE_AFTER * 1000) failures = 0;
      const pause = await this.#pauseAfter(down, failures);
      if (this.ended) return;
      this.hooks.onPause(pause, down);
      await this.#sleep(pause);
    }
  }

  /** One socket, with a token that is still good as far as we know. @returns {Promise<Down>} */
  async #attempt() {
    if (this.tokens.refresh && this.tokens.hasExpired(this.hooks.now())) {
      try {
        if (!(await this.tokens.renew())) throw new LoginRequired("A login is needed: the token has expired.");
      } catch (error) {
        if (error instanceof ConnectionEnded) throw error;
        return { code: LOST, reason: String(error), opened: true, error };
      }
    }
    return this.ended ? { code: 1000, reason: "", opened: true } : this.#socketLife();
  }

  /** @returns {Promise<Down>} */
  #socketLife() {
    return new Promise((resolve) => {
      let opened = false;
      const socket = this.hooks.open();
      this.socket = socket;
      this.sessionTimer = setTimeout(() => this.lose("no session"), SESSION_TIMEOUT * 1000);
      this.#down = (code, reason) => {
        clearTimeout(this.sessionTimer);
        socket.onmessage = socket.onclose = socket.onopen = socket.onerror = null;
        this.#down = this.socket = null;
        this.hooks.onDown();
        resolve({ code, reason, opened });
      };
      socket.onopen = () => { opened = true; };
      socket.onerror = () => {}; // `onclose` follows
      socket.onclose = ({ code, reason }) => this.#down?.(code, reason);
      socket.onmessage = ({ data }) => this.hooks.onText(data);
    });
  }

  /** How long to wait before the next socket. Throws what is final. @param {Down} down @param {number} failures */
  async #pauseAfter({ code, opened, error }, failures) {
    if (code === REPLACED) throw new Replaced("A newer connection of the same user took over.");
    try {
      if (code === UNAUTHORIZED || (!opened && (await this.#isTokenRefused()))) {
        await this.#renewOnce();
        return 0;
      }
    } catch (caught) {
      if (caught instanceof ConnectionEnded) throw caught;
      error = caught;
    }
    const pause = this.restartPause || backoff(failures);
    this.restartPause = 0;
    return Math.max(pause, code === FLOODING ? FLOOD_WAIT : 0, askedFor(error));
  }

  /** A browser does not say why a handshake failed; the same token over HTTP does. Rejects when that fails too. */
  async #isTokenRefused() {
    try {
      await this.tokens.rest.me();
    } catch (error) {
      if (error instanceof ServerError && (error.status === 401 || error.status === 403)) return true;
      throw error;
    }
    return false;
  }

  /** Renew a token that was refused; a second one in a row means that tokens do not help. */
  async #renewOnce() {
    if (this.#renewed || !(await this.tokens.renew())) {
      throw new LoginRequired("A login is needed: the server refused the token.");
    }
    this.#renewed = true;
  }

  /** @param {number} seconds */
  #sleep(seconds) {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, seconds * 1000);
      this.#wake = () => {
        clearTimeout(timer);
        resolve(undefined);
      };
    });
  }
}

/** @param {number} failures */
function backoff(failures) {
  return Math.min(BACKOFF_MAX, BACKOFF_FIRST * 2 ** failures) * (0.5 + Math.random() / 2);
}

/** What `Retry-After` asks for, and a little more, so that not all come at once. @param {unknown} error */
function askedFor(error) {
  const asked = error instanceof ServerError ? error.retryAfter : 0;
  return asked ? Math.min(RETRY_AFTER_MAX, asked) + Math.random() * BACKOFF_FIRST : 0;
}
