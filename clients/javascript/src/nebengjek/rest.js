/** The REST side: login, registration, one's profile and rides. */

import { ServerError } from "./errors.js";

/** Seconds that an answer may take. */
export const REQUEST_TIMEOUT = 15;

export class Rest {
  /**
   * @param {string} url of the site, such as `https://rides.example.com`
   * @param {{access?: string, fetch?: typeof globalThis.fetch}} [options]
   */
  constructor(url, { access, fetch } = {}) {
    this.url = url.replace(/\/+$/, "");
    this.access = access;
    this.fetch = fetch ?? globalThis.fetch.bind(globalThis);
  }

  /** Have a one-time code sent; resolves to the seconds that it is good for. @param {string} msisdn */
  async requestCode(msisdn) {
    return (await this.call("POST", "/api/auth/otp/", { msisdn })).expires_in;
  }

  /** Exchange a code for `{access, refresh, user}`; `access` is used from now on. @param {string} msisdn @param {string} code */
  async logIn(msisdn, code) {
    return this.#begin(await this.call("POST", "/api/auth/token/", { msisdn, otp: code }));
  }

  /** Register a vehicle; the answer has new tokens, of a driver. @param {string} vehicleType @param {string} vehiclePlate */
  async registerDriver(vehicleType, vehiclePlate) {
    const body = { vehicle_type: vehicleType, vehicle_plate: vehiclePlate };
    return this.#begin(await this.call("POST", "/api/drivers/", body));
  }

  /** Exchange a refresh token for a new pair; it works once. @param {string} refresh */
  async refresh(refresh) {
    return this.call("POST", "/api/auth/refresh/", { refresh });
  }

  /** End all tokens of the user. @param {string} refresh */
  async logOut(refresh) {
    await this.call("POST", "/api/auth/logout/", { refresh });
  }

  async me() {
    return this.call("GET", "/api/me/");
  }

  /** Change one's name, or confirm it after a login; the answer is the profile. @param {string} fullName */
  async setName(fullName) {
    return this.call("PATCH", "/api/me/", { full_name: fullName });
  }

  /** End the account and all personal data with it; refused (409) during a ride and until it is paid. */
  async deleteAccount() {
    await this.call("DELETE", "/api/me/");
    this.access = undefined;
  }

  /** Never again be paired with the other side of a ride. @param {string} rideId */
  async block(rideId) {
    await this.call("POST", `/api/rides/${encodeURIComponent(rideId)}/block/`);
  }

  /** A page of one's own rides, newest first: `{count, next, previous, results}`. */
  async rides(page = 1) {
    return this.call("GET", `/api/rides/?page=${page}`);
  }

  /** One ride, with its ledger, the lines of its receipt and its payment. @param {string} rideId */
  async ride(rideId) {
    return this.call("GET", `/api/rides/${encodeURIComponent(rideId)}/`);
  }

  /** A page of the positions that the driver of a ride reported, 1,000 at most. @param {string} rideId */
  async track(rideId, page = 1) {
    return this.call("GET", `/api/rides/${encodeURIComponent(rideId)}/track/?page=${page}`);
  }

  /** What a ride will cost; `finderUpdate` takes its `quote_id`. @param {object} wish location, target_location, vehicle_type? */
  async quote(wish) {
    return this.call("POST", "/api/quotes/", wish);
  }

  /**
   * Any call; a refusal is a `ServerError` with its `status`. Without an answer `fetch`'s own error comes through.
   * @param {string} method
   * @param {string} path
   * @param {object} [body]
   */
  async call(method, path, body) {
    /** @type {Record<string, string>} */
    const headers = {};
    if (body) headers["Content-Type"] = "application/json";
    if (this.access && !path.startsWith("/api/auth/")) headers.Authorization = `Bearer ${this.access}`;
    const answer = await this.fetch(this.url + path, {
      method,
      headers,
      body: body && JSON.stringify(body),
      credentials: "omit",
      signal: AbortSignal.timeout(REQUEST_TIMEOUT * 1000),
    });
    const text = await answer.text();
    if (!answer.ok) throw refusal(answer, text);
    return text ? JSON.parse(text) : undefined;
  }

  /** @param {any} session */
  #begin(session) {
    this.access = session.access;
    return session;
  }
}

/** @param {Response} answer @param {string} text */
function refusal(answer, text) {
  let data;
  try {
    data = JSON.parse(text);
  } catch {
    data = { code: "INTERNAL_ERROR", message: `HTTP ${answer.status}` }; // of a proxy, not of the server
  }
  const retry = Number(answer.headers.get("Retry-After"));
  return ServerError.of(retry ? { ...data, retry_after: retry } : data, answer.status);
}
