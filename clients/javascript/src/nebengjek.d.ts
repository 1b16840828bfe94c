/** The types of the client and of the protocol (docs/protocol.md). All times are in seconds. */

export interface Place { latitude: number; longitude: number }
export type Role = "driver" | "passenger";
export type MatchStatus = "PENDING" | "DRIVER_CONFIRMED" | "PASSENGER_CONFIRMED" | "ACCEPTED" | "REJECTED";
export type RideStatus = "PICKUP" | "ONGOING" | "ARRIVED" | "COMPLETED" | "CANCELLED";
export type PaymentStatus = "PENDING" | "ACCEPTED" | "REJECTED";

export interface Pair { driver_id: string; passenger_id: string }

export interface Match extends Pair {
  match_id: string;
  location: Place;
  driver_location: Place;
  target_location: Place;
  match_status: MatchStatus;
  distance_km: number;
  expires_at: string;
}

export interface Ride extends Pair {
  ride_id: string;
  match_id: string;
  status: RideStatus;
  location: Place;
  target_location: Place;
  distance_km: number;
  total_cost: number;
  adjustment_factor: number;
  adjusted_cost: number;
  created_at: string;
  started_at: string | null;
  arrived_at: string | null;
  completed_at: string | null;
}

export interface Payment extends Pair {
  payment_id: string;
  ride_id: string;
  status: PaymentStatus;
  total_cost: number;
  admin_fee: number;
  driver_payout: number;
  qr_code_url: string;
}

export interface State {
  beacon: { is_active: boolean } | null;
  finder: { is_active: boolean; location?: Place; target_location?: Place } | null;
  proposals: Match[];
  ride: Ride | null;
  payment: Payment | null;
  last_ride: Ride | null;
  allowed_actions: string[];
}

export interface Limits { max_message_size: number; command_rate: number; command_burst: number; location_rate: number }

export interface Session {
  user_id: string;
  role: Role;
  connection_id: string;
  epoch: string;
  seq: number;
  recovered: boolean;
  server_time: string;
  state: State;
  limits: Limits;
}

/** The `data` by the type of the event; the last three are the client's own. */
export interface Events {
  session_ready: Session;
  beacon_update: { user_id: string; is_active: boolean } & Partial<Place>;
  finder_update: { user_id: string; is_active: boolean; location?: Place; target_location?: Place; reason?: "no_driver" };
  match_proposal: Match;
  match_confirm: Match;
  match_rejected: Pair & { match_id: string; reason: "declined" | "expired" | "taken" | "cancelled" };
  ride_pickup: Pair & { ride_id: string; match_id: string; driver_location: Place; timestamp: string };
  ride_start: Ride;
  ride_arrived: Ride;
  payment_process: Payment;
  ride_completed: { ride: Ride; payment: Payment };
  ride_cancelled: Pair & { ride_id: string; cancelled_by: "driver" | "passenger" | "staff"; reason: string };
  location_update: Place & { ride_id: string; user_id: string; timestamp: string };
  token_expiring: { expires_at: string };
  server_restarting: { reconnect_after: number };
  error: ErrorData;
  state: State;
  disconnected: { code: number; reason: string; retry_in: number };
  closed: { reason: string; error: ConnectionEnded };
}

export interface ErrorData { code: string; message: string; field?: string; retry_after?: number }

export interface Frame<Type extends string = string> {
  type: Type;
  data: Type extends keyof Events ? Events[Type] : any;
  seq?: number;
  /** Missed while there was no connection; `client.state` has it already. */
  resumed?: boolean;
}

export interface TokenPair { access: string; refresh: string }

export interface User {
  id: string;
  msisdn: string;
  full_name: string;
  role: Role;
  is_active: boolean;
  driver?: { vehicle_type: string; vehicle_plate: string };
}

export interface Options {
  access: string;
  refresh?: string;
  /** Called with new tokens before they are used; a promise is waited for. */
  onTokens?: (tokens: TokenPair) => unknown;
  /** Sees every frame as it goes (`->`) and comes (`<-`); a `token_refresh` holds a token. */
  onFrame?: (direction: "->" | "<-", text: string) => void;
  makeSocket?: (url: string, protocols: string[]) => WebSocket;
  fetch?: typeof globalThis.fetch;
  /** For the first `session_ready`, 30 by default; null: for ever. */
  openTimeout?: number | null;
  queueMax?: number;
  queueMaxAge?: number;
}

/** Aborting withdraws a command: it is not sent, or not sent again. */
export interface CommandOptions { signal?: AbortSignal }
type Ack = Promise<Record<string, unknown>>;

export class Client {
  constructor(url: string, options: Options);
  readonly rest: Rest;
  readonly access: string;
  readonly refresh: string | undefined;
  readonly connected: boolean;
  readonly state: State;
  readonly limits: Limits;
  readonly session: Session;
  readonly userId: string | undefined;
  readonly role: Role | undefined;
  now(): Date;
  connect(): Promise<void>;
  close(): void;
  retryNow(): void;

  on<T extends keyof Events>(type: T, handler: (frame: Frame<T>) => void): () => void;
  on(type: string, handler: (frame: Frame) => void): () => void;
  off(type: string, handler: (frame: any) => void): void;
  once<T extends keyof Events>(type: T, handler: (frame: Frame<T>) => void): () => void;
  once(type: string, handler: (frame: Frame) => void): () => void;
  subscribe<T extends keyof Events>(...types: T[]): AsyncGenerator<Frame<T>, void>;
  subscribe(...types: string[]): AsyncGenerator<Frame, void>;
  waitFor<T extends keyof Events>(type: T, fits?: (frame: Frame<T>) => boolean, timeout?: number): Promise<Frame<T>>;

  beaconUpdate(data: { is_active: boolean } & Partial<Place>, options?: CommandOptions): Ack;
  finderUpdate(data: { is_active: boolean; location?: Place; target_location?: Place }, options?: CommandOptions): Ack;
  matchConfirm(data: { match_id: string; accepted: boolean }, options?: CommandOptions): Ack;
  rideStart(data: { ride_id: string } & Partial<Place>, options?: CommandOptions): Ack;
  rideArrived(data: { ride_id: string; adjustment_factor?: number }, options?: CommandOptions): Ack;
  paymentProcess(
    data: { ride_id: string; total_cost: number; status?: "ACCEPTED" | "REJECTED" }, options?: CommandOptions,
  ): Ack;
  rideCancel(data: { ride_id: string; reason?: string }, options?: CommandOptions): Ack;
  sync(options?: CommandOptions): Ack;
  tokenRefresh(token: string): Ack;
  command(type: string, data: object, options?: CommandOptions): Ack;
  /** A driver's positions are kept until the server has them for the fare; of a passenger's the latest waits. */
  locationUpdate(
    data: Place & { timestamp?: string; accuracy?: number; speed?: number; heading?: number },
  ): Promise<void>;
}

export class Rest {
  constructor(url: string, options?: { access?: string; fetch?: typeof globalThis.fetch });
  access: string | undefined;
  requestCode(msisdn: string): Promise<number>;
  logIn(msisdn: string, code: string): Promise<TokenPair & { user: User }>;
  registerDriver(vehicleType: "motorcycle" | "car" | "van", vehiclePlate: string): Promise<TokenPair & { user: User }>;
  refresh(refresh: string): Promise<TokenPair>;
  logOut(refresh: string): Promise<void>;
  me(): Promise<User>;
  rides(page?: number): Promise<{ count: number; next: string | null; previous: string | null; results: Ride[] }>;
  ride(rideId: string): Promise<Ride & { ledger: object[]; payment: Payment | null; track: object[] }>;
  call(method: string, path: string, body?: object): Promise<any>;
}

export function fold(state: State, role: Role, type: string, data: any): State | undefined;
export function allowedActions(role: Role, state: State): string[];
export const SILENCE_MAX: number;
export const RENEWAL_PAUSE: number;

export class NebengJekError extends Error {}
export class ServerError extends NebengJekError {
  code: string;
  field?: string;
  /** REST: what is wrong with each field. */
  fields?: Record<string, string[]>;
  retryAfter?: number;
  /** Of HTTP; on the socket there is none. */
  status?: number;
}
export class InvalidFormat extends ServerError {}
export class ValidationFailed extends ServerError {}
export class Unauthorized extends ServerError {}
export class RateLimited extends ServerError {}
export class InternalError extends ServerError {}
export class CommandDropped extends NebengJekError {}
export class QueueFull extends CommandDropped {}
export class CommandTooLarge extends CommandDropped {}
export class CommandExpired extends CommandDropped {
  /** Whether it may have been carried out. */
  sent: boolean;
}
export class SubscriptionOverflow extends NebengJekError {}
export class WaitTimeout extends NebengJekError {}
export class ConnectionEnded extends NebengJekError {}
export class ClientClosed extends ConnectionEnded {}
export class LoginRequired extends ConnectionEnded {}
export class Replaced extends ConnectionEnded {}
export class ConnectFailed extends ConnectionEnded {}
