/** The types of the client; those of the protocol are in `nebengjek/commands.d.ts`. All times are in seconds. */

import { Ack, CommandData, CommandOptions, Commands, Messages } from "./nebengjek/commands.js";
import type {
  ErrorData, Finder, Limits, Match, MatchAnswered, MatchFound, Payment, Place, Ride, Session, State,
} from "./nebengjek/commands.js";

export type { CommandData, CommandOptions, ErrorData, Finder, Limits, Match, Payment, Place, Ride, Session, State };
export type Role = Session["role"];
export type MatchStatus = MatchFound["match_status"] | MatchAnswered["match_status"];
export type RideStatus = Ride["status"];
export type PaymentStatus = Payment["status"];
export type Pair = Pick<Ride, "driver_id" | "passenger_id">;

/** A part of a price and what it costs, in rupiah. */
export interface ReceiptLine {
  label: string;
  amount: number;
}

/** Positions that the driver's phone reported and that were not billed. */
export interface NotCounted {
  reason: string;
  points: number;
}

/** The `data` by the type of the event; the last three are the client's own. */
export interface Events extends Messages {
  state: State;
  disconnected: { code: number; reason: string; retry_in: number };
  closed: { reason: string; error: ConnectionEnded };
}

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

export class Client extends Commands {
  constructor(url: string, options: Options);
  readonly url: string;
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

  tokenRefresh(token: string): Ack;
  command(type: string, data: object, options?: CommandOptions): Ack;
  /** A driver's positions are kept until the server has them for the fare; of a passenger's the latest waits. */
  locationUpdate(data: CommandData["location_update"]): Promise<void>;
}

export class Rest {
  constructor(url: string, options?: { access?: string; fetch?: typeof globalThis.fetch });
  readonly url: string;
  access: string | undefined;
  requestCode(msisdn: string): Promise<number>;
  logIn(msisdn: string, code: string): Promise<TokenPair & { user: User }>;
  registerDriver(vehicleType: "motorcycle" | "car" | "van", vehiclePlate: string): Promise<TokenPair & { user: User }>;
  refresh(refresh: string): Promise<TokenPair>;
  logOut(refresh: string): Promise<void>;
  me(): Promise<User>;
  setName(fullName: string): Promise<User>;
  deleteAccount(): Promise<void>;
  block(rideId: string): Promise<void>;
  rides(page?: number): Promise<{ count: number; next: string | null; previous: string | null; results: Ride[] }>;
  ride(rideId: string): Promise<
    Ride & {
      ledger: object[];
      lines: ReceiptLine[];
      by_quote: boolean;
      not_counted: NotCounted[];
      payment: Payment | null;
      track_url: string;
    }
  >;
  track(rideId: string, page?: number): Promise<{ count: number; next: string | null; results: object[] }>;
  quote(wish: {
    location: Place;
    target_location: Place;
    vehicle_type?: "motorcycle" | "car" | "van";
  }): Promise<{ quote_id: string; distance_km: number; total_cost: number; lines: ReceiptLine[]; valid_until: string }>;
  call(method: string, path: string, body?: object): Promise<any>;
}

export function fold(state: State, role: Role, type: string, data: any): State | undefined;
export function allowedActions(role: Role, state: State): string[];
export const SILENCE_MAX: number;
export const RENEWAL_PAUSE: number;

export class NebengJekError extends Error {}
export class ServerError extends NebengJekError {
  code: string;
  /** For programs: a word that stays the same, such as `offer_expired` (docs/protocol.md); there may be new ones. */
  reason: string;
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
