/** How things are said. */

/** The name of a state. */
export function stateName(state) {
  const names = {
    free: gettext("Free"),
    asked: gettext("Asked"),
    pickup: gettext("To the pick-up"),
    riding: gettext("On a ride"),
    away: gettext("Away"),
  };
  return names[state];
}

/** Seconds, roughly. */
export function span(seconds) {
  if (seconds < 120) {
    return interpolate(gettext("%s s"), [Math.round(seconds)]);
  }
  if (seconds < 7200) {
    return interpolate(gettext("%s min"), [Math.round(seconds / 60)]);
  }
  return interpolate(gettext("%s h"), [Math.round(seconds / 3600)]);
}

/** How long ago a time of the server is; nothing without a time. */
export function ago(time, town) {
  return time && fill(gettext("%(span)s ago"), { span: span(town.since(time)) });
}

/** Rupiah. */
export function rupiah(amount) {
  return `Rp ${amount.toLocaleString(document.documentElement.lang)}`;
}

/** A vehicle and its plate. */
export function vehicle({ vehicle: type, plate }) {
  const names = { motorcycle: gettext("motorcycle"), car: gettext("car"), van: gettext("van") };
  return [names[type], plate].filter(Boolean).join(", ");
}

/** Fill a named text: `fill("%(n)s of %(all)s", {n: 1, all: 2})`. */
export function fill(text, values) {
  return interpolate(text, values, true);
}

/** Write a text where it differs from what stands there: a screen reader says what was written. */
export function write(element, text) {
  if (element.textContent !== String(text)) {
    element.textContent = text;
  }
}
