/** The map of one ride in the admin: what the driver's phone reported, and between which places. */
import { addMarker, createMap, fitTo, trackLine } from "./map.js";

/**
 * @typedef {[number, number]} Point
 * @typedef {{driven: Point[], measured: Point[], refused: [number, number, string, string][], pickup: Point, target: Point}} Track
 */

/** Circles that are drawn; of more, the page has the number and a link to all points. */
const MOST_REFUSED = 500;

/** Draw a point that does not count, which says why. */
function drawRefused(map, [latitude, longitude, reason, time]) {
  L.circleMarker([latitude, longitude], { radius: 5, className: "ride-map-refused" })
    .bindTooltip(`${time} ${reason}`)
    .addTo(map);
}

/** @param {Track} track */
function draw({ driven, measured, refused, pickup, target }) {
  const map = createMap(document.getElementById("ride-map"), { label: gettext("The track of the ride") });
  if (measured.length) {
    L.polyline(driven, { className: "ride-map-reported", interactive: false }).addTo(map);
    trackLine(map, measured);
  } else if (driven.length) trackLine(map, driven);
  else trackLine(map, [pickup, target], { planned: true });
  for (const point of refused.slice(0, MOST_REFUSED)) drawRefused(map, point);
  addMarker(map, "pickup", pickup, { name: gettext("Pick-up") });
  addMarker(map, "target", target, { name: gettext("Destination") });
  if (driven.length) addMarker(map, "driver", driven.at(-1), { name: gettext("Where the track ends") });
  fitTo(map, [pickup, target, ...driven], { animate: false });
}

draw(JSON.parse(document.getElementById("ride-track").textContent));
