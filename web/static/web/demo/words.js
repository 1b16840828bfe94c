/** What a phone says about where it stands. */

import { distance, nameOf } from "./geo.js";

/** @typedef {import("./phone.js").Phone} Phone */

const rupiah = new Intl.NumberFormat("id-ID", { style: "currency", currency: "IDR", maximumFractionDigits: 0 });

/** @param {number} amount */
export function money(amount) {
  return rupiah.format(amount);
}

/** @param {number} metres */
export function length(metres) {
  return metres < 1000 ? interpolate(gettext("%s m"), [Math.round(metres)]) : interpolate(gettext("%s km"), [(metres / 1000).toFixed(2)]);
}

/** One sentence for the state of affairs. @param {Phone} phone */
export function headline(phone) {
  const { state, finished } = phone;
  if (!state) return gettext("Connecting …");
  if (finished) return finished.status === "COMPLETED" ? gettext("The ride is paid. Thank you!") : gettext("The ride was cancelled.");
  return phone.role === "driver" ? driverHeadline(phone) : passengerHeadline(phone);
}

/** @param {Phone} phone */
function driverHeadline(phone) {
  const { ride, payment, beacon, proposals } = phone.state;
  if (ride?.status === "PICKUP") return phone.isThere ? gettext("You are there. Start the ride.") : gettext("Drive to your passenger.");
  if (ride) return phone.isThere ? gettext("You are at the destination.") : gettext("Drive to the destination.");
  if (payment) return payment.status === "REJECTED" ? gettext("The passenger refused to pay.") : gettext("Your passenger is asked to pay.");
  if (proposals.length) return gettext("Somebody needs a ride.");
  return beacon.is_active ? gettext("You are online and wait for passengers.") : gettext("You are offline.");
}

/** @param {Phone} phone */
function passengerHeadline(phone) {
  const { ride, payment, finder, proposals } = phone.state;
  if (payment) return payment.status === "REJECTED" ? gettext("You refused to pay. Try again.") : gettext("You are there. Please pay.");
  if (ride?.status === "PICKUP") return gettext("Your driver is on the way.");
  if (ride) return gettext("You are on your way.");
  if (finder.is_active) return proposals.length ? gettext("Drivers near you are asked.") : gettext("Looking for drivers …");
  return phone.noDriver ? gettext("No driver could come. Try again.") : gettext("Where do you want to go?");
}

/** How the connection is. @param {Phone} phone */
export function networkText(phone) {
  if (phone.stage === "ended") return gettext("Closed by the server");
  if (phone.network.isCut) return cutText(phone.client?.queue.length ?? 0);
  if (phone.stage !== "on") return gettext("Not logged in");
  if (phone.client.connected) {
    return phone.resumed ? interpolate(ngettext("Connected · %s missed frame came", "Connected · %s missed frames came", phone.resumed), [phone.resumed]) : gettext("Connected");
  }
  return phone.retryIn === null ? gettext("Connecting …") : gettext("Connection lost, trying again");
}

/** @param {number} waiting */
function cutText(waiting) {
  if (!waiting) return gettext("No network");
  return interpolate(ngettext("No network · %s command waits", "No network · %s commands wait", waiting), [waiting]);
}

/** Who the other side of a match or a ride is. @param {Phone} phone @param {any} pair */
export function otherName(phone, pair) {
  const isDriver = phone.role === "driver";
  if ((isDriver ? pair.passenger_id : pair.driver_id) === phone.partner?.userId) {
    return isDriver ? gettext("The passenger beside you") : gettext("The driver beside you");
  }
  return isDriver ? gettext("A passenger of the town") : gettext("A driver of the town");
}

/** The card of the other side: name, stars from five ratings on, and a driver's vehicle. @param {Phone} phone */
export function cardText(phone) {
  const { driver, passenger } = phone.state.ride ?? {};
  const card = (phone.role === "driver" ? passenger : driver) ?? {};
  const types = { motorcycle: gettext("Motorcycle"), car: gettext("Car"), van: gettext("Van") };
  const type = types[/** @type {keyof typeof types} */ (card.vehicle_type)];
  return [card.full_name, card.rating && `${card.rating} ★`, type, card.vehicle_plate].filter(Boolean).join(" · ");
}

/** How far the driver is. @param {Phone} phone */
export function comingText(phone) {
  const { ride } = phone.state;
  const who = otherName(phone, ride);
  if (!phone.other) return who;
  if (ride.status === "PICKUP") {
    return interpolate(gettext("%(who)s, %(far)s away"), { who, far: length(distance(phone.other, ride.location)) }, true);
  }
  const far = length(distance(phone.other, ride.target_location));
  return interpolate(gettext("%(who)s, %(far)s to %(place)s"), { who, far, place: nameOf(ride.target_location) }, true);
}

/** What the wished ride will cost. @param {any} quote */
export function quoteText(quote) {
  if (!quote) return "";
  return interpolate(gettext("%(cost)s for %(far)s"), { cost: money(quote.total_cost), far: length(quote.distance_km * 1000) }, true);
}

/**
 * What a ride costs, line by line as soon as its receipt has come, and what was not counted.
 * @param {any} ride @param {any} payment @param {Phone} phone @returns {[string, string][]}
 */
export function bill(ride, payment, phone) {
  const receipt = phone.receipt?.ride_id === ride.ride_id ? phone.receipt : null;
  /** @type {[string, string][]} */
  const parts = receipt?.lines.map((/** @type {any} */ line) => [line.label, money(line.amount)]) ?? [];
  /** @type {[string, string][]} */
  const lines = [[gettext("Distance"), length(ride.distance_km * 1000)]];
  if (receipt?.by_quote) lines.push([gettext("Price"), gettext("as promised before the ride")]);
  lines.push(...(parts.length ? parts : /** @type {[string, string][]} */ ([[gettext("Fare"), money(ride.total_cost)]])));
  if (parts.length > 1 || ride.adjustment_factor !== 1) lines.push([gettext("To be paid"), money(ride.adjusted_cost)]);
  if (payment && phone.role === "driver") lines.push([gettext("Fee"), money(payment.admin_fee)], [gettext("For you"), money(payment.driver_payout)]);
  for (const { reason, points } of receipt?.not_counted ?? []) {
    const text = ngettext("%s position", "%s positions", points);
    lines.push([interpolate(gettext("Not counted: %s"), [reason.replaceAll("_", " ")]), interpolate(text, [points])]);
  }
  return lines;
}
