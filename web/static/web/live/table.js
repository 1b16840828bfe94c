/** The same things as a table, for those who would rather read. */
import { ago, fill, rupiah, span, stateName, vehicle, write } from "./words.js";

/** Rows at first, and more with each press of the button. */
const PAGE = 50;

/** The columns of each kind: title, what is shown, what is sorted by. The first one is the name to press. */
const COLUMNS = {
  drivers: [
    [() => gettext("Driver"), (item) => item.name],
    [() => gettext("State"), (item) => stateName(item.state)],
    [() => gettext("Vehicle"), vehicle],
    [() => gettext("Last seen"), (item, town) => ago(item.seen, town) ?? gettext("never"), (item) => -(item.seen ?? 0)],
  ],
  searches: [
    [() => gettext("Passenger"), (item) => item.name],
    [() => gettext("Waiting"), (item, town) => span(town.since(item.since)), (item) => -item.since],
    [() => gettext("Drivers asked"), (item) => item.asked, (item) => item.asked],
    [() => gettext("Attempt"), (item) => item.attempts, (item) => item.attempts],
  ],
  rides: [
    [() => gettext("Driver"), (item) => item.name],
    [() => gettext("Passenger"), (item) => item.passenger_name],
    [() => gettext("State"), (item) => stateName(item.state)],
    [() => gettext("Booked"), (item, town) => ago(item.since, town), (item) => -item.since],
    [() => gettext("Driven"), (item) => `${item.km.toFixed(1)} km`, (item) => item.km],
    [() => gettext("Cost so far"), (item) => rupiah(item.cost), (item) => item.cost],
  ],
};

const CAPTIONS = {
  drivers: () => gettext("Drivers on duty"),
  searches: () => gettext("Open requests"),
  rides: () => gettext("Rides under way"),
};

export class Table {
  /** @param {HTMLElement} element @param {(item: object) => void} onChoose */
  constructor(element, town, onChoose) {
    this.element = element;
    this.town = town;
    this.onChoose = onChoose;
    this.head = element.querySelector("thead");
    this.body = element.querySelector("tbody");
    this.more = element.querySelector("#more");
    this.more.addEventListener("click", () => {
      this.room += PAGE;
      this.update();
    });
    element.querySelector("#kinds").addEventListener("click", ({ target }) => target.value && this.list(target.value));
    this.list("drivers");
  }

  /** List one kind. */
  list(kind) {
    this.kind = kind;
    this.sorted = { column: 0, down: false };
    this.room = PAGE;
    /** @type {Map<string, HTMLTableRowElement>} */
    this.rows = new Map();
    this.body.replaceChildren();
    this.head.replaceChildren(this.heading());
    write(this.element.querySelector("#caption"), CAPTIONS[kind]());
    for (const button of this.element.querySelectorAll("#kinds button")) {
      button.setAttribute("aria-pressed", button.value === kind);
    }
    this.update();
  }

  heading() {
    const row = document.createElement("tr");
    COLUMNS[this.kind].forEach(([title], column) => {
      const cell = document.createElement("th");
      const button = document.createElement("button");
      cell.scope = "col";
      button.type = "button";
      button.textContent = title();
      button.addEventListener("click", () => this.sortBy(column));
      cell.append(button);
      row.append(cell);
    });
    return row;
  }

  sortBy(column) {
    const isSame = this.sorted.column === column;
    this.sorted = { column, down: isSame && !this.sorted.down };
    this.update();
  }

  /** Show what there is now; nothing moves under the cursor of who is in a row. */
  update() {
    this.head.querySelectorAll("th").forEach((cell, column) => {
      const order = this.sorted.down ? "descending" : "ascending";
      cell.setAttribute("aria-sort", column === this.sorted.column ? order : "none");
    });
    const items = this.inOrder();
    const shown = items.slice(0, this.room);
    const wanted = new Set(shown.map((item) => item.id));
    for (const [id, row] of this.rows) {
      if (!wanted.has(id)) {
        row.remove();
        this.rows.delete(id);
      }
    }
    shown.forEach((item) => this.write(item));
    if (!this.body.contains(document.activeElement)) {
      this.arrange(shown);
    }
    this.say(items.length, shown.length);
  }

  inOrder() {
    const [, text, key] = COLUMNS[this.kind][this.sorted.column];
    const value = key ?? ((item) => text(item, this.town));
    const way = this.sorted.down ? -1 : 1;
    const pairs = this.town.shown(this.kind).map((item) => [value(item), item]);
    const compare = (a, b) => (typeof a === "string" ? a.localeCompare(b, undefined, { numeric: true }) : a - b);
    return pairs.sort(([a], [b]) => way * compare(a, b)).map(([, item]) => item);
  }

  /** Write an item into its row, which is made when there is none. */
  write(item) {
    let row = this.rows.get(item.id);
    if (!row) {
      row = this.row(item);
      this.rows.set(item.id, row);
      this.body.append(row);
    }
    COLUMNS[this.kind].forEach(([, text], column) => {
      write(column ? row.cells[column] : row.cells[0].firstChild, text(item, this.town));
    });
  }

  row(item) {
    const row = document.createElement("tr");
    COLUMNS[this.kind].forEach((_, column) => row.append(document.createElement(column ? "td" : "th")));
    row.cells[0].scope = "row";
    const button = document.createElement("button");
    button.type = "button";
    button.addEventListener("click", () => this.onChoose(item));
    row.cells[0].append(button);
    return row;
  }

  arrange(items) {
    items.forEach((item, index) => {
      const row = this.rows.get(item.id);
      if (this.body.rows[index] !== row) {
        this.body.insertBefore(row, this.body.rows[index]);
      }
    });
  }

  say(all, shown) {
    const nothing = this.town.figures ? gettext("Nothing to show.") : "";
    const some = fill(gettext("%(shown)s of %(all)s"), { shown, all });
    write(this.element.querySelector("#more-text"), all ? some : nothing);
    this.more.hidden = shown === all;
  }
}
