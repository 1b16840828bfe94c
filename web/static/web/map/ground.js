/** What lies under everything where there are no tiles: land and sea, a grid of degrees, and a few names. */
import { PLACES } from "./places.js";
import { svg } from "./svg.js";

/** The rectangle of `jakarta.geojson`, south-west and north-east: outside of it nothing is known of land and sea. */
const KNOWN = [[-6.9, 106], [-5.6, 107.6]];

/** Distances between lines that read well, in degrees; the largest comes first. */
const STEPS = [10, 5, 2, 1, 0.5, 0.2, 0.1, 0.05, 0.02, 0.01, 0.005, 0.002, 0.001];

/** Lines are at least so many pixels apart. */
const LEAST_GAP = 90;

/** Pixels above the lower edge of a tile that are for the degrees of longitude. */
const ROW_OF_LONGITUDES = 20;

const ATTRIBUTION = 'Outline: <a href="https://www.naturalearthdata.com/">Natural Earth</a>';

/** Draw land and sea around Jakarta below all else, and name where the outline comes from. */
export async function drawOutline(map, url) {
  const pane = belowTiles(map, "outline", 150);
  const renderer = L.svg({ pane: "outline", padding: 1 });
  const common = { pane: "outline", renderer, interactive: false };
  pane.setAttribute("aria-hidden", "true");
  map.attributionControl.addAttribution(ATTRIBUTION);
  const answer = await fetch(url);
  if (!answer.ok) {
    return;
  }
  L.rectangle(KNOWN, { ...common, className: "map-sea" }).addTo(map);
  L.geoJSON(await answer.json(), {
    ...common,
    style: ({ properties }) => ({ className: properties.name === "Jakarta" ? "map-land map-city" : "map-land" }),
  }).addTo(map);
}

/** Draw lines of equal latitude and longitude, with their degrees; they follow the zoom. */
export function drawGrid(map) {
  new Grid({ className: "map-grid", keepBuffer: 1 }).addTo(map);
}

/** Draw the names of landmarks, more of them the closer one looks. */
export function drawPlaces(map) {
  belowTiles(map, "places", 250).setAttribute("aria-hidden", "true");
  const places = PLACES.map(([name, ...place]) => ({ from: place.pop(), mark: placeMark(name, place) }));
  const update = () => {
    for (const { from, mark } of places) {
      if (map.getZoom() >= from) {
        mark.addTo(map);
      } else {
        mark.remove();
      }
    }
  };
  map.on("zoomend", update);
  update();
}

function placeMark(name, place) {
  const label = document.createElement("span");
  label.textContent = name;
  const icon = L.divIcon({ className: "map-place", html: label, iconSize: [0, 0] });
  return L.marker(place, { icon, pane: "places", interactive: false, keyboard: false });
}

function belowTiles(map, name, level) {
  const pane = map.createPane(name);
  pane.style.zIndex = level;
  pane.style.pointerEvents = "none";
  return pane;
}

const Grid = globalThis.L?.GridLayer.extend({
  createTile(coords) {
    const { x: width, y: height } = this.getTileSize();
    const tile = svg("svg", { width, height, "aria-hidden": "true" });
    const corner = coords.scaleBy(this.getTileSize());
    const northWest = this._map.unproject(corner, coords.z);
    const southEast = this._map.unproject(corner.add([width, height]), coords.z);
    const step = stepOf((southEast.lng - northWest.lng) / width);
    const place = (latitude, longitude) => this._map.project([latitude, longitude], coords.z).subtract(corner);
    for (const longitude of multiples(step, northWest.lng, southEast.lng)) {
      const { x } = place(northWest.lat, longitude);
      tile.append(svg("line", { x1: x, x2: x, y1: 0, y2: height }), degrees(longitude, "E", "W", x + 3, height - 4));
    }
    for (const latitude of multiples(step, southEast.lat, northWest.lat)) {
      const { y } = place(latitude, northWest.lng);
      tile.append(svg("line", { x1: 0, x2: width, y1: y, y2: y }));
      if (y < height - ROW_OF_LONGITUDES) {
        tile.append(degrees(latitude, "N", "S", 4, y - 3));
      }
    }
    return tile;
  },
});

/** The smallest step whose lines are far enough apart, for so many degrees a pixel. */
function stepOf(perPixel) {
  return STEPS.findLast((step) => step / perPixel >= LEAST_GAP) ?? STEPS[0];
}

/** The multiples of a step from `low` up to, without, `high`; each line belongs to one tile. */
function multiples(step, low, high) {
  const first = Math.ceil(low / step);
  const count = Math.max(0, Math.ceil(high / step) - first);
  return Array.from({ length: count }, (_, index) => (first + index) * step);
}

function degrees(value, positive, negative, x, y) {
  const text = svg("text", { x, y });
  text.textContent = `${Math.abs(Math.round(value * 1000) / 1000)}° ${value < 0 ? negative : positive}`;
  return text;
}
