"""A client of the application in this process: the whole handshake and consumer, without a network in between."""

from __future__ import annotations

import asyncio
import json
from typing import Any

from channels.testing import WebsocketCommunicator

from common.threads import in_write_thread
from devservers.client import BaseClient
from nebengjek.asgi import websocket_application
from tests.patience import TIMEOUT
from users.models import User
from users.tokens import tokens_issue

Headers = list[tuple[bytes, bytes]]


async def refused(headers: Headers, path: str = "/ws/", subprotocols: list[str] | None = None) -> tuple[int, Any]:
    """Return status and body of a handshake that is refused before the upgrade."""
    socket = WebsocketCommunicator(websocket_application, path, headers=headers, subprotocols=subprotocols)
    socket.scope["extensions"] = {"websocket.http.response": {}}
    await socket.send_input({"type": "websocket.connect"})
    start = await socket.receive_output(TIMEOUT)
    body = await socket.receive_output(TIMEOUT)
    await socket.wait(TIMEOUT)
    return start["status"], json.loads(body["body"])


class InProcessClient(BaseClient):
    """One connection to a path; `socket` is what Channels has for tests."""

    def __init__(self, path: str, headers: Headers) -> None:
        super().__init__()
        self.socket = WebsocketCommunicator(websocket_application, path, headers=headers)
        self._code: int | None = None

    async def connect(self) -> None:
        """Connect, and begin to read."""
        connected, _ = await self.socket.connect(TIMEOUT)
        assert connected
        self._start_reading()

    async def send(self, text: str) -> None:
        """Send a text message as it is."""
        await self.socket.send_to(text_data=text)

    async def receive(self) -> str | None:
        """Return the next text message, or None when the application has closed the connection or has ended."""
        output = asyncio.create_task(self.socket.output_queue.get())
        await asyncio.wait({output, self.socket.future}, return_when=asyncio.FIRST_COMPLETED)
        if not output.done():
            output.cancel()
            if not self.socket.future.cancelled():
                self.socket.future.result()
            return None
        message = output.result()
        if message["type"] == "websocket.close":
            self._code = int(message["code"])
            return None
        return str(message["text"])

    @property
    def close_code(self) -> int | None:
        """The code with which the application closed the connection."""
        return self._code

    async def hang_up(self) -> None:
        """Leave."""
        await self.socket.disconnect(timeout=TIMEOUT)


class Phone(InProcessClient):
    """The connection of a user; `ready` is the data of the first `session_ready`."""

    def __init__(self, token: str, query: str = "") -> None:
        path = f"/ws/?{query}" if query else "/ws/"
        super().__init__(path, [(b"authorization", f"Bearer {token}".encode())])
        self.ready: dict[str, Any] = {}

    @classmethod
    async def of(cls, user: User, query: str = "") -> Phone:
        """Connect a user, and wait for `session_ready`."""
        phone = cls((await in_write_thread(tokens_issue, user))["access"], query)
        await phone.open()
        return phone

    async def open(self) -> None:
        """Connect, and wait for `session_ready`."""
        await self.connect()
        self.ready = (await self.next("session_ready"))["data"]
