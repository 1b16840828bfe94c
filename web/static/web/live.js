/** The live map: what staff sees of the town, once a second. */
import { Details } from "./live/details.js";
import { showFigures } from "./live/figures.js";
import { TownLayer } from "./live/layer.js";
import { connect } from "./live/socket.js";
import { Table } from "./live/table.js";
import { Town } from "./live/town.js";
import { Tracks } from "./live/tracks.js";
import { fill, write } from "./live/words.js";
import { createMap, fitTo } from "./map.js";

/** Below this there is room for one of map and table. */
const WIDE = matchMedia("(min-width: 62rem)");

const page = document.getElementById("live");
const town = new Town();
const map = createMap(document.getElementById("map"), { label: gettext("Map of the town"), zoom: 12 });
const tracks = new Tracks(map, town);
const layer = new TownLayer(town).addTo(map);
const details = new Details(document.getElementById("details"), map, town, page.dataset, {
  onChosen: choose,
  revealMap: () => shownView() === "table" && view(WIDE.matches ? "both" : "map"),
});
const table = new Table(page.querySelector(".live-table"), town, (item) => details.open(item));
let hasFitted = false;

/** Mark what is chosen on the map. */
function choose(id) {
  layer.chosen = id;
  layer.draw();
}

function draw(frame) {
  town.apply(frame);
  if (!hasFitted) {
    hasFitted = true;
    const places = [...town.drivers.values(), ...town.searches.values()].map(({ place }) => place);
    fitTo(map, places.filter(Boolean), { closest: 14, animate: false });
  }
  layer.update();
  tracks.update();
  details.update();
  showFigures(document.getElementById("figures"), town);
  showCounts();
  if (shownView() !== "map") {
    table.update();
  }
}

function showCounts() {
  for (const [state, count] of Object.entries(town.counts())) {
    write(document.querySelector(`[data-count="${state}"]`), count);
  }
}

/** Say how the connection is. */
function showCondition({ state, seconds }) {
  const element = document.getElementById("connection");
  const texts = {
    live: () => gettext("Live"),
    silent: () => fill(gettext("No news for %(seconds)s s"), { seconds }),
    lost: () => fill(gettext("Connection lost; next try in %(seconds)s s"), { seconds }),
    out: () => gettext("You are no longer logged in as staff."),
  };
  element.dataset.state = state;
  write(element, texts[state]());
  if (state === "out") {
    const link = document.createElement("a");
    link.href = page.dataset.login;
    link.textContent = gettext("Log in");
    element.append(" ", link);
  }
}

/** Draw anew what the reader wants to see. */
function refresh() {
  layer.draw();
  tracks.update();
  table.update();
}

function shownView() {
  return page.dataset.view === "both" && !WIDE.matches ? "map" : page.dataset.view;
}

/** Show the map, the table or both. */
function view(name) {
  page.dataset.view = name;
  for (const button of document.querySelectorAll("#views button")) {
    button.setAttribute("aria-pressed", button.value === shownView());
  }
  map.invalidateSize();
  table.update();
}

document.getElementById("filters").addEventListener("change", ({ target }) => {
  town.states[target.checked ? "add" : "delete"](target.value);
  refresh();
});
document.getElementById("find").addEventListener("input", ({ target }) => {
  town.text = target.value.trim().toLowerCase();
  refresh();
});
document.getElementById("views").addEventListener("click", ({ target }) => target.value && view(target.value));
WIDE.addEventListener("change", () => view(page.dataset.view));
map.on("click", ({ containerPoint }) => {
  const item = layer.at(containerPoint);
  if (item) {
    details.open(item);
  }
});

view("both");
connect("ws/", draw, showCondition);
