"""A client: one user's connection, which comes back by itself, and whose commands happen once."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from datetime import UTC, datetime
from types import TracebackType
from typing import Self

from nebengjek_client.commands import Commands
from nebengjek_client.connection import ConnectionLost, Trace
from nebengjek_client.contract import Limits, Session, State
from nebengjek_client.errors import ClientClosed, ConnectFailed, ConnectionEnded, server_error
from nebengjek_client.frames import Data, Frame, given
from nebengjek_client.link import Link
from nebengjek_client.listeners import Callback, Listeners, Subscription
from nebengjek_client.queue import QUEUE_MAX, QUEUE_MAX_AGE, CommandQueue
from nebengjek_client.rest import Rest
from nebengjek_client.tokens import OnTokens, TokenKeeper

logger = logging.getLogger(__name__)

FIRST_SESSION_TIMEOUT = 30.0
"""Seconds that `connect` tries to get the first session."""


class Client(Commands):
    """A user's connection to the site at `url` (http or https).

    With a `refresh` token it renews its tokens by itself and hands each new pair to `on_tokens`. `trace` sees every
    frame, for debugging. After the end (see `ConnectionEnded`) everything that is asked of it raises why it ended.

    Reason for its size: everything that an app calls is on one object; what is behind it has modules of its own.
    """

    def __init__(
        self,
        url: str,
        access: str,
        refresh: str | None = None,
        *,
        on_tokens: OnTokens | None = None,
        open_timeout: float | None = FIRST_SESSION_TIMEOUT,
        queue_max: int = QUEUE_MAX,
        queue_max_age: float = QUEUE_MAX_AGE,
        trace: Trace | None = None,
    ) -> None:
        self.rest = Rest(url, access)
        self._open_timeout = open_timeout
        self._tokens = TokenKeeper(self.rest, refresh, on_tokens)
        self._queue = CommandQueue(queue_max, queue_max_age)
        self._listeners = Listeners()
        self._link = Link(url, self._tokens, self._queue, self._tell, trace)
        self._life: asyncio.Task[None] | None = None
        self._begun = asyncio.Event()
        self._over = asyncio.Event()
        self._end: ConnectionEnded | None = None
        self._trouble = ""

    # --- beginning and end ---

    async def connect(self) -> None:
        """Connect, and wait for the first session, through as many attempts as there is time for.

        Raises `ConnectFailed`, `LoginRequired`.
        """
        if self._life is not None:
            raise RuntimeError("A client connects once.")
        self._life = asyncio.create_task(self._live(), name="nebengjek client")
        try:
            async with asyncio.timeout(self._open_timeout):
                await self._begun.wait()
        except TimeoutError:
            await self.aclose()
            raise ConnectFailed(
                f"There was no session within {self._open_timeout:g} s. {self._trouble}".strip()
            ) from None
        except asyncio.CancelledError:
            await self.aclose()
            raise
        if self._end is not None:
            await self.aclose()
            raise self._end

    async def aclose(self) -> None:
        """Hang up. Commands that wait raise `ClientClosed`, subscriptions end."""
        if self._life is not None:
            self._life.cancel()
            await asyncio.wait([self._life])
        self._finish(ClientClosed("The application closed the client."))
        await self._tokens.settle()
        await self.rest.aclose()

    async def wait_closed(self) -> None:
        """Wait for the end; raise why it came, unless the application wanted it."""
        await self._over.wait()
        if self._end is not None and not isinstance(self._end, ClientClosed):
            raise self._end

    async def __aenter__(self) -> Self:
        await self.connect()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()

    # --- what is known ---

    @property
    def session(self) -> Session:
        """The data of the last `session_ready`. Before the first there is none: `RuntimeError`."""
        if self._link.session is None:
            raise RuntimeError("The client has not been connected yet.")
        return self._link.session

    @property
    def user_id(self) -> str:
        """Who the user is."""
        return self.session["user_id"]

    @property
    def role(self) -> str:
        """`driver` or `passenger`."""
        return self.session["role"]

    @property
    def state(self) -> State:
        """Everything as it was at the last `session_ready`; `sync` brings a fresh one."""
        return self.session["state"]

    @property
    def limits(self) -> Limits:
        """What the server lets through."""
        return self.session["limits"]

    @property
    def connected(self) -> bool:
        """Whether there is a connection with a session now."""
        return self._link.connection is not None

    @property
    def access(self) -> str:
        """The access token of now."""
        return self._tokens.access

    @property
    def refresh(self) -> str | None:
        """The refresh token of now."""
        return self._tokens.refresh

    def now(self) -> datetime:
        """Return what the server's clock shows, for the `timestamp` of positions."""
        return datetime.now(UTC) + self._link.clock_offset

    # --- what the server tells ---

    def on(self, kind: str, callback: Callback) -> Callable[[], None]:
        """Call `callback` with each frame of a type (`*`: of all) and return the function that ends it.

        Beside the types of the contract there are `disconnected` (data: `code`, `reason`, `retry_in`), after each
        connection or attempt that has failed, and `closed` (`code`, `reason`), at the end.
        """
        return self._listeners.on(kind, callback)

    def subscribe(self, *types: str) -> Subscription:
        """Return the frames of these types, from now on, for `async for`."""
        return self._listeners.subscribe(*types)

    async def wait_for(self, kind: str, predicate: Callable[[Frame], bool] = lambda _: True) -> Frame:
        """Return the next frame of a type that fits."""
        return await self._listeners.wait_for(kind, predicate)

    # --- what the user says ---

    async def command(self, kind: str, data: Data) -> Data:
        """Send a command and return the data of its `ack`; while there is no connection it waits for one.

        Raises a `ServerError` when it is refused, a `CommandDropped` when it gets no answer, and `ConnectionEnded`.
        Over the rate limit it is sent again when the server says so. Who stops waiting withdraws it.
        """
        self._check_open()
        command = self._queue.put(kind, data)
        try:
            return await command.answer
        finally:
            self._queue.remove(command)

    async def location_update(
        self,
        *,
        latitude: float,
        longitude: float,
        timestamp: datetime | str | None = None,
        accuracy: float | None = None,
        speed: float | None = None,
        heading: float | None = None,
    ) -> None:
        """Tell where the phone is, behind what was said before. This returns at once; a refusal is an `error` frame.

        A driver's positions are kept, and sent again, until the server has them for the fare; without a `timestamp`
        they get that of now. Of a passenger's only the latest waits for a connection.
        """
        self._check_open()
        is_driver = self._link.session is not None and self.role == "driver"
        if is_driver and timestamp is None:
            timestamp = self.now()
        data = given(
            latitude=latitude, longitude=longitude, timestamp=timestamp, accuracy=accuracy, speed=speed, heading=heading
        )
        self._queue.put_position(data, keep=is_driver)

    async def token_refresh(self, *, token: str) -> Data:
        """Go on with a fresh access token that the application has got; it is also that of the next connection."""
        self._check_open()
        self._tokens.access = token
        if self._link.connection is None:
            return {}
        try:
            answer = await self._link.show_token(self._link.connection)
        except ConnectionLost:
            return {}
        if answer["type"] == "error":
            raise server_error(answer["data"])
        data: Data = answer["data"]
        return data

    # --- how it lives ---

    async def _live(self) -> None:
        try:
            await self._link.run()
        except ConnectionEnded as exc:
            self._finish(exc)
        except Exception as exc:  # whatever it is, nobody must wait for ever
            logger.exception("A fault of the client.")
            self._finish(ConnectionEnded(f"A fault of the client: {exc!r}"))

    def _tell(self, frame: Frame) -> None:
        if frame.type == "session_ready":
            self._begun.set()
        elif frame.type == "disconnected":
            self._trouble = str(frame.data["reason"])
        self._listeners.tell(frame)

    def _finish(self, reason: ConnectionEnded) -> None:
        if self._end is not None:
            return
        self._end = reason
        self._queue.end(reason)
        self._listeners.tell(Frame("closed", {"code": reason.code, "reason": str(reason)}))
        self._listeners.end(reason)
        self._begun.set()
        self._over.set()

    def _check_open(self) -> None:
        if self._end is not None:
            raise self._end
