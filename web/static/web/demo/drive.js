/** A vehicle on its way along the streets. */

import { advance, distance, lengthOf, wayTo } from "./geo.js";

/** Milliseconds between two positions. */
const STEP = 500;
/** Metres a second at corners and at the end, and by how much the speed changes in a second: more is no vehicle to the meter. */
const CORNER = 8;
const CHANGE = 5;

/** @typedef {import("./geo.js").Place} Place */

export class Drive {
  /** @type {Place[]} what is left of the way */ way = [];
  #timer = 0;
  #at = 0;
  /** Metres a second. */ #pace = CORNER;

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
    this.#pace = CORNER;
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
    const seconds = (now - this.#at) / 1000;
    this.#at = now;
    const [here, corner] = this.way;
    const brake = Math.sqrt(CORNER ** 2 + 2 * CHANGE * distance(here, corner));
    this.#pace = Math.min(this.speed() / 3.6, this.#pace + CHANGE * seconds, brake);
    this.way = advance(this.way, seconds * this.#pace);
    const [place] = this.way;
    if (this.way.length === 1) this.stop();
    this.onMove(place);
  }
}
