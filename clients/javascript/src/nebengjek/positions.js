/**
 * A driver's positions make the fare: they are kept until the answer to something later says that the server has them,
 * and go out again on the next connection when none came. The server refuses the points that it has already.
 */

/** Positions of a driver that are kept, those that were sent included: of half an hour, with one a second. */
export const POSITIONS_MAX = 2000;
/** Seconds that positions that were sent stay unconfirmed, before the next one asks for an answer. */
export const CONFIRM_INTERVAL = 5;
/** Positions that are sent for each that the server shows (`limits.location_rate`): half of what it takes. */
const PER_SHOWN = 5;
/** Seconds whose positions go out at once: half of what the server takes, again. */
const BURST = 10;

/** How many positions may go out over one connection; a rate of 0 is no limit. */
export class PositionPace {
  #rate = 0;
  #room = 0;
  #seen = 0;

  /** A new connection, which shows so many positions a second. @param {number} locationRate */
  begin(locationRate) {
    this.#rate = PER_SHOWN * locationRate;
    this.#room = BURST * this.#rate;
    this.#seen = performance.now();
  }

  /** Take one. @returns {number} 0, or after how many seconds there will be one */
  take() {
    if (!this.#rate) return 0;
    const now = performance.now();
    this.#room = Math.min(BURST * this.#rate, this.#room + ((now - this.#seen) / 1000) * this.#rate);
    this.#seen = now;
    if (this.#room < 1) return (1 - this.#room) / this.#rate;
    this.#room -= 1;
    return 0;
  }
}

/** What was sent and is not confirmed, in its order. */
export class Unconfirmed {
  /** @type {{position: object, sentAt: number}[]} */ #sent = [];

  get length() { return this.#sent.length; }

  /** @param {object} position */
  add(position) { this.#sent.push({ position, sentAt: performance.now() }); }

  /** Whether the next position shall ask for an answer. */
  get isDue() {
    return this.#sent.length > 0 && performance.now() - this.#sent[0].sentAt >= CONFIRM_INTERVAL * 1000;
  }

  dropOldest() { this.#sent.shift(); }

  /** Forget all and return them. @returns {object[]} */
  take() {
    return this.#sent.splice(0).map(({ position }) => position);
  }
}
