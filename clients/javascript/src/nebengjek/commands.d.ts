/** The types of the contract (docs/protocol.md). Made from the server's code by `make docs`: do not edit. */

/** Who the user is, where the stream of notifications stands, and the complete state. */
export interface Session {
  /** The user. */
  user_id: string;
  /** The role of the user. */
  role: "driver" | "passenger";
  /** This connection, as in the server's log. */
  connection_id: string;
  /** The generation of the numbers, for `?resume=`. A new one starts again. */
  epoch: string;
  /** Where the stream stands: the next notification is `seq` + 1. */
  seq: number;
  /** True: nothing was missed. False: replace everything that is known by `state`. */
  recovered: boolean;
  /** The server's clock, for the `timestamp` of positions. */
  server_time: string;
  /** The complete state. */
  state: State;
  /** The limits of this client. */
  limits: Limits;
}

/** Everything that a client shows its user. */
export interface State {
  /** A driver's beacon; null for passengers. */
  beacon: Beacon | null;
  /** A passenger's search; null for drivers. */
  finder: Finder | null;
  /** Offers that can still be answered. */
  proposals: Match[];
  /** The current ride: a passenger's until it is paid, a driver's until the arrival. */
  ride: Ride | null;
  /** The payment that is due. */
  payment: Payment | null;
  /** The newest ride except the current one. */
  last_ride: Ride | null;
  /** The commands that make sense now. */
  allowed_actions: string[];
}

/** Whether a driver takes passengers. */
export interface Beacon {
  /** Whether the driver takes passengers. */
  is_active: boolean;
}

/** Whether a passenger is looking for a driver, and where. */
export interface Finder {
  /** Whether the passenger is looking for a driver. */
  is_active: boolean;
  /** The pick-up. */
  location?: Place;
  /** Where the passenger wants to go. */
  target_location?: Place;
  /** The kind of vehicle that is asked for; any, where it is missing. */
  vehicle_type?: "car" | "motorcycle" | "van";
  /** Whether the first driver who accepts has the ride, without a confirmation of the passenger. */
  auto_accept?: boolean;
  /** The quote whose price was agreed, if any. */
  quote_id?: string;
}

/** A place, in degrees (WGS 84). */
export interface Place {
  /** Degrees north of the equator (WGS 84). */
  latitude: number;
  /** Degrees east of Greenwich (WGS 84). */
  longitude: number;
}

/** An offer that can still be answered. */
export interface Match {
  /** The driver. */
  driver_id: string;
  /** The passenger. */
  passenger_id: string;
  /** The match: an offer that pairs a driver with a passenger. */
  match_id: string;
  /** The pick-up. */
  location: Place;
  /** Where the driver was when the offer was made. */
  driver_location: Place;
  /** Where the passenger wants to go. */
  target_location: Place;
  /** Who has confirmed the match. */
  match_status: "DRIVER_CONFIRMED" | "PASSENGER_CONFIRMED" | "PENDING";
  /** Kilometres from the driver to the pick-up; rounded up to 0.5 until both have confirmed. */
  distance_km: number;
  /** Seconds that the driver takes to the pick-up, rounded up to a minute. */
  eta_seconds?: number;
  /** Until when the offer can be answered. */
  expires_at: string;
}

/** A ride as its people see it, with who is on it; of one that is over a driver reads places to about 100 m. */
export interface Ride {
  /** The driver. */
  driver_id: string;
  /** The passenger. */
  passenger_id: string;
  /** The ride. */
  ride_id: string;
  /** The match: an offer that pairs a driver with a passenger. */
  match_id: string;
  /** The state of the ride. */
  status: "ARRIVED" | "CANCELLED" | "COMPLETED" | "ONGOING" | "PICKUP";
  /** The pick-up. */
  location: Place;
  /** Where the passenger wants to go. */
  target_location: Place;
  /** Kilometres that were driven and booked. */
  distance_km: number;
  /** The fare before the adjustment, in rupiah. */
  total_cost: number;
  /** The factor by which the driver multiplies the fare. */
  adjustment_factor: number;
  /** The fare after the adjustment, in rupiah, rounded down. */
  adjusted_cost: number;
  /** When the ride was booked. */
  created_at: string;
  /** When the passenger got on board. */
  started_at: string | null;
  /** When the drive ended. */
  arrived_at: string | null;
  /** When the ride was paid. */
  completed_at: string | null;
  /** Who drives; gone some time after the ride (`CARD_RETENTION`). */
  driver?: DriverCard;
  /** Who rides; gone some time after the ride (`CARD_RETENTION`). */
  passenger?: PassengerCard;
  /** Four digits that only the passenger is shown; the driver needs them to start. */
  pin?: string;
}

/** The driver who comes, as the passenger recognises them. */
export interface DriverCard {
  /** The name; may be empty. */
  full_name: string;
  /** The kind of vehicle. */
  vehicle_type: string;
  /** The licence plate. */
  vehicle_plate: string;
  /** The mean of the stars others gave, once there are five of them. */
  rating?: number;
}

/** The passenger who waits, as the driver calls them. */
export interface PassengerCard {
  /** The name; may be empty. */
  full_name: string;
  /** The mean of the stars others gave, once there are five of them. */
  rating?: number;
}

/** A payment as it stands; `total_cost` is what the passenger pays: the adjusted cost of the ride. */
export interface Payment {
  /** The driver. */
  driver_id: string;
  /** The passenger. */
  passenger_id: string;
  /** The ride. */
  ride_id: string;
  /** The payment. */
  payment_id: string;
  /** `PENDING` asks for the payment; a `REJECTED` one may still be `ACCEPTED`. */
  status: "ACCEPTED" | "PENDING" | "REJECTED";
  /** What the passenger pays, in rupiah: the adjusted cost of the ride. */
  total_cost: number;
  /** The share of the service, in rupiah. */
  admin_fee: number;
  /** The share of the driver, in rupiah. */
  driver_payout: number;
  /** The address of the payment's QR code. */
  qr_code_url: string;
  /** How it was paid: `cash`, or the name of the gateway; missing until then. */
  method?: string;
}

/** The limits of a client; a rate of 0 is no limit. */
export interface Limits {
  /** Bytes of a frame (`WS_MAX_MESSAGE_SIZE`). */
  max_message_size: number;
  /** Commands per second (`WS_COMMAND_RATE`). */
  command_rate: number;
  /** Commands at once (`WS_COMMAND_BURST`). */
  command_burst: number;
  /** Positions per second that the other party is shown (`WS_LOCATION_RATE`). */
  location_rate: number;
  /** A driver whose last position is older gets no offers: report more often (`LOCATION_MAX_AGE`). */
  location_max_age: number;
}

/** A driver's beacon was switched. */
export interface BeaconUpdated {
  /** The user. */
  user_id: string;
  /** Whether the driver takes passengers. */
  is_active: boolean;
  /** The driver's position, where one was given. */
  latitude?: number;
  /** The driver's position, where one was given. */
  longitude?: number;
}

/** A passenger's search began, moved or ended. */
export interface FinderUpdated {
  /** The user. */
  user_id: string;
  /** Whether the passenger is looking for a driver. */
  is_active: boolean;
  /** The pick-up. */
  location?: Place;
  /** Where the passenger wants to go. */
  target_location?: Place;
  /** The kind of vehicle that is asked for; any, where it is missing. */
  vehicle_type?: "car" | "motorcycle" | "van";
  /** Whether the first driver who accepts has the ride, without a confirmation of the passenger. */
  auto_accept?: boolean;
  /** The quote whose price was agreed, if any. */
  quote_id?: string;
  /** Why the search ended by itself: no driver was found. */
  reason?: "no_driver";
}

/** An offer that pairs a driver with a passenger. */
export interface MatchFound {
  /** The driver. */
  driver_id: string;
  /** The passenger. */
  passenger_id: string;
  /** The match: an offer that pairs a driver with a passenger. */
  match_id: string;
  /** The pick-up. */
  location: Place;
  /** Where the driver was when the offer was made. */
  driver_location: Place;
  /** Where the passenger wants to go. */
  target_location: Place;
  /** Who has confirmed the match. */
  match_status: "PENDING";
  /** Kilometres from the driver to the pick-up; rounded up to 0.5 until both have confirmed. */
  distance_km: number;
  /** Seconds that the driver takes to the pick-up, rounded up to a minute. */
  eta_seconds?: number;
  /** Until when the offer can be answered. */
  expires_at: string;
}

/** One side has confirmed a match; with `ACCEPTED` both have, and learn who the other is. */
export interface MatchAnswered {
  /** The driver. */
  driver_id: string;
  /** The passenger. */
  passenger_id: string;
  /** The match: an offer that pairs a driver with a passenger. */
  match_id: string;
  /** The pick-up. */
  location: Place;
  /** Where the driver was when the offer was made. */
  driver_location: Place;
  /** Where the passenger wants to go. */
  target_location: Place;
  /** Who has confirmed the match. */
  match_status: "ACCEPTED" | "DRIVER_CONFIRMED" | "PASSENGER_CONFIRMED";
  /** Kilometres from the driver to the pick-up; rounded up to 0.5 until both have confirmed. */
  distance_km: number;
  /** Seconds that the driver takes to the pick-up, rounded up to a minute. */
  eta_seconds?: number;
  /** Until when the offer can be answered. */
  expires_at: string;
  /** Who drives; gone some time after the ride (`CARD_RETENTION`). */
  driver?: DriverCard;
  /** Who rides; gone some time after the ride (`CARD_RETENTION`). */
  passenger?: PassengerCard;
}

/** The match was rejected. */
export interface MatchRejected {
  /** The driver. */
  driver_id: string;
  /** The passenger. */
  passenger_id: string;
  /** The match: an offer that pairs a driver with a passenger. */
  match_id: string;
  /** Why: one side declined, nobody answered in time, one side has taken another ride, or one side has switched off. */
  reason: "cancelled" | "declined" | "expired" | "taken";
}

/** The ride was booked; the driver is on the way to the passenger. */
export interface RidePickup {
  /** The driver. */
  driver_id: string;
  /** The passenger. */
  passenger_id: string;
  /** The ride. */
  ride_id: string;
  /** The match: an offer that pairs a driver with a passenger. */
  match_id: string;
  /** Where the driver is. */
  driver_location: Place;
  /** When the ride was booked. */
  timestamp: string;
  /** Who drives; gone some time after the ride (`CARD_RETENTION`). */
  driver?: DriverCard;
  /** Who rides; gone some time after the ride (`CARD_RETENTION`). */
  passenger?: PassengerCard;
  /** Four digits that only the passenger is shown; the driver needs them to start. */
  pin?: string;
}

/** The passenger is on board. */
export interface RideStarted {
  /** The driver. */
  driver_id: string;
  /** The passenger. */
  passenger_id: string;
  /** The ride. */
  ride_id: string;
  /** The match: an offer that pairs a driver with a passenger. */
  match_id: string;
  /** The state of the ride. */
  status: "ONGOING";
  /** The pick-up. */
  location: Place;
  /** Where the passenger wants to go. */
  target_location: Place;
  /** Kilometres that were driven and booked. */
  distance_km: number;
  /** The fare before the adjustment, in rupiah. */
  total_cost: number;
  /** The factor by which the driver multiplies the fare. */
  adjustment_factor: number;
  /** The fare after the adjustment, in rupiah, rounded down. */
  adjusted_cost: number;
  /** When the ride was booked. */
  created_at: string;
  /** When the passenger got on board. */
  started_at: string | null;
  /** When the drive ended. */
  arrived_at: string | null;
  /** When the ride was paid. */
  completed_at: string | null;
}

/** The drive is over and its fare is known. */
export interface RideArrived {
  /** The driver. */
  driver_id: string;
  /** The passenger. */
  passenger_id: string;
  /** The ride. */
  ride_id: string;
  /** The match: an offer that pairs a driver with a passenger. */
  match_id: string;
  /** The state of the ride. */
  status: "ARRIVED";
  /** The pick-up. */
  location: Place;
  /** Where the passenger wants to go. */
  target_location: Place;
  /** Kilometres that were driven and booked. */
  distance_km: number;
  /** The fare before the adjustment, in rupiah. */
  total_cost: number;
  /** The factor by which the driver multiplies the fare. */
  adjustment_factor: number;
  /** The fare after the adjustment, in rupiah, rounded down. */
  adjusted_cost: number;
  /** When the ride was booked. */
  created_at: string;
  /** When the passenger got on board. */
  started_at: string | null;
  /** When the drive ended. */
  arrived_at: string | null;
  /** When the ride was paid. */
  completed_at: string | null;
}

/** A payment was requested, made or refused. */
export interface PaymentProcessed {
  /** The driver. */
  driver_id: string;
  /** The passenger. */
  passenger_id: string;
  /** The ride. */
  ride_id: string;
  /** The payment. */
  payment_id: string;
  /** `PENDING` asks for the payment; a `REJECTED` one may still be `ACCEPTED`. */
  status: "ACCEPTED" | "PENDING" | "REJECTED";
  /** What the passenger pays, in rupiah: the adjusted cost of the ride. */
  total_cost: number;
  /** The share of the service, in rupiah. */
  admin_fee: number;
  /** The share of the driver, in rupiah. */
  driver_payout: number;
  /** The address of the payment's QR code. */
  qr_code_url: string;
  /** How it was paid: `cash`, or the name of the gateway; missing until then. */
  method?: string;
}

/** The ride is paid. */
export interface RideCompleted {
  /** The ride as it stands. */
  ride: RideSnapshot;
  /** The payment as it stands. */
  payment: Payment;
}

/** A ride as it stands; distances in kilometres, money in rupiah. */
export interface RideSnapshot {
  /** The driver. */
  driver_id: string;
  /** The passenger. */
  passenger_id: string;
  /** The ride. */
  ride_id: string;
  /** The match: an offer that pairs a driver with a passenger. */
  match_id: string;
  /** The state of the ride. */
  status: "ARRIVED" | "CANCELLED" | "COMPLETED" | "ONGOING" | "PICKUP";
  /** The pick-up. */
  location: Place;
  /** Where the passenger wants to go. */
  target_location: Place;
  /** Kilometres that were driven and booked. */
  distance_km: number;
  /** The fare before the adjustment, in rupiah. */
  total_cost: number;
  /** The factor by which the driver multiplies the fare. */
  adjustment_factor: number;
  /** The fare after the adjustment, in rupiah, rounded down. */
  adjusted_cost: number;
  /** When the ride was booked. */
  created_at: string;
  /** When the passenger got on board. */
  started_at: string | null;
  /** When the drive ended. */
  arrived_at: string | null;
  /** When the ride was paid. */
  completed_at: string | null;
}

/** The ride was cancelled by `driver`, `passenger`, `staff` or, after a deadline, `system`. */
export interface RideCancelled {
  /** The driver. */
  driver_id: string;
  /** The passenger. */
  passenger_id: string;
  /** The ride. */
  ride_id: string;
  /** Who cancelled the ride. */
  cancelled_by: "driver" | "passenger" | "staff" | "system";
  /** The reason that was given; may be empty. */
  reason: string;
}

/** The position of the other party of the current ride, until arrival; only the latest counts. */
export interface LocationRelayed {
  /** The ride. */
  ride_id: string;
  /** Whose position it is. */
  user_id: string;
  /** Degrees north of the equator (WGS 84). */
  latitude: number;
  /** Degrees east of Greenwich (WGS 84). */
  longitude: number;
  /** When they were there. */
  timestamp: string;
}

/** The token ends soon: send `token_refresh`, or the socket closes with 4401 then. */
export interface TokenExpiring {
  /** When the token ends, and the connection with it. */
  expires_at: string;
}

/** The socket will close with 1012; connect again after `reconnect_after`. */
export interface ServerRestarting {
  /** Seconds to wait before connecting again; different for everybody. */
  reconnect_after: number;
}

/** A frame was refused or could not be carried out; nothing was changed. */
export interface ErrorData {
  /** The kind of mistake. */
  code: ErrorCode;
  /** The reason, for people. */
  message: string;
  /** The reason, for programs: a word that stays the same. New ones may come; without it the code says all. */
  reason?: string;
  /** The field that is wrong, as a path such as `location.latitude`. */
  field?: string;
  /** With `RATE_LIMIT`: seconds after which the command may be sent again, with the same `id`. */
  retry_after?: number;
}

export type ErrorCode = "INTERNAL_ERROR" | "INVALID_FORMAT" | "RATE_LIMIT" | "UNAUTHORIZED" | "VALIDATION_FAILED";

/** The `data` of each message by its type. */
export interface Messages {
  session_ready: Session;
  beacon_update: BeaconUpdated;
  finder_update: FinderUpdated;
  match_proposal: MatchFound;
  match_confirm: MatchAnswered;
  match_rejected: MatchRejected;
  ride_pickup: RidePickup;
  ride_start: RideStarted;
  ride_arrived: RideArrived;
  payment_process: PaymentProcessed;
  ride_completed: RideCompleted;
  ride_cancelled: RideCancelled;
  location_update: LocationRelayed;
  token_expiring: TokenExpiring;
  server_restarting: ServerRestarting;
  error: ErrorData;
}

/** The `data` of each command by its type. */
export interface CommandData {
  location_update: { latitude: number; longitude: number; timestamp?: string; accuracy?: number; speed?: number; heading?: number };
  beacon_update: { is_active: boolean; latitude?: number; longitude?: number };
  finder_update: { is_active: boolean; location?: Place; target_location?: Place; vehicle_type?: "car" | "motorcycle" | "van"; auto_accept?: boolean; quote_id?: string };
  match_confirm: { match_id: string; accepted: boolean };
  ride_start: { ride_id: string; latitude?: number; longitude?: number; pin?: string };
  ride_arrived: { ride_id: string; adjustment_factor?: number };
  payment_process: { ride_id: string; total_cost: number; status?: "ACCEPTED" | "REJECTED" };
  payment_received: { ride_id: string; total_cost: number };
  ride_cancel: { ride_id: string; reason?: string };
  ride_rate: { ride_id: string; rating: number };
  received: { seq: number };
  token_refresh: { token: string };
  sync: {};
}

/** Aborting withdraws a command: it is not sent, or not sent again. */
export interface CommandOptions { signal?: AbortSignal }
export type Ack = Promise<Record<string, unknown>>;

/** When each command makes sense: its type, the roles, the situations. */
export const ACTIONS: [string, string[], string[]][];

export class Commands {
  beaconUpdate(data: CommandData["beacon_update"], options?: CommandOptions): Ack;
  finderUpdate(data: CommandData["finder_update"], options?: CommandOptions): Ack;
  matchConfirm(data: CommandData["match_confirm"], options?: CommandOptions): Ack;
  rideStart(data: CommandData["ride_start"], options?: CommandOptions): Ack;
  rideArrived(data: CommandData["ride_arrived"], options?: CommandOptions): Ack;
  paymentProcess(data: CommandData["payment_process"], options?: CommandOptions): Ack;
  paymentReceived(data: CommandData["payment_received"], options?: CommandOptions): Ack;
  rideCancel(data: CommandData["ride_cancel"], options?: CommandOptions): Ack;
  rideRate(data: CommandData["ride_rate"], options?: CommandOptions): Ack;
  received(data: CommandData["received"], options?: CommandOptions): Ack;
  sync(options?: CommandOptions): Ack;
}
