/** How a notification changes the `state` of `session_ready`, so that a page can be drawn from it at any time. */

import { ACTIONS } from "./commands.js";

const OPEN = new Set(["PENDING", "DRIVER_CONFIRMED", "PASSENGER_CONFIRMED"]);

/**
 * Return the state after a notification, the same one where it changes nothing, or undefined where only the server knows.
 * @param {any} state
 * @param {"driver" | "passenger"} role
 * @param {string} type
 * @param {any} data
 */
export function fold(state, role, type, data) {
  const step = Object.hasOwn(STEPS, type) ? STEPS[type] : undefined;
  if (!step) return state;
  const change = step(state, data, role === "driver");
  if (!change) return undefined;
  const next = { ...state, ...change };
  if (role === "driver" && next.last_ride !== state.last_ride) next.last_ride = roughly(next.last_ride);
  return { ...next, allowed_actions: allowedActions(role, next) };
}

/** @type {Record<string, (state: any, data: any, isDriver: boolean) => object | undefined>} */
const STEPS = {
  beacon_update: (_state, data) => ({ beacon: { is_active: data.is_active } }),
  finder_update: (_state, data) => ({ finder: finderOf(data) }),
  match_proposal: withMatch,
  match_confirm: withMatch,
  match_rejected: (state, data) => ({ proposals: without(state.proposals, data.match_id) }),
  ride_pickup: booked,
  ride_start: (state, data) => ({ ride: withPeople(state, data) }),
  ride_arrived: (state, data, isDriver) => {
    const ride = withPeople(state, data);
    return isDriver ? { ride: null, last_ride: ride } : { ride };
  },
  payment_process: payment,
  ride_completed: (state, data) => ended(state, withPeople(state, data.ride)),
  ride_cancelled: cancelled,
};

/** What a driver reads of a ride that is over: about 100 m. @param {any} ride */
function roughly(ride) {
  const round = (/** @type {any} */ { latitude, longitude }) =>
    ({ latitude: Number(latitude.toFixed(3)), longitude: Number(longitude.toFixed(3)) });
  return { ...ride, location: round(ride.location), target_location: round(ride.target_location) };
}

/** @param {any} data */
function finderOf({ is_active, location, target_location }) {
  return is_active ? { is_active, location, target_location } : { is_active };
}

/** @param {any[]} proposals @param {string} matchId */
function without(proposals, matchId) {
  return proposals.filter((match) => match.match_id !== matchId);
}

/** One that both accepted stays until `ride_pickup`, which does not repeat where it goes. @param {any} state @param {any} match */
function withMatch(state, match) {
  const known = state.proposals.some((/** @type {any} */ other) => other.match_id === match.match_id);
  const replaced = state.proposals.map((/** @type {any} */ other) => (other.match_id === match.match_id ? match : other));
  return { proposals: known ? replaced : [...state.proposals, match] };
}

/** @param {any} state @param {any} data @param {boolean} isDriver */
function booked(state, data, isDriver) {
  const match = state.proposals.find((/** @type {any} */ other) => other.match_id === data.match_id);
  if (!match) return undefined;
  const { ride_id, match_id, driver_id, passenger_id } = data;
  const ride = {
    ride_id, match_id, driver_id, passenger_id, status: "PICKUP",
    location: match.location, target_location: match.target_location,
    distance_km: 0, total_cost: 0, adjustment_factor: 1, adjusted_cost: 0,
    created_at: data.timestamp, started_at: null, arrived_at: null, completed_at: null,
    ...(data.driver && { driver: data.driver }), ...(data.passenger && { passenger: data.passenger }),
    ...(data.pin && { pin: data.pin }),
  };
  const proposals = without(state.proposals, match_id);
  return isDriver ? { ride, proposals } : { ride, proposals, finder: { is_active: false } };
}

/** Only `ride_pickup` and the state say who drives and who rides. @param {any} state @param {any} ride */
function withPeople(state, ride) {
  const known = [state.ride, state.last_ride].find((other) => other?.ride_id === ride.ride_id);
  return { ...ride, ...(known?.driver && { driver: known.driver }), ...(known?.passenger && { passenger: known.passenger }) };
}

/** @param {any} state @param {any} data */
function payment(state, data) {
  if (data.status !== "ACCEPTED") return { payment: data };
  return settled(state, data.ride_id);
}

/** A driver may be owed for an earlier ride too; only the server knows. @param {any} state @param {string} rideId */
function settled(state, rideId) {
  if (!state.payment) return { payment: null };
  return state.payment.ride_id === rideId ? { payment: null } : undefined;
}

/** @param {any} state @param {any} ride */
function ended(state, ride) {
  const payment = settled(state, ride.ride_id);
  const newer = state.last_ride && state.last_ride.created_at > ride.created_at;
  const current = state.ride?.ride_id === ride.ride_id ? null : state.ride;
  return payment && { ...payment, ride: current, last_ride: newer ? state.last_ride : ride };
}

/** @param {any} state @param {any} data */
function cancelled(state, data) {
  const ride = [state.ride, state.last_ride].find((other) => other?.ride_id === data.ride_id);
  return ride && ended(state, { ...ride, status: "CANCELLED" });
}

/** The types of the commands that make sense, as the server counts them. @param {string} role @param {any} state */
export function allowedActions(role, state) {
  const now = situations(role, state);
  return ACTIONS.filter(([, roles, when]) => roles.includes(role) && when.some((one) => now.has(one))).map(([type]) => type);
}

/** What is true of a user now: the same as `rides/situations.py` of the server. @param {string} role @param {any} state */
function situations(role, state) {
  const own = role === "driver" ? "DRIVER_CONFIRMED" : "PASSENGER_CONFIRMED";
  const waits = (/** @type {any} */ match) => OPEN.has(match.match_status) && match.match_status !== own;
  const facts = {
    ALWAYS: true,
    WITHOUT_RIDE: !state.ride,
    OFFER_WAITS: state.proposals.some(waits),
    PICKUP: state.ride?.status === "PICKUP",
    ONGOING: state.ride?.status === "ONGOING",
    PAYMENT_DUE: Boolean(state.payment),
    ABANDONED: false, // that the other side has vanished is known to the server alone
  };
  return new Set(Object.entries(facts).filter(([, isTrue]) => isTrue).map(([fact]) => fact));
}
