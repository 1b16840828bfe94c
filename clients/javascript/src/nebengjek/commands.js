/** The commands of the contract. Made from the server's code by `make docs`: do not edit. */

/**
 * When each command makes sense: its type, the roles, the situations (see `situations` in `state.js`).
 * @type {[string, string[], string[]][]}
 */
export const ACTIONS = [
  ["location_update", ["driver", "passenger"], ["ALWAYS"]],
  ["received", ["driver", "passenger"], []],
  ["token_refresh", ["driver", "passenger"], ["ALWAYS"]],
  ["sync", ["driver", "passenger"], ["ALWAYS"]],
  ["beacon_update", ["driver"], ["ALWAYS"]],
  ["finder_update", ["passenger"], ["WITHOUT_RIDE"]],
  ["match_confirm", ["driver", "passenger"], ["OFFER_WAITS"]],
  ["ride_start", ["driver"], ["PICKUP"]],
  ["ride_arrived", ["driver"], ["ONGOING"]],
  ["payment_process", ["passenger"], ["PAYMENT_DUE"]],
  ["payment_received", ["driver"], ["PAYMENT_DUE"]],
  ["ride_cancel", ["driver", "passenger"], ["PICKUP", "ABANDONED"]],
  ["ride_rate", ["driver", "passenger"], []],
];

/** @typedef {{signal?: AbortSignal}} CommandOptions aborting withdraws a command: it is not sent again */

/** Each method resolves to the data of the `ack`, or rejects with what was wrong. */
export class Commands {
  /** Switch the driver's beacon: whether they take passengers. @param {import("./commands.d.ts").CommandData["beacon_update"]} data @param {CommandOptions} [options] */
  beaconUpdate(data, options) { return this.command("beacon_update", data, options); }

  /** Start, move (sent again while it is on) or stop the passenger's search; starting needs both places. @param {import("./commands.d.ts").CommandData["finder_update"]} data @param {CommandOptions} [options] */
  finderUpdate(data, options) { return this.command("finder_update", data, options); }

  /** Accept or decline an offer. @param {import("./commands.d.ts").CommandData["match_confirm"]} data @param {CommandOptions} [options] */
  matchConfirm(data, options) { return this.command("match_confirm", data, options); }

  /** Start the ride: the passenger is on board. @param {import("./commands.d.ts").CommandData["ride_start"]} data @param {CommandOptions} [options] */
  rideStart(data, options) { return this.command("ride_start", data, options); }

  /** End the drive at the destination; the driver may lower the fare by a factor. @param {import("./commands.d.ts").CommandData["ride_arrived"]} data @param {CommandOptions} [options] */
  rideArrived(data, options) { return this.command("ride_arrived", data, options); }

  /** Pay exactly what was asked, or refuse to. @param {import("./commands.d.ts").CommandData["payment_process"]} data @param {CommandOptions} [options] */
  paymentProcess(data, options) { return this.command("payment_process", { status: "ACCEPTED", ...data }, options); }

  /** Confirm that the passenger has paid in cash, exactly what was asked. @param {import("./commands.d.ts").CommandData["payment_received"]} data @param {CommandOptions} [options] */
  paymentReceived(data, options) { return this.command("payment_received", data, options); }

  /** Cancel a ride before it starts. @param {import("./commands.d.ts").CommandData["ride_cancel"]} data @param {CommandOptions} [options] */
  rideCancel(data, options) { return this.command("ride_cancel", data, options); }

  /** Give the other side of a completed ride stars, once, within seven days; the other side is not notified. @param {import("./commands.d.ts").CommandData["ride_rate"]} data @param {CommandOptions} [options] */
  rideRate(data, options) { return this.command("ride_rate", data, options); }

  /** Confirm what has reached the device, up to a number: offers at once, the rest within a second. @param {import("./commands.d.ts").CommandData["received"]} data @param {CommandOptions} [options] */
  received(data, options) { return this.command("received", data, options); }

  /** Ask for `session_ready`. @param {CommandOptions} [options] */
  sync(options) { return this.command("sync", {}, options); }
}
