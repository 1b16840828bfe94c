"""One socket of one user: it joins, decodes, dispatches, forwards and leaves."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import uuid
from datetime import datetime
from functools import partial
from time import perf_counter
from typing import Any

from channels.exceptions import ChannelFull
from channels.generic.websocket import AsyncJsonWebsocketConsumer
from channels.layers import get_channel_layer
from django.conf import settings
from django.utils import timezone

from common.background_tasks import UNAVAILABLE
from common.errors import SERVER_MESSAGE, DomainError, InvalidFormat, RateLimited, Unauthorized, brief
from common.logs import log_about
from common.threads import in_read_thread, in_write_thread
from realtime import metrics
from realtime.commands.dispatch import execute, read_command, route_of
from realtime.commands.routes import ROUTES, Route
from realtime.contract import frames as protocol
from realtime.contract.frames import BadFrame, CloseCode, Frame
from realtime.contract.messages import ServerRestarting, TokenExpiring
from realtime.delivery.history import Notification, Place, history
from realtime.delivery.layer_messages import CHECK, DELIVER, DISCONNECT, RELAY, REPLACE, REVOKE, group_of
from realtime.socket.connections import connections
from realtime.socket.position_intake import PositionIntake
from realtime.socket.position_pacing import Pace
from realtime.socket.rate_limits import CommandLimit, Flooding
from realtime.socket.receipts import ReceiptTracker, receipt_buffer
from realtime.socket.session_ready import parse_resume, read_state, ready_frame
from realtime.socket.sessions import sessions
from realtime.socket.token_expiry import TokenWatch
from rides.positions import positions
from users.models import Role
from users.tokens import Claims, authenticate

logger = logging.getLogger(__name__)

CLOSE_GRACE = 5.0
"""Seconds that a client gets to answer our closing frame."""

Message = dict[str, Any]


class UserConsumer(AsyncJsonWebsocketConsumer):  # type: ignore[misc]  # Channels has no type hints
    """The socket of `scope["user"]`, in the group `user_<uuid>`.

    One task reads the client's frames, one the channel layer. `__call__` and `dispatch` replace those of Channels,
    which make several tasks and a hop to another thread for every message.
    """

    async def __call__(self, scope: Message, receive: Any, send: Any) -> None:
        """Live from the handshake to the end of the connection."""
        self.scope, self.base_send = scope, send
        self.claims: Claims = scope["claims"]
        self.user_id, self.role = self.claims.user_id, self.claims.role
        self.connection_id = uuid.uuid4()
        self.group = group_of(self.user_id)
        self.intake = PositionIntake(self.user_id, driver=self.role == Role.DRIVER)
        self.limit = CommandLimit(self.user_id)
        self.receipts = ReceiptTracker()
        self.pace: Pace | None = scope.get("state", {}).get("pace")  # other servers have none
        self.late_position: str | None = None
        self.catching_up: asyncio.Task[None] | None = None
        self.session = 0
        self.epoch, self.forwarded = "", 0
        self.closing = False
        self.handling = self.restarting = False
        self.close_code = 0
        self.token_watch = TokenWatch(self.warn_of_expiry, partial(self.close_with, CloseCode.UNAUTHORIZED))
        self.close_timer: asyncio.TimerHandle | None = None
        self.pump: asyncio.Task[None] | None = None
        self.task = asyncio.current_task()
        log_about(connection=self.connection_id, user=self.user_id)
        self.turn = asyncio.Lock()  # held while notifications may not be forwarded
        self.channel_layer = get_channel_layer()
        self.channel_name: str = await self.channel_layer.new_channel()
        self.handlers = {
            "websocket.connect": self.websocket_connect,
            "websocket.receive": self.websocket_receive,
            "websocket.disconnect": self.websocket_disconnect,
            DELIVER: self.event_deliver,
            RELAY: self.location_relay,
            CHECK: self.history_check,
            REPLACE: self.session_replace,
            REVOKE: self.session_revoke,
            DISCONNECT: self.session_disconnect,
        }
        try:
            self.connected = True
            while self.connected:
                await self.dispatch(await receive())
        except asyncio.CancelledError:
            if not self.closing:
                raise
        finally:
            await self._leave()

    async def dispatch(self, message: Message) -> None:
        """Handle a message by the fixed table; no message can name any other method."""
        handler = self.handlers.get(message["type"])
        if handler is not None:
            await handler(message)

    # --- joining and leaving ---

    async def websocket_connect(self, message: Message) -> None:
        """Accept, become the user's one session, and send `session_ready`.

        The group is joined before the head of the history is read, and that before the state: in any other order an
        event could fall in between. What arrives meanwhile waits in the channel.
        """
        await self.accept(self.scope["subprotocol"])
        self.scope["headers"].clear()  # with the token, some kilobytes that nobody needs any more
        try:
            await self._join()
            await self._greet()
        except Unauthorized:
            await self.close_with(CloseCode.UNAUTHORIZED)
            return
        except Exception:
            logger.exception("The connection could not begin.")
            await self.close_with(CloseCode.SERVER_ERROR)
            return
        self.pump = asyncio.create_task(self._forward_all())
        self.token_watch.start(self.claims.exp)

    async def _join(self) -> None:
        """Hear what is sent to the user, and become his newest connection."""
        await self.channel_layer.group_add(self.group, self.channel_name)
        self.session = await sessions().take(self.user_id)
        connections.add(self)
        positions().connected(self.user_id, self.session)
        await self.channel_layer.group_send(self.group, {"type": REPLACE, "session": self.session})
        logger.info("Connected.")

    async def _greet(self) -> None:
        """Send `session_ready`, and the missed notifications to a client that resumes."""
        resume = parse_resume(self.scope["query_string"])
        reading = await history().read(self.user_id, resume)
        recovered = resume is not None and reading.missed is not None
        seq = resume.seq if resume and recovered else reading.head
        await self._send_ready(reading.epoch, seq, recovered=recovered)
        for item in reading.missed or ():
            await self._forward(item)

    async def _send_ready(self, epoch: str, seq: int, *, recovered: bool) -> None:
        """Send the state, and go on from this place in the stream."""
        state = await in_read_thread(read_state, self.claims)
        await self.send_frame(
            ready_frame(self.claims, self.connection_id, epoch, seq, recovered=recovered, state=state)
        )
        self.epoch, self.forwarded = epoch, seq
        self.receipts.state_sent(seq, [proposal.match_id for proposal in state.proposals])

    async def websocket_disconnect(self, message: Message) -> None:
        """Note that the client has gone."""
        self.close_code = self.close_code or message.get("code", 0)
        self.closing = True
        self.connected = False

    async def close_with(self, code: CloseCode) -> None:
        """Close the socket; a client that does not answer is dropped after `CLOSE_GRACE`."""
        if self.closing:
            return
        self.closing = True
        self.close_code = int(code)
        logger.info("Closing with %d.", code)
        if self.task is not None:
            self.close_timer = asyncio.get_running_loop().call_later(CLOSE_GRACE, self.task.cancel)
        with contextlib.suppress(OSError, RuntimeError):
            await self.base_send({"type": "websocket.close", "code": int(code)})

    async def send_frame(self, frame: str) -> None:
        """Send an encoded frame; to a client who has gone it is not sent, and `receive` will say so."""
        if self.closing:
            return
        metrics.sent(frame)
        try:
            await self.base_send({"type": "websocket.send", "text": frame})
        except (OSError, RuntimeError):
            self.closing = True

    async def _leave(self) -> None:
        """Leave nothing behind, whatever ended the connection."""
        self.closing = True
        self.token_watch.stop()
        for waiting in (self.close_timer, self.pump, self.catching_up):
            if waiting is not None:
                waiting.cancel()
        self.intake.stop()
        metrics.closed(self.close_code or 1006)
        connections.remove(self)
        positions().disconnected(self.user_id, self.session)
        for leave in (
            self.intake.settle,
            partial(self.channel_layer.group_discard, self.group, self.channel_name),
            partial(self.channel_layer.close_channel, self.channel_name),
            partial(sessions().release, self.user_id, self.session),
        ):
            try:
                await leave()
            except Exception:  # that one thing cannot be tidied up now is no reason to leave the others
                logger.exception("The connection leaves something behind.")
        logger.info("Disconnected.")

    # --- what the client says ---

    async def websocket_receive(self, message: Message) -> None:
        """Answer one frame. Nothing that a client sends ends the connection, but size."""
        if self.closing:
            return
        text = message.get("text")
        if text is not None and len(text.encode("utf-8", "surrogatepass")) > settings.WS_MAX_MESSAGE_SIZE:
            await self.close_with(CloseCode.TOO_BIG)
            return
        self.handling = True
        reply = await self._reply_to(text)
        if reply is not None:
            await self.send_frame(reply)
        self.handling = False
        if self.restarting:
            await self.close_with(CloseCode.RESTARTING)

    async def _reply_to(self, text: str | None) -> str | None:
        frame: Frame | None = None
        begun = perf_counter()
        try:
            if text is None:
                raise BadFrame(InvalidFormat("Binary frames are not part of the protocol."))
            frame = protocol.decode_frame(text)
            log_about(frame=frame.type if frame.type in ROUTES else "unknown")
            return await self._carry_out(frame)
        except BadFrame as exc:
            logger.info("Bad frame: %.200r", str(exc))
            return await self._refuse_bad_frame(exc)
        except RateLimited as exc:
            return await self._refuse_more(exc, frame.command_id if frame else None)
        except DomainError as exc:
            logger.info("Refused: %s", exc.message)
            return protocol.error(exc, frame.command_id if frame else None)
        except Exception as exc:
            error_id = uuid.uuid4()
            traceback = not isinstance(exc, UNAVAILABLE)
            said = "Error %s of user %s: %s"
            extra = {"error_id": str(error_id)}
            logger.error(said, error_id, self.user_id, brief(exc), exc_info=traceback, extra=extra)
            return protocol.error(DomainError(SERVER_MESSAGE), frame.command_id if frame else None)
        finally:
            metrics.handled(frame.type if frame else "", begun)

    async def _refuse_bad_frame(self, exc: BadFrame) -> str | None:
        """Say what is wrong; nonsense counts as a command."""
        try:
            await self.limit.take(costly=False)
        except RateLimited as limited:
            return await self._refuse_more(limited, exc.command_id)
        return protocol.error(exc.error, exc.command_id)

    async def _refuse_more(self, exc: RateLimited, command_id: str | None) -> str | None:
        """Say when to come back; who goes on all the same is closed."""
        try:
            self.limit.refused()
        except Flooding:
            await self.close_with(CloseCode.FLOODING)
            return None
        return protocol.error(exc, command_id)

    async def _carry_out(self, frame: Frame) -> str | None:
        """Do what a frame asks for and return the answer, where it gets one."""
        route = route_of(frame)
        if route.command is protocol.LocationUpdate:
            self.limit.take_location()
        else:
            await self.limit.take(costly=route.costly)
        if route.service is None:
            await self._handle_here(route, frame)
            return protocol.ack(frame.command_id) if frame.command_id else None
        await self.intake.settle()
        try:
            answer = await in_write_thread(execute, self.claims, route, frame)
        finally:
            self.intake.ride_changed()
        if answer["type"] == "ack" and frame.command_id is None:
            return None
        return protocol.reply(answer, frame.command_id)

    async def _handle_here(self, route: Route, frame: Frame) -> None:
        match read_command(route, self.role, frame):
            case protocol.LocationUpdate() as update:
                await self.intake.report(update)
                if frame.command_id:  # who is answered may forget it, and go on in another process
                    await in_read_thread(positions().settle)
                    await self.intake.book()
            case protocol.Received(seq=seq):
                receipt_buffer().add(self.user_id, self.receipts.confirm(seq, timezone.now()))
            case protocol.TokenRefresh(token=token):
                await self._refresh_token(token)
            case protocol.Sync():
                async with self.turn:
                    await self._send_ready(self.epoch, self.forwarded, recovered=True)

    async def _refresh_token(self, token: str) -> None:
        user, claims = await in_read_thread(authenticate, token)
        if user.pk != self.user_id:
            raise Unauthorized(f"user {self.user_id} sent the token of user {user.pk}")
        self.claims = claims
        self.token_watch.start(claims.exp)

    # --- what happens ---

    async def _forward_all(self) -> None:
        """Handle what comes over the channel layer, until cancelled."""
        while True:
            message = await self.channel_layer.receive(self.channel_name)
            async with self.turn:
                try:
                    await self.dispatch(message)
                except Unauthorized:
                    await self.close_with(CloseCode.UNAUTHORIZED)
                except Exception:
                    logger.exception("%s could not be handled.", message["type"])

    async def event_deliver(self, message: Message) -> None:
        """Forward a notification once and in order; one that is missing is fetched from the history."""
        if message["epoch"] != self.epoch or message["seq"] > self.forwarded + 1:
            await self.history_check(message)
        elif message["seq"] == self.forwarded + 1:
            if message["event"].startswith("ride_"):
                self.intake.ride_changed()
                self.late_position = None  # it was of the ride as it was before
            await self._forward(Notification(message["seq"], message["frame"]), message.get("at", 0))
            metrics.delivered(message.get("at", 0))

    async def history_check(self, message: Message) -> None:
        """Forward what the history has and the channel layer did not bring; without it, send the whole state."""
        reading = await history().read(self.user_id, Place(self.epoch, self.forwarded))
        self.intake.ride_changed()
        if reading.missed != []:
            metrics.refilled(by_state=reading.missed is None)
        if reading.missed is None:
            await self._send_ready(reading.epoch, reading.head, recovered=False)
        for item in reading.missed or ():
            await self._forward(item)

    async def _forward(self, item: Notification, at: float = 0) -> None:
        self.forwarded = item.seq
        self.receipts.forwarded(item.seq, at, item.frame)
        await self.send_frame(item.frame)

    async def location_relay(self, message: Message) -> None:
        """Forward the other party's position."""
        self.late_position = message["frame"]
        await self._send_position()

    async def _send_position(self) -> None:
        """Send the latest position, at once or when the client has taken those before it."""
        if self.pace is not None and not self.pace.has_room():
            self.pace.when_there_is_room(self._catch_up)
        elif self.late_position is not None:
            frame, self.late_position = self.late_position, None
            await self.send_frame(frame)
            if self.pace is not None:
                self.pace.sent()

    def _catch_up(self) -> None:
        self.catching_up = asyncio.create_task(self._send_position())

    async def session_replace(self, message: Message) -> None:
        """Give way to a newer connection of the same user."""
        if message["session"] > self.session:
            await self.close_with(CloseCode.REPLACED)

    async def session_revoke(self, message: Message) -> None:
        """Close when the token is of a version that has ended."""
        if self.claims.ver < message["token_version"]:
            await self.close_with(CloseCode.UNAUTHORIZED)

    async def session_disconnect(self, message: Message) -> None:
        """Close this connection, as for a restart: staff wants the client to come back anew."""
        if message["connection"] == str(self.connection_id):
            await self.restart(0)

    async def heartbeat(self, *, newest: int, epoch: str, head: int) -> None:
        """Notice what the channel layer lost: a newer session, or notifications at the end of the stream."""
        if newest > self.session:
            await self._remind({"type": REPLACE, "session": newest})
        elif self.epoch and (self.epoch, self.forwarded) != (epoch, head):
            await self._remind({"type": CHECK})

    async def notice_version(self, version: int) -> None:
        """Notice a revocation that the channel layer lost."""
        if self.claims.ver < version:
            await self._remind({"type": REVOKE, "token_version": version})

    async def _remind(self, message: Message) -> None:
        """Put a message behind what waits already; with a full mailbox there will be another time."""
        with contextlib.suppress(ChannelFull):
            await self.channel_layer.send(self.channel_name, message)

    async def warn_of_expiry(self, expires_at: datetime) -> None:
        """Tell the client that his token is about to end."""
        await self.send_frame(protocol.unnumbered(TokenExpiring(expires_at=expires_at)))

    async def restart(self, reconnect_after: float) -> None:
        """Tell the client when to come back (seconds) and close; a command under way is answered before."""
        self.restarting = True
        notice = ServerRestarting(reconnect_after=round(reconnect_after, 1))
        await self.send_frame(protocol.unnumbered(notice))
        if not self.handling:
            await self.close_with(CloseCode.RESTARTING)
