/**
 * Drivers and requests on one canvas: a thousand of them that move all the time are a few milliseconds a picture, and
 * nothing for the browser to lay out.
 */
import { colourOf, onColoursChanged, prefersStillness } from "../map.js";
import { bearing } from "../map/markers.js";

/** Milliseconds that a driver takes to the new place: about as long as until the next one comes. */
const GLIDE = 1000;

/** Milliseconds between two pictures on the way: a driver moves a pixel or two in the meantime. */
const BETWEEN = 45;

/** Pixels around a thing within which a click is meant for it. */
const REACH = 18;

/** Degrees, about 200 m in a second: what moves further jumps. */
const FARTHEST = 0.02;

const COLOURS = {
  free: "--accent",
  asked: "--warning",
  pickup: "--driver",
  riding: "--driver",
  away: "--quiet",
  search: "--passenger",
  edge: "--surface",
  chosen: "--text",
};

const TURN = 2 * Math.PI;

/** The outlines of the marks, around the origin; `heading` in radians clockwise from north. */
const OUTLINES = {
  free: (pen) => pen.arc(0, 0, 5, 0, TURN),
  asked: (pen) => pen.arc(0, 0, 4, 0, TURN),
  away: (pen) => pen.arc(0, 0, 4.5, 0, TURN),
  pickup: (pen) => polygon(pen, [[0, -7], [7, 0], [0, 7], [-7, 0]]),
  riding: (pen, heading) => {
    pen.rotate(heading);
    polygon(pen, [[0, -8], [6, 6], [0, 3], [-6, 6]]);
  },
  search: (pen) => pen.rect(-5, -5, 10, 10),
};

function polygon(pen, corners) {
  corners.forEach(([x, y], index) => (index ? pen.lineTo(x, y) : pen.moveTo(x, y)));
  pen.closePath();
}

export const TownLayer = L.Layer.extend({
  initialize(town) {
    this.town = town;
    /** @type {Map<string, {x: number, y: number, fromX: number, fromY: number, begun: number, heading: number}>} */
    this.ways = new Map();
    this.chosen = null;
    this.readColours();
    onColoursChanged(() => {
      this.readColours();
      this.draw();
    });
  },

  onAdd(map) {
    this.map = map;
    this.canvas = L.DomUtil.create("canvas", "leaflet-zoom-hide", map.getPane("overlayPane"));
    this.canvas.setAttribute("aria-hidden", "true");
    map.on("move zoom viewreset zoomend moveend resize", this.draw, this);
    this.draw();
  },

  readColours() {
    this.colours = Object.fromEntries(Object.entries(COLOURS).map(([name, variable]) => [name, colourOf(variable)]));
  },

  /** Let everything go on to where the town says it is now. */
  update() {
    const now = performance.now();
    for (const kind of ["drivers", "searches"]) {
      this.town[kind].forEach((item) => this.follow(item, now));
    }
    for (const id of this.ways.keys()) {
      if (!this.town.drivers.has(id) && !this.town.searches.has(id)) {
        this.ways.delete(id);
      }
    }
    this.until = now + GLIDE;
    if (prefersStillness()) {
      this.draw();
    } else if (!this.isMoving) {
      this.isMoving = true;
      requestAnimationFrame(() => this.move());
    }
  },

  /** Begin a way when the place has changed. */
  follow(item, now) {
    if (!item.place || item.place === this.ways.get(item.id)?.place) {
      return;
    }
    const { x, y } = this.map.project(item.place, 0);
    const way = this.ways.get(item.id);
    if (!way) {
      this.ways.set(item.id, { place: item.place, x, y, fromX: x, fromY: y, begun: now, heading: 0 });
      return;
    }
    const [from, to] = [L.latLng(way.place), L.latLng(item.place)];
    const isFar = Math.abs(from.lat - to.lat) + Math.abs(from.lng - to.lng) > FARTHEST;
    const [fromX, fromY] = isFar || prefersStillness() ? [x, y] : placeOn(way, now);
    const heading = (bearing(from, to) * Math.PI) / 180;
    this.ways.set(item.id, { place: item.place, x, y, fromX, fromY, begun: now, heading });
  },

  move() {
    const now = performance.now();
    this.isMoving = now < this.until;
    if (now - this.drawnAt >= BETWEEN || !this.isMoving) {
      this.draw();
    }
    if (this.isMoving) {
      requestAnimationFrame(() => this.move());
    }
  },

  /** Draw everything as it is at this moment. */
  draw() {
    const pen = this.blank();
    const { x: width, y: height } = this.map.getSize();
    const scale = this.map.options.crs.scale(this.map.getZoom()) / this.map.options.crs.scale(0);
    const origin = this.map.project(this.map.containerPointToLatLng([0, 0]));
    const now = (this.drawnAt = performance.now());
    this.drawn = [];
    for (const kind of ["searches", "drivers"]) {
      for (const item of this.town[kind].values()) {
        const way = this.ways.get(item.id);
        if (!way || !this.town.shows(item)) {
          continue;
        }
        const [worldX, worldY] = placeOn(way, now);
        const [x, y] = [worldX * scale - origin.x, worldY * scale - origin.y];
        if (x > -REACH && y > -REACH && x < width + REACH && y < height + REACH) {
          this.drawn.push([x, y, item]);
          this.mark(pen, x, y, item, way.heading);
        }
      }
    }
  },

  /** Empty the canvas and lay it over the map as it lies now. */
  blank() {
    const { canvas, map } = this;
    const size = map.getSize();
    const ratio = devicePixelRatio;
    if (canvas.width !== size.x * ratio || canvas.height !== size.y * ratio) {
      [canvas.width, canvas.height] = [size.x * ratio, size.y * ratio];
      [canvas.style.width, canvas.style.height] = [`${size.x}px`, `${size.y}px`];
    }
    L.DomUtil.setPosition(canvas, map.containerPointToLayerPoint([0, 0]));
    const pen = canvas.getContext("2d");
    pen.setTransform(ratio, 0, 0, ratio, 0, 0);
    pen.clearRect(0, 0, size.x, size.y);
    return pen;
  },

  mark(pen, x, y, item, heading) {
    const state = item.kind === "searches" ? "search" : item.state;
    const colour = this.colours[state];
    pen.save();
    pen.translate(x, y);
    if (item.id === this.chosen) {
      this.ring(pen, 14, this.colours.chosen);
    }
    if (state === "asked") {
      this.ring(pen, 7.5, colour);
    }
    pen.beginPath();
    OUTLINES[state](pen, heading);
    pen.fillStyle = state === "away" ? this.colours.edge : colour;
    pen.strokeStyle = state === "away" ? colour : this.colours.edge;
    pen.lineWidth = state === "away" ? 2 : 1.5;
    pen.fill();
    pen.stroke();
    pen.restore();
  },

  ring(pen, radius, colour) {
    pen.beginPath();
    pen.arc(0, 0, radius, 0, TURN);
    pen.strokeStyle = colour;
    pen.lineWidth = 2;
    pen.stroke();
  },

  /** The thing that is meant by a click, if any. */
  at({ x, y }) {
    let [found, least] = [null, REACH];
    for (const [itemX, itemY, item] of this.drawn) {
      const distance = Math.hypot(itemX - x, itemY - y);
      if (distance <= least) {
        [found, least] = [item, distance];
      }
    }
    return found;
  },
});

/** Where on its way something is, in pixels of the whole world at zoom 0. */
function placeOn({ x, y, fromX, fromY, begun }, now) {
  const share = Math.min(1, (now - begun) / GLIDE);
  return [fromX + (x - fromX) * share, fromY + (y - fromY) * share];
}
