/** A vehicle on its way along the streets. */

import { advance, lengthOf, wayTo } from "./geo.js";

/** Milliseconds between two positions. */
const STEP = 500;

/** @typedef {import("./geo.js").Place} Place */

export class Drive {
  /** @type {Place[]} what is left of the way */ way = [];
  #timer = 0;
  #at = 0;

  /** @param {{speed: () => number, onMove: (place: Place) => void}} options `speed` in km/h, at any time */
  constructor({ speed, onMove }) {
    this.speed = speed;
    this.onMove = onMove;
  }

  get isUnderWay() {
    return this.#timer !== 0;
  }

  /** Metres to go. */
  get left() {
    return lengthOf(this.way);
  }

  /** @param {Place} from @param {Place} target */
  start(from, target) {
    this.stop();
    this.way = wayTo(from, target);
    this.#at = performance.now();
    this.#timer = window.setInterval(() => this.#step(), STEP);
  }

  stop() {
    window.clearInterval(this.#timer);
    this.#timer = 0;
    this.way = [];
  }

  /** Go as far as the time since the last step allows: timers of hidden pages are late. */
  #step() {
    const now = performance.now();
    this.way = advance(this.way, ((now - this.#at) / 1000) * (this.speed() / 3.6));
    this.#at = now;
    const [place] = this.way;
    if (this.way.length === 1) this.stop();
    this.onMove(place);
  }
}
