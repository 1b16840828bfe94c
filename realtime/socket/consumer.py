"""One socket of one user: it joins the user's group, and brings frames to commands and notifications to the client."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import uuid
from collections.abc import Awaitable, Callable
from datetime import datetime
from functools import partial
from operator import attrgetter
from typing import Any

from channels.exceptions import ChannelFull
from channels.layers import get_channel_layer

from common.errors import Unauthorized
from common.logs import log_about
from common.tracing import tracing
from realtime import metrics
from realtime.commands.routes import ROUTES
from realtime.contract.frames import BadFrame, CloseCode, Frame, error, unnumbered
from realtime.contract.messages import TokenExpiring
from realtime.delivery.layer_messages import CHECK, DELIVER, DISCONNECT, RELAY, REPLACE, REVOKE, group_of
from realtime.socket.command_handler import CommandHandler, Reply
from realtime.socket.connections import connections
from realtime.socket.json_socket import JsonSocket, Message
from realtime.socket.notification_stream import NotificationStream
from realtime.socket.position_intake import PositionIntake
from realtime.socket.position_lane import PositionLane
from realtime.socket.session_guard import ClientGone, SessionGuard
from realtime.socket.token_expiry import TokenWatch
from users.models import Role
from users.presence import Presence, presence
from users.tokens import Claims

logger = logging.getLogger(__name__)


HANDLERS: dict[str, Callable[[UserConsumer], Callable[[Message], Awaitable[None]]]] = {
    "websocket.connect": attrgetter("websocket_connect"),
    "websocket.receive": attrgetter("websocket_receive"),
    "websocket.disconnect": attrgetter("websocket_disconnect"),
    DELIVER: attrgetter("stream.deliver"),
    CHECK: attrgetter("stream.check"),
    RELAY: attrgetter("lane.relay"),
    REPLACE: attrgetter("guard.replace"),
    REVOKE: attrgetter("guard.revoke"),
    DISCONNECT: attrgetter("guard.disconnect"),
}
"""What each message leads to. One table for all: with a bound method for each type a connection took 0.8 kB more."""


class UserConsumer(JsonSocket):
    """The socket of `scope["claims"]`, in the group `user_<uuid>`.

    One task reads the client's frames, another the channel layer. `__call__` and `dispatch` replace those of Channels,
    which start two tasks for every message and go to another thread at the end (docs/decisions/0001-websocket.md).

    Reason for its size: it only joins parts, and each of the socket's events is named here.
    """

    async def __call__(self, scope: Message, receive: Any, send: Any) -> None:
        """Live from the handshake to the end of the connection."""
        self.begin(scope, send)
        self.compose(scope["claims"])
        self.channel_layer = get_channel_layer()
        self.channel_name: str = await self.channel_layer.new_channel()
        try:
            while self.connected:
                await self.dispatch(await receive())
        except asyncio.CancelledError:
            if not self.closing:
                raise
        finally:
            await self.leave()

    def compose(self, claims: Claims) -> None:
        """Make the parts that this connection consists of."""
        self.group = group_of(claims.user_id)
        self.presence = Presence(
            connection_id=uuid.uuid4(),
            user_id=claims.user_id,
            role=claims.role,
            address=self.scope.get("address", ""),
        )
        log_about(connection=self.presence.connection_id, user_id=claims.user_id, role=claims.role)
        self.pump: asyncio.Task[None] | None = None
        self.token_watch = TokenWatch(self.warn_of_expiry, partial(self.close_with, CloseCode.UNAUTHORIZED))
        pace = self.scope.get("state", {}).get("pace")  # other servers than `serve` have none
        self.lane = PositionLane(pace, self.send_frame)
        self.intake = PositionIntake(
            claims.user_id,
            driver=claims.role == Role.DRIVER,
            connection=self.presence.connection_id.hex[:8],
            warn=lambda warning: self.send_json(error(warning, None)),
        )
        send = (self.send_frame, self.send_json)
        self.stream = NotificationStream(
            self.presence.connection_id,
            claims,
            *send,
            reset_positions=self.reset_positions,
            use_ride=self.intake.use_ride,
        )
        self.commands = CommandHandler(claims, self.intake, self.use_token, self.stream.sync, self.stream.confirm)
        self.guard = SessionGuard(self, self.presence, self.stream, self.remind)

    async def dispatch(self, message: Message) -> None:
        """Handle a message by the fixed table; no message can name any other method."""
        handler_of = HANDLERS.get(message["type"])
        if handler_of is not None:
            await handler_of(self)(message)

    async def websocket_connect(self, message: Message) -> None:
        """Accept, become the user's one session, and send `session_ready`.

        The group is joined before the end of the history is read, and that before the state: in any other order an
        event could fall in between. What arrives meanwhile waits in the channel.
        """
        await self.accept(self.scope["subprotocol"])
        self.scope["headers"].clear()  # the token and cookies are some kilobytes, for as long as the socket lives
        try:
            await self.join()
            await self.stream.begin(self.scope["query_string"])
        except ClientGone:
            return  # the next message says so
        except Unauthorized:
            await self.close_with(CloseCode.UNAUTHORIZED)
            return
        except Exception:
            logger.exception("Could not set up the connection.")
            await self.close_with(CloseCode.SERVER_ERROR)
            return
        self.pump = asyncio.create_task(self.forward_all())
        self.token_watch.start(self.stream.claims.exp)

    async def join(self) -> None:
        """Join the user's group, and become their newest connection.

        Raises `ClientGone` where the client has given up waiting: it may have connected elsewhere meanwhile, and would
        be told to stay away there.
        """
        await self.channel_layer.group_add(self.group, self.channel_name)
        if self.guard.gone():
            raise ClientGone
        has_another = await presence().take(self.presence)
        connections().add(self.guard)
        if has_another:  # one whose record has ended meanwhile gives way with its next heartbeat
            await self.channel_layer.group_send(self.group, {"type": REPLACE, "session": self.presence.session})
        logger.info("Connected.")

    async def leave(self) -> None:
        """Clean up after the connection; a step that fails does not keep the others from being done."""
        self.closing = True
        self.token_watch.stop()
        for waiting in (self.close_timer, self.pump):
            if waiting is not None:
                waiting.cancel()
        self.lane.stop()
        self.intake.stop()
        metrics.closed(self.close_code or 1006)
        connections().remove(self.guard)
        for name, step in (
            ("flush positions", self.intake.flush),
            ("leave the group", partial(self.channel_layer.group_discard, self.group, self.channel_name)),
            ("close the channel", partial(self.channel_layer.close_channel, self.channel_name)),
            ("release the session", partial(presence().release, self.presence)),
        ):
            try:
                await step()
            except Exception:
                logger.exception("Cleanup step `%s` failed.", name)
        logger.info("Disconnected.")

    async def receive_json(self, content: Frame, **_: Any) -> None:
        """Carry out a command, and answer it, as a step of its own trace."""
        self.frame_type = content.type
        name = content.type if content.type in ROUTES else "unknown"
        log_about(frame=name)
        if not tracing.is_on:
            await self.answer(content)
            return
        with tracing.step("frame", name, connection=self.presence.connection_id):
            await self.answer(content)

    async def answer(self, frame: Frame) -> None:
        """Carry out a command, and send its answer where it gets one."""
        reply = await self.commands.reply_to(frame)
        if reply is not None:
            if tracing.is_on:
                tracing.note(answer=reply["type"], code=reply["data"].get("code"))
            await self.send_json(reply)

    async def refuse(self, bad: BadFrame) -> Reply:
        """Return the answer to what is no frame of the contract."""
        return await self.commands.refuse(bad)

    async def forward_all(self) -> None:
        """Handle what comes over the channel layer, until cancelled."""
        while True:
            message = await self.channel_layer.receive(self.channel_name)
            async with self.stream.turn:
                try:
                    await self.dispatch(message)
                except Unauthorized:
                    await self.close_with(CloseCode.UNAUTHORIZED)
                except Exception:
                    logger.exception("Could not handle the layer message %s.", message["type"])

    async def remind(self, message: Message) -> None:
        """Put a layer message behind those that wait; with a full mailbox there will be another time."""
        with contextlib.suppress(ChannelFull):
            await self.channel_layer.send(self.channel_name, message)

    async def warn_of_expiry(self, expires_at: datetime) -> None:
        """Tell the client that the token is about to expire."""
        await self.send_json(unnumbered(TokenExpiring(expires_at=expires_at)))

    def use_token(self, claims: Claims) -> None:
        """Live on with a fresh token."""
        self.stream.claims = claims
        self.token_watch.start(claims.exp)

    def reset_positions(self) -> None:
        """Drop positions of an earlier phase of the ride."""
        self.intake.reset()
        self.lane.clear()
