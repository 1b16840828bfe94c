/** The pair of tokens of a session, and how it is renewed. */

import { ServerError } from "./errors.js";
import { Rest } from "./rest.js";

/** Seconds before its end at which a token is renewed rather than used for a new connection. */
const EXPIRY_MARGIN = 5;

export class Tokens {
  /** @type {Promise<boolean> | null} */ #renewing = null;

  /**
   * @param {Rest} rest
   * @param {string | undefined} refresh
   * @param {((tokens: {access: string, refresh: string}) => unknown) | undefined} onTokens
   */
  constructor(rest, refresh, onTokens) {
    this.rest = rest;
    this.refresh = refresh;
    this.onTokens = onTokens;
  }

  get access() {
    return this.rest.access ?? "";
  }

  /** Whether the access token ends at this time, as far as it can be read. @param {number} now in milliseconds */
  hasExpired(now) {
    const end = expiryOf(this.access);
    return end !== undefined && end - EXPIRY_MARGIN <= now / 1000;
  }

  /**
   * Get a new pair; resolves to whether there is one, false when the server refuses. Rejects when it could not be asked.
   * Who asks while that is under way gets the same pair.
   */
  renew() {
    this.#renewing ??= this.#renew().finally(() => { this.#renewing = null; });
    return this.#renewing;
  }

  async #renew() {
    if (!this.refresh) return false;
    let pair;
    try {
      pair = await this.rest.refresh(this.refresh);
    } catch (error) {
      if (isRefusal(error)) return false;
      throw error;
    }
    this.refresh = pair.refresh;
    await this.onTokens?.(pair);
    this.rest.access = pair.access;
    return true;
  }
}

/** @param {unknown} error */
function isRefusal(error) {
  const status = error instanceof ServerError ? error.status ?? 0 : 0;
  return status >= 400 && status < 500 && status !== 429;
}

/** The `exp` of a token; what cannot be read is the server's business. @param {string} token @returns {number | undefined} */
function expiryOf(token) {
  try {
    const claims = token.split(".")[1].replaceAll("-", "+").replaceAll("_", "/");
    return Number(JSON.parse(atob(claims)).exp) || undefined;
  } catch {
    return undefined;
  }
}
