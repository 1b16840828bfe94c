/** One thing in detail: what is known of it, and where it stands in the admin. */
import { addMarker, centreOn, moveMarker, trackLine } from "../map.js";
import { ago, fill, rupiah, span, stateName, vehicle, write } from "./words.js";

/** What is said of each kind: a title and its lines. */
const LINES = {
  drivers: (item, town) => [
    [gettext("State"), stateName(item.state)],
    [gettext("Phone"), item.phone],
    [gettext("Vehicle"), vehicle(item)],
    [gettext("Connected"), item.online ? gettext("yes") : gettext("no")],
    [gettext("Last seen"), ago(item.seen, town) ?? gettext("never")],
    ...(item.ride && town.rides.has(item.ride) ? rideLines(town.rides.get(item.ride), town) : []),
  ],
  searches: (item, town) => [
    [gettext("Waiting"), span(town.since(item.since))],
    [gettext("Phone"), item.phone],
    [gettext("Drivers asked"), item.asked],
    [gettext("Attempt"), item.attempts],
  ],
  rides: (item, town) => [[gettext("State"), stateName(item.state)], ...rideLines(item, town)],
};

function rideLines(ride, town) {
  return [
    [gettext("Passenger"), ride.passenger_name],
    [gettext("Passenger's phone"), ride.phone],
    [ride.started ? gettext("Started") : gettext("Booked"), ago(ride.started ?? ride.since, town)],
    [gettext("Driven"), `${ride.km.toFixed(1)} km`],
    [gettext("Cost so far"), rupiah(ride.cost)],
  ];
}

function titleOf({ kind, name, passenger_name: passenger }) {
  return kind === "rides" ? fill(gettext("%(driver)s drives %(passenger)s"), { driver: name, passenger }) : name;
}

export class Details {
  /** @param {{onChosen: (id: string | null) => void, revealMap: () => void}} calls */
  constructor(element, map, town, links, { onChosen, revealMap }) {
    Object.assign(this, { element, map, town, links, onChosen, item: null, drawn: null });
    element.querySelector("#details-close").addEventListener("click", () => this.close());
    element.querySelector("#details-show").addEventListener("click", () => {
      revealMap();
      centreOn(map, this.place());
    });
    element.addEventListener("keydown", ({ key }) => key === "Escape" && this.close());
  }

  /** Show one thing. */
  open(item) {
    this.close({ backTo: document.activeElement });
    this.item = item;
    this.element.hidden = false;
    const heading = this.element.querySelector("h2");
    write(heading, titleOf(item));
    this.element.querySelector(".links").replaceChildren(...this.makeLinks());
    this.onChosen(item.kind === "rides" ? item.driver : item.id);
    this.update();
    heading.focus({ preventScroll: true });
  }

  close({ backTo = null } = {}) {
    const hadFocus = this.element.contains(document.activeElement);
    this.drawn?.forEach((layer) => layer.remove());
    this.element.hidden = true;
    this.item = this.drawn = null;
    this.onChosen(null);
    if (hadFocus && !backTo) {
      this.backTo?.focus();
    }
    this.backTo = hadFocus ? this.backTo : backTo;
  }

  /** Say what is known now; what is gone stays with its last word. */
  update() {
    if (!this.item) {
      return;
    }
    const isThere = this.town[this.item.kind].has(this.item.id);
    this.item = this.town[this.item.kind].get(this.item.id) ?? this.item;
    const lines = LINES[this.item.kind](this.item, this.town);
    this.writeLines(isThere ? lines : [[gettext("State"), gettext("No longer here")]]);
    this.element.querySelector("#details-show").hidden = !this.place();
    this.drawPlaces();
  }

  writeLines(lines) {
    const list = this.element.querySelector("dl");
    while (list.children.length > lines.length) {
      list.lastChild.remove();
    }
    lines.forEach(([title, text], index) => {
      let line = list.children[index];
      if (!line) {
        line = document.createElement("div");
        line.append(document.createElement("dt"), document.createElement("dd"));
        list.append(line);
      }
      write(line.firstChild, title);
      write(line.lastChild, text);
    });
  }

  /** The ride, or the request, that belongs to what is shown. */
  journey() {
    const { item, town } = this;
    return item.kind === "drivers" ? town.rides.get(item.ride) : item;
  }

  /** Where what is shown is now. */
  place() {
    const { item, town } = this;
    return item.kind === "rides" ? (town.drivers.get(item.driver)?.place ?? item.place) : item.place;
  }

  /** Draw pick-up and target, and the way that is still to come. */
  drawPlaces() {
    const journey = this.journey();
    if (!journey) {
      this.drawn?.forEach((layer) => layer.remove());
      this.drawn = null;
      return;
    }
    const isOnBoard = journey.started || journey.kind === "searches";
    const way = [this.place(), !isOnBoard && journey.place, journey.target].filter(Boolean);
    if (this.drawn) {
      this.drawn[0].setLatLngs(way);
      moveMarker(this.drawn[1], journey.place);
      return;
    }
    this.drawn = [
      trackLine(this.map, way, { planned: true }),
      addMarker(this.map, "pickup", journey.place, { name: gettext("Pick-up") }),
      addMarker(this.map, "target", journey.target, { name: gettext("Destination") }),
    ];
  }

  makeLinks() {
    const { kind, id, driver, passenger, ride } = this.item;
    const pages = [
      [gettext("The ride in the admin"), "ride", kind === "rides" ? id : ride],
      [gettext("The request in the admin"), "search", kind === "searches" && id],
      [gettext("The driver in the admin"), "user", kind === "drivers" ? id : driver],
      [gettext("The passenger in the admin"), "user", passenger],
    ];
    return pages.filter(([, , pk]) => pk).map(([text, page, pk]) => {
      const link = document.createElement("a");
      link.href = this.links[page].replace(this.links.some, pk);
      link.textContent = text;
      return link;
    });
  }
}
