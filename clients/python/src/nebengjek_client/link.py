"""The link to the server: one connection after the other, as if it were one."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Coroutine
from contextlib import aclosing
from datetime import UTC, datetime, timedelta
from typing import Any, NoReturn, cast

from nebengjek_client.backoff import Backoff
from nebengjek_client.connection import Connection, ConnectionLost, Trace
from nebengjek_client.contract import Session
from nebengjek_client.delivery import deliver
from nebengjek_client.errors import LoginRequired, ServerError, Unreachable
from nebengjek_client.frames import Data, Frame, encode
from nebengjek_client.queue import CommandQueue
from nebengjek_client.receipts import Receipts
from nebengjek_client.reconnect import Reconnect
from nebengjek_client.tokens import TokenKeeper

logger = logging.getLogger(__name__)

SESSION_TIMEOUT = 15.0
"""Seconds from the handshake to `session_ready`."""

RENEWAL_INTERVAL = 10.0
"""Seconds from one renewal of tokens to the next at least, however short they live."""

CLOCK_TOLERANCE = timedelta(seconds=5)
"""How much later than an earlier one a `session_ready` may have come, that seems to set the clock back."""


class Link:
    """Connects, resumes, reads, and hands each frame to `tell`, notifications once and in order."""

    def __init__(
        self, url: str, tokens: TokenKeeper, queue: CommandQueue, tell: Callable[[Frame], None], trace: Trace | None
    ) -> None:
        self.session: Session | None = None
        self.clock_offset = timedelta()
        self.connection: Connection | None = None
        """The connection while it has a session."""
        self._url, self._tokens, self._queue, self._tell, self._trace = url, tokens, queue, tell, trace
        self._reconnect = Reconnect(tokens)
        self._seq = 0
        self._receipts = Receipts()
        self._renewed_at = -RENEWAL_INTERVAL
        self._helpers: set[asyncio.Task[None]] = set()

    async def run(self) -> NoReturn:
        """Keep the link up. Raises `ConnectionEnded` when it is not to be had any more."""
        while True:
            code, reason, wait = await self._one_connection()
            logger.info("Disconnected (%s); the next attempt is in %.1f s.", reason, wait)
            self._tell(Frame("disconnected", {"code": code, "reason": reason, "retry_in": wait}))
            await asyncio.sleep(wait)

    async def _one_connection(self) -> tuple[int | None, str, float]:
        """Connect and converse to the end; return why it ended and how long to wait."""
        access = self._tokens.access
        try:
            connection = await Connection.open(self._url, access, self._resume(), self._trace)
        except ConnectionLost as exc:
            return None, str(exc), await self._reconnect.after_refusal(exc, access)
        begun = time.monotonic()
        try:
            await self._converse(connection)
        finally:
            self.connection = None
            await self._end_helpers()
            await connection.close()
        lived = time.monotonic() - begun
        wait = await self._reconnect.after_close(connection.code, connection.reason, lived=lived)
        return connection.code, connection.reason, wait

    def _resume(self) -> str | None:
        return f"{self.session['epoch']}:{self._seq}" if self.session is not None else None

    async def _converse(self, connection: Connection) -> None:
        """Read frames until the connection ends; from `session_ready` on, send what waits."""
        try:
            async with asyncio.timeout(SESSION_TIMEOUT) as patience, aclosing(connection.frames()) as frames:
                async for frame in frames:
                    if frame["type"] == "session_ready":
                        patience.reschedule(None)
                    self._hear(connection, frame["type"], frame["data"], frame.get("seq"))
        except TimeoutError:
            logger.warning("There was no session for %g s.", SESSION_TIMEOUT)
            connection.cut()

    def _hear(self, connection: Connection, kind: str, data: Data, seq: int | None) -> None:
        """Take note of a frame and pass it on; a notification that was passed on before is dropped."""
        if seq is not None:
            if seq <= self._seq:
                return
            self._seq = seq
            self._receipts.note(seq, kind)
        if kind == "session_ready":
            self._begin(connection, cast("Session", data))
        elif kind == "server_restarting":
            self._reconnect.restart_announced(float(data["reconnect_after"]))
        elif kind == "token_expiring" and self._tokens.refresh is not None:
            self._help(connection, self._renew_tokens(connection))
        elif kind == "error":
            self._refused(data)
            return
        self._tell(Frame(kind, data, seq))

    def _refused(self, data: Data) -> None:
        """Pass on the refusal of something for whose answer nobody waits."""
        logger.warning("The server refused a frame: %s: %s", data.get("code"), data.get("message"))
        self._tell(Frame("error", data))

    def _begin(self, connection: Connection, session: Session) -> None:
        """Go on from the place and the state that the server names."""
        self._set_clock(datetime.fromisoformat(session["server_time"]))
        self.session, self._seq = session, session["seq"]
        connection.max_size = session["limits"]["max_message_size"]
        connection.location_rate = session["limits"].get("location_rate", 0)
        self._reconnect.session_began()
        is_news = self.connection is None or not session["recovered"]
        if self.connection is None:
            self.connection, self._receipts = connection, Receipts()
            self._help(connection, deliver(self._queue, connection, self._refused))
            self._help(connection, self._receipts.confirm_all(connection))
        self._receipts.note_state(session["seq"], with_offers=is_news and bool(session["state"].get("proposals")))

    def _set_clock(self, server_time: datetime) -> None:
        """Read the server's clock off a frame.

        The longer the frame was on its way, the slower the clock seems. So it is not set back a little: points of a
        ride that seem to be older than the one before do not count for the fare.
        """
        offset = server_time - datetime.now(UTC)
        if self.session is None or not timedelta(0) < self.clock_offset - offset < CLOCK_TOLERANCE:
            self.clock_offset = offset

    async def _renew_tokens(self, connection: Connection) -> None:
        """Get new tokens, by as many attempts as it takes, and go on with them on this connection."""
        stale, backoff = self._tokens.access, Backoff()
        await asyncio.sleep(self._renewed_at + RENEWAL_INTERVAL - time.monotonic())
        while True:
            try:
                await self._tokens.renew(stale)
                break
            except LoginRequired as exc:
                logger.warning("%s The server will close the connection.", exc)
                return
            except (Unreachable, ServerError) as exc:
                logger.warning("The tokens could not be refreshed yet: %s", exc)
                await asyncio.sleep(backoff.next(at_least=getattr(exc, "retry_after", None)))
        self._renewed_at = time.monotonic()
        await self.show_token(connection)

    async def show_token(self, connection: Connection) -> Data:
        """Tell the server the access token of now, and return its answer. Raises `ConnectionLost`."""
        command_id = self._queue.new_id()
        text = encode("token_refresh", {"token": self._tokens.access}, command_id)
        return await connection.ask(text, command_id)

    def _help(self, connection: Connection, work: Coroutine[Any, Any, None]) -> None:
        """Do something beside reading, as long as the connection lives."""

        async def helper() -> None:
            try:
                await work
            except ConnectionLost:
                pass
            except Exception:
                logger.exception("A fault of the client.")
                connection.cut()

        task = asyncio.create_task(helper())
        self._helpers.add(task)
        task.add_done_callback(self._helpers.discard)

    async def _end_helpers(self) -> None:
        helpers = list(self._helpers)
        for task in helpers:
            task.cancel()
        await asyncio.gather(*helpers, return_exceptions=True)
