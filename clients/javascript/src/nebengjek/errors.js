/**
 * What can go wrong.
 *
 *     NebengJekError
 *     ├── ServerError           the server's answer: code, message, reason, field, retryAfter, status (of HTTP)
 *     │   ├── InvalidFormat · ValidationFailed · Unauthorized · RateLimited · InternalError
 *     ├── CommandDropped        a command that gets no answer
 *     │   ├── QueueFull         not taken: too many wait already
 *     │   ├── CommandExpired    waited longer than the server remembers ids; `sent`: whether it may have been carried out
 *     │   └── CommandTooLarge   over `limits.max_message_size`: not sent
 *     ├── SubscriptionOverflow  nobody read a subscription for too long
 *     ├── WaitTimeout           `waitFor`
 *     └── ConnectionEnded       the client has ended and does not come back
 *         ├── ClientClosed      by the application
 *         ├── LoginRequired     no token that is still good
 *         ├── Replaced          by a newer connection of the same user (4409)
 *         └── ConnectFailed     no first session in time
 */

export class NebengJekError extends Error {
  /** @param {string} message */
  constructor(message) {
    super(message);
    this.name = new.target.name;
  }
}

/** An error that the server answered with, on the socket or over HTTP. */
export class ServerError extends NebengJekError {
  /**
   * @param {{code: string, message: string, reason?: string, field?: string, retry_after?: number, fields?: Record<string, string[]>}} data
   * @param {number} [status] of HTTP
   */
  constructor(data, status) {
    super(data.message);
    this.code = data.code;
    this.reason = data.reason ?? data.code?.toLowerCase();
    this.field = data.field;
    this.fields = data.fields;
    this.retryAfter = data.retry_after;
    this.status = status;
  }

  /**
   * The class for a code; one that is not known yet is a plain `ServerError`.
   * @param {any} data
   * @param {number} [status]
   * @returns {ServerError}
   */
  static of(data, status) {
    return new (BY_CODE.get(data.code) ?? ServerError)(data, status);
  }
}

export class InvalidFormat extends ServerError {}
export class ValidationFailed extends ServerError {}
export class Unauthorized extends ServerError {}
export class RateLimited extends ServerError {}
export class InternalError extends ServerError {}

const BY_CODE = new Map([
  ["INVALID_FORMAT", InvalidFormat],
  ["VALIDATION_FAILED", ValidationFailed],
  ["UNAUTHORIZED", Unauthorized],
  ["RATE_LIMIT", RateLimited],
  ["INTERNAL_ERROR", InternalError],
]);

export class CommandDropped extends NebengJekError {}
export class QueueFull extends CommandDropped {}
export class CommandTooLarge extends CommandDropped {}
export class CommandExpired extends CommandDropped {
  /** @param {string} message @param {boolean} sent whether it may have been carried out */
  constructor(message, sent) {
    super(message);
    this.sent = sent;
  }
}

export class SubscriptionOverflow extends NebengJekError {}
export class WaitTimeout extends NebengJekError {}

export class ConnectionEnded extends NebengJekError {}
export class ClientClosed extends ConnectionEnded {}
export class LoginRequired extends ConnectionEnded {}
export class Replaced extends ConnectionEnded {}
export class ConnectFailed extends ConnectionEnded {}
