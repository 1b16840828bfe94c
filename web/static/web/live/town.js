/** What the server told of the town, and what of it is to be shown. */

export const DRIVER_STATES = ["free", "asked", "pickup", "riding", "away"];
const KINDS = ["drivers", "searches", "rides"];

/** The town as it is known now. */
export class Town {
  constructor() {
    this.figures = null;
    /** The server's clock less ours, in seconds. */
    this.ahead = 0;
    /** What the reader wants to see. */
    this.states = new Set([...DRIVER_STATES, "search"]);
    this.text = "";
    this.clear();
  }

  clear() {
    for (const kind of KINDS) {
      /** @type {Map<string, object>} */
      this[kind] = new Map();
    }
    /** @type {Map<string, [number, number][]>} */
    this.tracks = new Map();
  }

  /** Take a frame in. */
  apply({ type, data }) {
    if (type === "snapshot") {
      this.clear();
    }
    for (const kind of KINDS) {
      data[kind].gone.forEach((id) => this[kind].delete(id));
      data[kind].set.forEach((item) => this.merge(kind, item));
    }
    for (const [ride, places] of Object.entries(data.tracks)) {
      this.tracks.set(ride, [...(this.tracks.get(ride) ?? []), ...places]);
    }
    for (const ride of this.tracks.keys()) {
      if (!this.rides.has(ride)) {
        this.tracks.delete(ride);
      }
    }
    this.figures = data.figures;
    this.ahead = data.at - Date.now() / 1000;
  }

  merge(kind, item) {
    const known = this[kind].get(item.id);
    if (known) {
      Object.assign(known, item);
    } else {
      this[kind].set(item.id, { ...item, kind });
    }
  }

  /** Seconds since a time of the server. */
  since(time) {
    return Math.max(0, Date.now() / 1000 + this.ahead - time);
  }

  /** Whether the reader wants to see this. */
  shows(item) {
    return this.states.has(item.kind === "searches" ? "search" : item.state) && (!this.text || this.matches(item));
  }

  matches(item) {
    const digits = this.text.replace(/[\s+().-]/g, "").replace(/^0/, "");
    const words = [item.name, item.passenger_name, item.plate].filter(Boolean).join(" ").toLowerCase();
    return words.includes(this.text) || (/^\d+$/.test(digits) && item.phone.includes(digits));
  }

  /** Those of a kind that the reader wants to see. */
  shown(kind) {
    return [...this[kind].values()].filter((item) => this.shows(item));
  }

  /** How many there are in each state, whether shown or not. */
  counts() {
    const counts = Object.fromEntries(DRIVER_STATES.map((state) => [state, 0]));
    for (const { state } of this.drivers.values()) {
      counts[state] += 1;
    }
    return { ...counts, search: this.searches.size };
  }
}
