/** The map of a phone: what it shows follows the phone, and places are chosen on it. */

import { addMarker, createMap, fitTo, moveMarker, trackLine } from "../map.js";
import { placeAt, wayTo } from "./geo.js";

/** @typedef {import("./geo.js").Place} Place */
/** @typedef {import("./phone.js").Phone} Phone */

/** Milliseconds that a marker takes to its next place: about as long as until the next one comes. */
const GLIDE = 500;
/** @type {Record<string, () => string>} */
const NAMES = {
  driver: () => gettext("Driver"), passenger: () => gettext("Passenger"),
  pickup: () => gettext("Pick-up"), target: () => gettext("Destination"),
};
/** @type {Record<string, string>} */
const DRAGGED = { driver: "place", pickup: "pickup", target: "target" };

export class PhoneMap {
  /** @type {Map<string, any>} */ #markers = new Map();
  #scene = "";

  /**
   * @param {HTMLElement} element
   * @param {Phone} phone
   * @param {{chosen: () => string, choose: (what: string) => void}} places what a click on the map sets
   */
  constructor(element, phone, { chosen, choose }) {
    this.phone = phone;
    this.choose = choose;
    const label = phone.role === "driver" ? gettext("Map of the driver") : gettext("Map of the passenger");
    this.map = createMap(element, { label, zoom: 14, leaflet: { scrollWheelZoom: false } });
    this.way = trackLine(this.map, [], { planned: true });
    this.driven = trackLine(this.map, []);
    this.map.on("click", (/** @type {any} */ { latlng }) => this.#choose(chosen(), latlng));
    new ResizeObserver(() => this.map.invalidateSize()).observe(element);
  }

  draw() {
    const shown = this.#places();
    for (const [kind, marker] of this.#markers) {
      if (!shown[kind]) {
        marker.remove();
        this.#markers.delete(kind);
      }
    }
    for (const [kind, place] of Object.entries(shown)) if (place) this.#put(kind, place);
    this.way.setLatLngs(this.#way().map(point));
    this.driven.setLatLngs(this.phone.driven.map(point));
    this.#fit(shown);
  }

  /** @returns {Record<string, Place | null>} */
  #places() {
    const { role, state, other, finished } = this.phone;
    const { ride, finder, proposals } = state ?? {};
    const isDriver = role === "driver";
    const asked = isDriver ? proposals?.[0] : null;
    const trip = ride ?? finished ?? (finder?.is_active ? finder : asked);
    return {
      driver: isDriver ? this.phone.get("place") : other,
      passenger: isDriver && ride?.status === "PICKUP" ? other : null,
      pickup: trip?.location ?? (isDriver ? null : this.phone.get("pickup")),
      target: trip?.target_location ?? (isDriver ? null : this.phone.get("target")),
    };
  }

  /** The way that is still to go, as far as this phone can know it. @returns {Place[]} */
  #way() {
    const { role, drive, heading, state } = this.phone;
    if (drive.isUnderWay) return drive.way;
    if (heading) return wayTo(this.phone.get("place"), heading);
    if (role === "driver" || state?.ride || this.phone.finished) return [];
    return wayTo(this.phone.get("pickup"), this.phone.get("target"));
  }

  /** @param {string} kind @param {Place} place */
  #put(kind, place) {
    const marker = this.#markers.get(kind) ?? this.#add(kind, place);
    if (!marker.dragging?.moving?.()) moveMarker(marker, point(place), { lasts: GLIDE });
    if (this.#isFree(kind)) marker.dragging?.enable();
    else marker.dragging?.disable();
  }

  /** @param {string} kind @param {Place} place */
  #add(kind, place) {
    const canDrag = this.#mayMove(kind);
    const name = NAMES[kind]();
    const marker = addMarker(this.map, /** @type {any} */ (kind), point(place), { name, heading: undefined, interactive: canDrag });
    if (canDrag) marker.on("dragend", () => this.#choose(DRAGGED[kind], marker.getLatLng()));
    if (canDrag) marker.on("click", () => this.choose(kind));
    this.#markers.set(kind, marker);
    return marker;
  }

  /** @param {string} kind */
  #mayMove(kind) {
    return this.phone.role === "driver" ? kind === "driver" : kind === "pickup" || kind === "target";
  }

  /** A car with a passenger is driven, not carried; and what was asked for is settled. @param {string} kind */
  #isFree(kind) {
    const { role, state } = this.phone;
    if (!this.#mayMove(kind)) return false;
    return role === "driver" ? state?.ride?.status !== "ONGOING" : !state?.ride && !state?.finder?.is_active && !this.phone.finished;
  }

  /** @param {string} what @param {{lat: number, lng: number}} latlng */
  #choose(what, latlng) {
    const kind = what === "place" ? "driver" : what;
    if (!this.#isFree(kind)) return;
    const place = placeAt(latlng.lat, latlng.lng);
    if (what === "place") this.phone.moveTo(place);
    else this.phone.set({ [what]: place });
  }

  /** Show everything that matters, when that changes; else leave the view to who looks at it. @param {Record<string, Place | null>} shown */
  #fit(shown) {
    const { state } = this.phone;
    const kinds = Object.keys(shown).filter((kind) => shown[kind]);
    const scene = JSON.stringify([kinds, state?.ride?.status, Boolean(state?.finder?.is_active)]);
    if (scene === this.#scene) return;
    this.#scene = scene;
    this.map.invalidateSize();
    fitTo(this.map, kinds.map((kind) => point(/** @type {Place} */ (shown[kind]))), { padding: 36, closest: 15 });
  }
}

/** @param {Place} place @returns {[number, number]} */
function point({ latitude, longitude }) {
  return [latitude, longitude];
}
