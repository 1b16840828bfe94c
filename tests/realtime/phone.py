"""A phone in the tests: a consumer behind the whole handshake, without a network in between."""

from __future__ import annotations

import json
from collections import deque
from typing import Any

from channels.testing import WebsocketCommunicator

from common.threads import in_write_thread
from nebengjek.asgi import websocket_application
from tests.patience import TIMEOUT
from users.models import User
from users.tokens import tokens_issue


class Phone:
    """One connection."""

    def __init__(self, token: str, query: str = "", headers: list[tuple[bytes, bytes]] | None = None) -> None:
        path = f"/ws/?{query}" if query else "/ws/"
        headers = headers if headers is not None else [(b"authorization", f"Bearer {token}".encode())]
        self.socket = WebsocketCommunicator(websocket_application, path, headers=headers)
        self.ready: dict[str, Any] = {}
        self.kept: deque[dict[str, Any]] = deque()

    @classmethod
    async def of(cls, user: User, query: str = "") -> Phone:
        """Connect a user, and wait for `session_ready`."""
        phone = cls((await in_write_thread(tokens_issue, user))["access"], query)
        await phone.open()
        return phone

    async def open(self) -> None:
        """Connect, and wait for `session_ready`."""
        connected, _ = await self.socket.connect(TIMEOUT)
        assert connected
        self.ready = (await self.next("session_ready"))["data"]

    async def next(self, frame_type: str | None = None) -> dict[str, Any]:
        """Return the next frame, or the next one of a type; others before it are dropped."""
        while True:
            frame = self.kept.popleft() if self.kept else await self._read()
            if frame_type in (None, frame["type"]):
                return frame

    async def say(self, frame_type: str, command_id: str | None = None, **data: Any) -> None:
        """Send a command."""
        frame: dict[str, Any] = {"type": frame_type, "data": data}
        if command_id is not None:
            frame["id"] = command_id
        await self.socket.send_to(text_data=json.dumps(frame))

    async def do(self, frame_type: str, command_id: str = "x", **data: Any) -> dict[str, Any]:
        """Send a command and return its answer; what comes in between is kept for `next`."""
        await self.say(frame_type, command_id, **data)
        while (frame := await self._read()).get("id") != command_id:
            self.kept.append(frame)
        return frame

    async def _read(self) -> dict[str, Any]:
        frame: dict[str, Any] = json.loads(await self.socket.receive_from(TIMEOUT))
        return frame

    async def closed_with(self) -> int:
        """Return the code with which the server closes; frames before are read over."""
        while True:
            message = await self.socket.receive_output(TIMEOUT)
            if message["type"] == "websocket.close":
                return int(message["code"])

    async def hang_up(self) -> None:
        """Leave."""
        await self.socket.disconnect(timeout=TIMEOUT)
