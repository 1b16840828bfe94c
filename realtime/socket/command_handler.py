"""The commands of one connection, one after the other: limit, execute, answer."""

from __future__ import annotations

import logging
import time
import uuid
from collections.abc import Awaitable, Callable
from typing import Any

from common.errors import SERVER_MESSAGE, DomainError, RateLimited, Unauthorized, brief
from common.retrying import repetition
from common.threads import in_read_thread, in_write_thread
from common.unavailable import unavailable
from realtime.commands.dispatch import execute, read_command, route_of
from realtime.commands.routes import Route
from realtime.contract import frames
from realtime.contract.frames import BadFrame, Frame
from realtime.socket.position_intake import PositionIntake
from realtime.socket.rate_limits import CommandLimit
from rides.positions import positions
from users.tokens import Claims, authenticate

logger = logging.getLogger(__name__)

LOG_LIMITED_EVERY = 60.0
"""Seconds between two log lines about a connection that is over its limit: a flood must not fill the log."""

Reply = dict[str, Any]
"""A frame for the client: `{"type", "data", "id"?}`."""


class CommandHandler:
    """Turns the frames of one client into replies. It never raises what a client's frame can cause, but `Flooding`.

    `use_token` is called with the claims of a fresh token, `sync` sends `session_ready`, `confirm` takes a receipt.
    """

    def __init__(
        self,
        claims: Claims,
        intake: PositionIntake,
        use_token: Callable[[Claims], None],
        sync: Callable[[], Awaitable[None]],
        confirm: Callable[[int], None],
    ) -> None:
        self.claims = claims
        self._intake = intake
        self._use_token = use_token
        self._sync = sync
        self._confirm = confirm
        self._limit = CommandLimit(claims.user_id)
        self._limited_logged_at = float("-inf")

    async def reply_to(self, frame: Frame) -> Reply | None:
        """Carry a frame out; return its answer, where it gets one. Raises `Flooding`."""
        try:
            return await self._carry_out(frame)
        except BadFrame as exc:
            return await self.refuse(exc)
        except RateLimited as exc:
            return self._limited(exc, frame.command_id)
        except DomainError as exc:
            logger.info("Refused: %s", exc.message, extra={"code": exc.code.value})
            return frames.error(exc, frame.command_id)
        except Exception as exc:
            return self._failed(exc, frame.command_id)

    async def refuse(self, bad: BadFrame) -> Reply:
        """Return the answer to what is no frame of the contract; it counts as a command. Raises `Flooding`."""
        logger.info("Bad frame: %.200r", str(bad), extra={"code": bad.error.code.value})
        try:
            await self._limit.take(costly=False)
        except RateLimited as exc:
            return self._limited(exc, bad.command_id)
        return frames.error(bad.error, bad.command_id)

    async def _carry_out(self, frame: Frame) -> Reply | None:
        route = route_of(frame)
        if route.command is frames.LocationUpdate:
            self._limit.take_location()
        else:
            await self._limit.take(costly=route.costly)
        if route.service is None:
            await self._handle_here(route, frame)
            return frames.ack(frame.command_id) if frame.command_id else None
        await self._intake.flush()
        try:
            answer = await in_write_thread(execute, self.claims, route, frame)
        finally:
            self._intake.reset()
        if answer["type"] == "ack" and frame.command_id is None:
            return None
        return frames.reply(answer, frame.command_id)

    async def _handle_here(self, route: Route, frame: Frame) -> None:
        """Carry out a command that has no service: it is about this connection."""
        match read_command(route, self.claims.role, frame):
            case frames.LocationUpdate() as update:
                await self._intake.report(update)
                if frame.command_id:  # a client that got the answer may drop it, and go on in another process
                    await in_read_thread(positions().flush)
                    await self._intake.flush_track()
            case frames.TokenRefresh(token=token):
                await self._refresh(token)
            case frames.Received(seq=seq):
                self._confirm(seq)
            case frames.Sync():
                await self._sync()

    async def _refresh(self, token: str) -> None:
        user, claims = await in_read_thread(authenticate, token)
        if user.pk != self.claims.user_id:
            raise Unauthorized(f"user {self.claims.user_id} sent the token of user {user.pk}")
        self.claims = claims
        self._use_token(claims)

    def _limited(self, exc: RateLimited, command_id: str | None) -> Reply:
        """Return `RATE_LIMIT` with `retry_after`; raise `Flooding` after too many."""
        now = time.monotonic()
        if now >= self._limited_logged_at + LOG_LIMITED_EVERY:
            self._limited_logged_at = now
            logger.info("Refused: %s", exc.message, extra={"code": exc.code.value})
        self._limit.refused()
        return frames.error(exc, command_id)

    def _failed(self, exc: Exception, command_id: str | None) -> Reply:
        """Log a fault of ours under an id, or an outage once a minute, whomever it meets.

        The client only reads that there was one.
        """
        is_away = isinstance(exc, unavailable())
        if not is_away or repetition(CommandHandler).is_new(brief(exc)):
            error_id = str(uuid.uuid4())
            extra = {"error_id": error_id, "code": DomainError.code.value}
            said = "Error %s of user %s: %s"
            logger.error(said, error_id, self.claims.user_id, brief(exc), exc_info=not is_away, extra=extra)
        return frames.error(DomainError(SERVER_MESSAGE), command_id)
