"""A socket that speaks JSON frames: bounded in size, counted by type, and closed once."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from time import perf_counter
from typing import Any

from channels.generic.websocket import AsyncJsonWebsocketConsumer
from django.conf import settings

from common.errors import CommonReason, InvalidFormat
from realtime import metrics
from realtime.contract import frames
from realtime.contract.frames import BadFrame, CloseCode, Frame
from realtime.contract.messages import Error, ServerRestarting
from realtime.socket.rate_limits import Flooding

logger = logging.getLogger(__name__)

CLOSE_GRACE = 5.0
"""Seconds that a client gets to answer our closing frame."""

BINARY = "Binary frames are not part of the protocol."
EMPTY = "The frame is not valid JSON: it is empty."

Message = dict[str, Any]


class JsonSocket(AsyncJsonWebsocketConsumer):  # type: ignore[misc]  # Channels has no type hints
    """The JSON hooks of Channels with our frames; a subclass answers in `receive_json` and `refuse`."""

    def begin(self, scope: Message, send: Any) -> None:
        """Take over a connection from the server."""
        self.scope, self.base_send = scope, send
        self.connected = True
        self.closing = self.busy = self.restarting = False
        self.close_code = 0
        self.task = asyncio.current_task()
        self.close_timer: asyncio.TimerHandle | None = None
        self.frame_type = ""

    async def websocket_receive(self, message: Message) -> None:
        """Answer one frame. Nothing that a client sends ends the connection, but size and floods."""
        if self.closing:
            return
        text = message.get("text")
        if text is not None and len(text.encode("utf-8", "surrogatepass")) > settings.WS_MAX_MESSAGE_SIZE:
            await self.close_with(CloseCode.TOO_BIG)
            return
        self.busy = True
        try:
            await super().websocket_receive(message)
        except Flooding:
            await self.close_with(CloseCode.FLOODING)
        self.busy = False
        if self.restarting:
            await self.close_with(CloseCode.RESTARTING)

    async def receive(self, text_data: str | None = None, bytes_data: bytes | None = None, **_: Any) -> None:
        """Decode a frame and hand it to `receive_json`; answer one that is none."""
        begun = perf_counter()
        self.frame_type = ""
        try:
            if not text_data:
                raise BadFrame(InvalidFormat(EMPTY if text_data is not None else BINARY, reason=CommonReason.NOT_JSON))
            await super().receive(text_data)
        except BadFrame as exc:
            await self.send_json(await self.refuse(exc))
        finally:
            metrics.handled(self.frame_type, begun)

    @classmethod
    async def decode_json(cls, text_data: str) -> Frame:
        """Return the envelope of a frame; raise `BadFrame` for what is none."""
        return frames.decode_frame(text_data)

    @classmethod
    async def encode_json(cls, content: Any) -> str:
        """Return a frame encoded."""
        return frames.text_of(content)

    async def refuse(self, bad: BadFrame) -> Message:
        """Return the answer to what is no frame of the contract."""
        raise NotImplementedError

    async def send_json(self, content: Message, close: bool = False) -> None:
        """Send a frame without a number; errors are also counted by their code."""
        if content["type"] == Error.type and not self.closing:
            metrics.refused(content["data"]["code"])
        await self.send_frame(await self.encode_json(content), content["type"])

    async def send_frame(self, frame: str, frame_type: str) -> None:
        """Send an encoded frame; a closed socket gets none, and the server's next message is the disconnect."""
        if self.closing:
            return
        metrics.sent(frame_type)
        try:
            await self.send(frame)
        except (OSError, RuntimeError):
            self.closing = True

    async def restart(self, reconnect_after: float) -> None:
        """Tell the client when to come back (seconds) and close; a command under way is answered before."""
        self.restarting = True
        notice = ServerRestarting(reconnect_after=round(reconnect_after, 1))
        await self.send_json(frames.unnumbered(notice))
        if not self.busy:
            await self.close_with(CloseCode.RESTARTING)

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
            await self.close(int(code))

    async def websocket_disconnect(self, message: Message) -> None:
        """Note that the client has gone."""
        self.close_code = self.close_code or message.get("code", 0)
        self.closing = True
        self.connected = False
