/**
 * Maps: a Leaflet map that needs nothing from other hosts, and what is drawn on it.
 *
 * The page has loaded Leaflet (the global `L`), the texts (`gettext`) and `map.css`, and carries `{% map_config %}`.
 */
import { drawGrid, drawOutline, drawPlaces } from "./map/ground.js";

export { addMarker, moveMarker, nameMarker, turnMarker } from "./map/markers.js";

/** @typedef {[number, number]} Point latitude and longitude, in degrees */

/** Monas, in the middle of Jakarta. */
export const CENTRE = /** @type {Point} */ ([-6.1754, 106.8272]);

const CLOSEST = 17;

/**
 * Make a map in an element that has a height.
 * @param {HTMLElement} element
 * @param {{label?: string, centre?: Point, zoom?: number, leaflet?: object}} [options] `label` names the map for those
 *   who do not see it; `leaflet` is passed on.
 */
export function createMap(element, { label = gettext("Map"), centre = CENTRE, zoom = 13, leaflet = {} } = {}) {
  const moves = !prefersStillness();
  const map = L.map(element, {
    center: centre,
    zoom,
    minZoom: 5,
    maxZoom: 18,
    zoomControl: false,
    zoomAnimation: moves,
    fadeAnimation: moves,
    markerZoomAnimation: moves,
    inertia: moves,
    ...leaflet,
  });
  element.setAttribute("role", "region");
  element.setAttribute("aria-label", label);
  L.control.zoom({ zoomInTitle: gettext("Zoom in"), zoomOutTitle: gettext("Zoom out") }).addTo(map);
  L.control.scale({ imperial: false }).addTo(map);
  map.attributionControl.setPrefix('<a href="https://leafletjs.com">Leaflet</a>');
  drawGround(map);
  return map;
}

/** Draw tiles where the operator names a source, else a grid over the outline of Jakarta. */
function drawGround(map) {
  const { tilesUrl, tilesAttribution, outlineUrl } = document.getElementById("map-config").dataset;
  if (tilesUrl) {
    L.tileLayer(tilesUrl, { attribution: tilesAttribution, maxZoom: 19 }).addTo(map);
    return;
  }
  drawOutline(map, outlineUrl);
  drawGrid(map);
  drawPlaces(map);
}

/**
 * Draw the way through some points; `line.addLatLng(point)` and `line.setLatLngs(points)` change it, `line.remove()`
 * ends it.
 * @param {Point[]} points
 * @param {{planned?: boolean}} [options] `planned`: not driven yet, shown dashed
 */
export function trackLine(map, points, { planned = false } = {}) {
  const className = planned ? "map-track map-track-planned" : "map-track";
  return L.polyline(points, { className, interactive: false }).addTo(map);
}

/** Show all of these points, none of them under the edge; without points nothing changes. */
export function fitTo(map, points, { padding = 40, closest = 16, animate = !prefersStillness() } = {}) {
  if (points.length) {
    const options = { padding: [padding, padding], maxZoom: closest, animate };
    map.fitBounds(L.latLngBounds(points), options);
  }
}

/** Move the map so that this point is in the middle, close enough to see streets. */
export function centreOn(map, point, zoom = 15) {
  map.setView(point, Math.max(map.getZoom(), Math.min(zoom, CLOSEST)), { animate: !prefersStillness() });
}

/** The value of a colour variable as it is now, for what is drawn on a canvas. */
export function colourOf(name) {
  return getComputedStyle(document.documentElement).getPropertyValue(name).trim();
}

/** Call back whenever light turns to dark or back. */
export function onColoursChanged(callback) {
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", callback);
}

/** Whether the reader asked for little motion. */
export function prefersStillness() {
  return matchMedia("(prefers-reduced-motion: reduce)").matches;
}
