/** The figures above the map. */
import { fill, span, write } from "./words.js";

/** Write them all. */
export function showFigures(element, town) {
  const place = (name) => element.querySelector(`[data-figure="${name}"]`);
  for (const [name, [figure, more]] of Object.entries(figuresOf(town))) {
    write(place(name), figure);
    write(place(`${name}-more`), more);
  }
  write(place("processes"), Object.keys(town.figures.processes).length);
  listProcesses(place("each-process"), town.figures.processes);
}

/** Each figure, and what is said beside it. */
function figuresOf(town) {
  const { connections, stale, rates, day } = town.figures;
  const counts = town.counts();
  const ours = gettext("of this server");
  const ends = { completed: day.COMPLETED ?? 0, cancelled: day.CANCELLED ?? 0, unpaid: day.ARRIVED ?? 0 };
  return {
    drivers: [town.drivers.size, fill(gettext("%(free)s free, %(asked)s asked, %(away)s away"), counts)],
    searches: [town.searches.size, oldest(town)],
    rides: [town.rides.size, fill(gettext("%(pickup)s to the pick-up, %(riding)s driving"), counts)],
    day: [sum(day), fill(gettext("%(completed)s completed, %(cancelled)s cancelled, %(unpaid)s unpaid"), ends)],
    connections: [
      sum(connections),
      fill(gettext("drivers %(driver)s, passengers %(passenger)s, silent %(stale)s"), { ...connections, stale }),
    ],
    frames: [fill(gettext("%(in)s in, %(out)s out"), { in: rates.frames_in, out: rates.frames_out }), ours],
    errors: [rates.errors, ours],
  };
}

function sum(counts) {
  return Object.values(counts).reduce((total, count) => total + count, 0);
}

/** How long the oldest request waits. */
function oldest(town) {
  const since = Math.min(...[...town.searches.values()].map((search) => search.since));
  return town.searches.size ? fill(gettext("the oldest waits %(span)s"), { span: span(town.since(since)) }) : "";
}

function listProcesses(list, processes) {
  const say = ([name, count]) => fill(gettext("%(name)s: connections %(count)s"), { name, count });
  const texts = Object.entries(processes).map(say);
  while (list.children.length > texts.length) {
    list.lastChild.remove();
  }
  texts.forEach((text, index) => write(list.children[index] ?? list.appendChild(document.createElement("li")), text));
}
