/** Who and what is on the map: a driver with a heading, a passenger, the pick-up and the target. */
import { svg } from "./svg.js";

/** @typedef {"driver" | "passenger" | "pickup" | "target"} Kind */

/** Metres: what moves further jumps, since nobody drove there. */
const FARTHEST_GLIDE = 2000;

/** Metres: below this distance the heading is kept. */
const LEAST_TURN = 2;

/** The shapes, in a box of 32 by 32: those of people around its middle, those of places standing on their point. */
const SHAPES = {
  driver: () => [
    svg("circle", { class: "map-mark-body", r: 12 }),
    svg("path", { class: "map-mark-heading", d: "M0-19 5-11.5H-5Z" }),
    svg("circle", { class: "map-mark-sign", cx: -5, cy: 3, r: 2.6 }),
    svg("circle", { class: "map-mark-sign", cx: 5, cy: 3, r: 2.6 }),
    svg("path", { class: "map-mark-sign", d: "M-5 3-2-2H3L5 3M1-6H3L3.5-2" }),
  ],
  passenger: () => [
    svg("rect", { class: "map-mark-body", x: -10, y: -10, width: 20, height: 20, rx: 5 }),
    svg("path", { class: "map-mark-sign", d: "M0-6.5a3 3 0 1 1-.1 0M-5.5 6.5a5.5 5.5 0 0 1 11 0" }),
  ],
  pickup: () => [
    svg("path", { class: "map-mark-body", d: "M0 15-9-1A10.300 10.300 0 1 1 9-1Z" }),
    svg("circle", { class: "map-mark-sign", cy: -5.5, r: 3.5 }),
  ],
  target: () => [
    svg("path", { class: "map-mark-body", d: "M-6 15V-14H11L7-7.5 11-1H-4V15Z" }),
  ],
};

/** The point of a shape that stands on the place, in pixels of the icon. */
const ANCHORS = { driver: [16, 16], passenger: [16, 16], pickup: [16, 31], target: [11, 31] };

/** @type {Map<L.Marker, {from: L.LatLng, to: L.LatLng, begun: number, lasts: number}>} */
const glides = new Map();

/**
 * Put a marker on the map.
 * @param {Kind} kind
 * @param {[number, number] | L.LatLng} at
 * @param {{name: string, heading?: number, interactive?: boolean}} options `name` is what a screen reader says; an
 *   interactive marker is reached by keyboard and fires `click`.
 */
export function addMarker(map, kind, at, { name, heading, interactive = false }) {
  const drawing = svg("g", {}, ...SHAPES[kind]());
  const html = svg("svg", { viewBox: "-16 -16 32 32", width: 32, height: 32, "aria-hidden": "true" }, drawing);
  const className = `map-mark map-mark-${kind}`;
  const icon = L.divIcon({ className, html, iconSize: [32, 32], iconAnchor: ANCHORS[kind] });
  const marker = L.marker(at, { icon, interactive, keyboard: interactive });
  marker.on("add", () => nameMarker(marker, name));
  marker.on("remove", () => glides.delete(marker));
  marker.addTo(map);
  turnMarker(marker, heading);
  return marker;
}

/** Change what a marker is called. */
export function nameMarker(marker, name) {
  const element = marker.getElement();
  element.setAttribute("role", marker.options.keyboard ? "button" : "img");
  element.setAttribute("aria-label", name);
  element.title = name;
}

/** Let a driver's marker point to a heading, in degrees clockwise from north; without one it points nowhere. */
export function turnMarker(marker, heading) {
  const pointer = marker.getElement().querySelector(".map-mark-heading");
  pointer?.toggleAttribute("hidden", heading === undefined || heading === null);
  pointer?.setAttribute("transform", `rotate(${heading ?? 0})`);
}

/**
 * Move a marker to a place within `lasts` milliseconds; where little motion is wanted, at once.
 * A driver's marker turns to where it goes unless a heading is given.
 */
export function moveMarker(marker, at, { heading, lasts = 900 } = {}) {
  const [from, to] = [marker.getLatLng(), L.latLng(at)];
  const distance = from.distanceTo(to);
  if (heading !== undefined || distance >= LEAST_TURN) {
    turnMarker(marker, heading ?? bearing(from, to));
  }
  if (document.hidden || distance > FARTHEST_GLIDE || matchMedia("(prefers-reduced-motion: reduce)").matches) {
    glides.delete(marker);
    marker.setLatLng(to);
    return;
  }
  glides.set(marker, { from, to, begun: performance.now(), lasts });
  if (glides.size === 1) {
    requestAnimationFrame(glide);
  }
}

/** Move all that glides by one frame. */
function glide(now) {
  for (const [marker, { from, to, begun, lasts }] of glides) {
    const share = Math.min(1, Math.max(0, (now - begun) / lasts));
    marker.setLatLng([from.lat + (to.lat - from.lat) * share, from.lng + (to.lng - from.lng) * share]);
    if (share === 1) {
      glides.delete(marker);
    }
  }
  if (glides.size) {
    requestAnimationFrame(glide);
  }
}

/** The direction from one place to another, in degrees clockwise from north; right for the distances of a town. */
export function bearing(from, to) {
  const east = (to.lng - from.lng) * Math.cos((from.lat * Math.PI) / 180);
  return (Math.atan2(east, to.lat - from.lat) * 180) / Math.PI;
}
