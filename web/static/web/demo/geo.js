/** Distances, and ways through a town whose streets cross at right angles. */

import { PLACES } from "../map/places.js";

/** @typedef {{latitude: number, longitude: number}} Place */

const EARTH_RADIUS_M = 6371008.8;
const METRES_PER_DEGREE = (EARTH_RADIUS_M * Math.PI) / 180;
/** How far the streets are turned against the points of the compass. */
const GRID_ANGLE = (8 * Math.PI) / 180;
const BLOCK_M = 350;
/** Metres: who is so near to a landmark is said to be there, and who is not much farther to be near it. */
const THERE_M = 120;
const NEAR_M = 1000;

/** The landmarks by their names. */
export const NAMED = new Map(
  PLACES.map(([name, latitude, longitude]) => [name, { latitude: Number(latitude), longitude: Number(longitude) }]),
);

/** Metres along a great circle. @param {Place} from @param {Place} to */
export function distance(from, to) {
  const [a, b] = [radians(from.latitude), radians(to.latitude)];
  const half = Math.sin((b - a) / 2) ** 2
    + Math.cos(a) * Math.cos(b) * Math.sin(radians(to.longitude - from.longitude) / 2) ** 2;
  return 2 * EARTH_RADIUS_M * Math.asin(Math.sqrt(half));
}

/** What a place is called: a landmark, or the one near it, or its degrees. @param {Place} place */
export function nameOf(place) {
  const [name, at] = [...NAMED].reduce((best, other) => (distance(other[1], place) < distance(best[1], place) ? other : best));
  const metres = distance(at, place);
  if (metres <= THERE_M) return String(name);
  if (metres <= NEAR_M) return interpolate(gettext("near %s"), [name]);
  return `${place.latitude.toFixed(4)}, ${place.longitude.toFixed(4)}`;
}

/** Six decimals are a tenth of a metre. @param {number} latitude @param {number} longitude @returns {Place} */
export function placeAt(latitude, longitude) {
  return { latitude: Number(latitude.toFixed(6)), longitude: Number(longitude.toFixed(6)) };
}

/** The corners of a way along the streets; the first is the start, the last the target. @param {Place} start @param {Place} target */
export function wayTo(start, target) {
  const [along, across] = inGrid(start, target);
  const turns = Math.max(1, Math.round((Math.abs(along) + Math.abs(across)) / BLOCK_M / 2));
  const corners = [start];
  for (let turn = 0; turn < turns; turn += 1) {
    const here = /** @type {Place} */ (corners.at(-1));
    const corner = turn % 2 ? fromGrid(here, 0, across / turns) : fromGrid(here, along / turns, 0);
    corners.push(corner, turn % 2 ? fromGrid(corner, along / turns, 0) : fromGrid(corner, 0, across / turns));
  }
  return [...corners.slice(0, -1), target];
}

/** How long a way is, in metres. @param {Place[]} way */
export function lengthOf(way) {
  return way.slice(1).reduce((sum, place, index) => sum + distance(way[index], place), 0);
}

/** Cut off so many metres at the beginning of a way; what is left begins with where one is then. @param {Place[]} way @param {number} metres */
export function advance(way, metres) {
  for (let index = 1; index < way.length; index += 1) {
    const step = distance(way[index - 1], way[index]);
    if (metres < step) return [between(way[index - 1], way[index], metres / step), ...way.slice(index)];
    metres -= step;
  }
  return way.slice(-1);
}

/** @param {Place} from @param {Place} to @param {number} share */
function between(from, to, share) {
  return placeAt(
    from.latitude + (to.latitude - from.latitude) * share,
    from.longitude + (to.longitude - from.longitude) * share,
  );
}

/** Metres along the streets of one direction and of the other. @param {Place} start @param {Place} target */
function inGrid(start, target) {
  const north = (target.latitude - start.latitude) * METRES_PER_DEGREE;
  const east = (target.longitude - start.longitude) * METRES_PER_DEGREE * Math.cos(radians(start.latitude));
  const [cos, sin] = [Math.cos(GRID_ANGLE), Math.sin(GRID_ANGLE)];
  return [east * cos + north * sin, north * cos - east * sin];
}

/** @param {Place} place @param {number} along @param {number} across */
function fromGrid(place, along, across) {
  const [cos, sin] = [Math.cos(GRID_ANGLE), Math.sin(GRID_ANGLE)];
  const [east, north] = [along * cos - across * sin, along * sin + across * cos];
  const latitude = place.latitude + north / METRES_PER_DEGREE;
  return placeAt(latitude, place.longitude + east / METRES_PER_DEGREE / Math.cos(radians(place.latitude)));
}

/** @param {number} degrees */
function radians(degrees) {
  return (degrees * Math.PI) / 180;
}
