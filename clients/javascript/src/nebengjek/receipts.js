/** Tells the server what has reached this device: `received`, cumulative, without an answer. */

/** Seconds from a notification to its receipt; those that come meanwhile are confirmed with it. */
export const RECEIPT_DELAY = 0.5;
/** Types that are confirmed at once: the server asks another driver beside a phone that seems dead. */
const AT_ONCE = new Set(["match_proposal"]);

export class Receipts {
  #seq = 0;
  #confirmed = 0;
  /** @type {any} */ #timer;

  /** @param {(text: string) => void} send */
  constructor(send) {
    this.send = send;
  }

  /** A connection begins; on an earlier one receipts may have been lost. */
  begin() {
    this.#seq = this.#confirmed = 0;
  }

  /** The connection is gone. */
  stop() {
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }

  /** A notification has come. @param {number} seq @param {string} type */
  note(seq, type) {
    this.#seq = seq;
    this.#confirm(AT_ONCE.has(type));
  }

  /** A whole state has come, maybe with new offers; a smaller number than before is that of another history. @param {number} seq @param {boolean} withOffers */
  noteState(seq, withOffers) {
    if (withOffers) this.#confirmed = -1; // they may be new also where the number is not
    else if (seq < this.#seq) this.#confirmed = 0;
    this.#seq = seq;
    this.#confirm(withOffers);
  }

  /** @param {boolean} atOnce */
  #confirm(atOnce) {
    if (atOnce) this.#tell();
    else this.#timer ??= setTimeout(() => this.#tell(), RECEIPT_DELAY * 1000);
  }

  #tell() {
    this.stop();
    if (this.#seq <= this.#confirmed) return;
    this.#confirmed = this.#seq;
    this.send(JSON.stringify({ type: "received", data: { seq: this.#seq } }));
  }
}
