"""A client written from the contract, on the `websockets` library."""

from __future__ import annotations

import asyncio
import itertools
import json
import secrets
from typing import Any

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from tests.patience import within

PLACE = {"latitude": -6.1754, "longitude": 106.8272}
TARGET = {"latitude": -6.2, "longitude": 106.83}


class Client:
    """One socket; `frames` is all that has come."""

    def __init__(self, socket: ClientConnection) -> None:
        self.socket = socket
        self.frames: list[dict[str, Any]] = []
        self._read = 0
        self._ids = itertools.count()
        self._name = secrets.token_hex(6)
        self._reader = asyncio.create_task(self._collect())
        self._news = asyncio.Event()

    @classmethod
    async def open(cls, url: str, token: str, query: str = "") -> Client:
        """Connect with a token in the header."""
        address = url.replace("http", "ws", 1) + "/ws/" + query
        return cls(await connect(address, additional_headers={"Authorization": f"Bearer {token}"}))

    async def say(self, kind: str, command_id: str | None = None, **data: Any) -> None:
        """Send a command."""
        frame: dict[str, Any] = {"type": kind, "data": data}
        if command_id:
            frame["id"] = command_id
        await self.socket.send(json.dumps(frame))

    async def do(self, kind: str, **data: Any) -> dict[str, Any]:
        """Send a command and return its answer."""
        command_id = f"{self._name}-{next(self._ids)}"
        await self.say(kind, command_id, **data)
        return await self.find(lambda frame: frame.get("id") == command_id)

    async def next(self, kind: str) -> Any:
        """Return the data of the next frame of a type; those before it are read over."""
        async with within():
            while True:
                while self._read < len(self.frames):
                    frame = self.frames[self._read]
                    self._read += 1
                    if frame["type"] == kind:
                        return frame["data"]
                await self._wait()

    async def find(self, wanted: Any) -> dict[str, Any]:
        """Return the first frame, old or new, that is wanted."""
        async with within():
            while True:
                for frame in self.frames:
                    if wanted(frame):
                        return frame
                await self._wait()

    async def closed(self) -> int | None:
        """Wait for the end, and return the close code."""
        async with within():
            await self.socket.wait_closed()
        return self.socket.close_code

    async def close(self) -> None:
        """Hang up."""
        await self.socket.close()
        await self._reader

    def cut(self) -> None:
        """Lose the network: no closing frame, nothing."""
        self.socket.transport.abort()

    @property
    def numbers(self) -> list[int]:
        """The numbers of all notifications, in the order in which they came."""
        return [frame["seq"] for frame in self.frames if "seq" in frame]

    async def _wait(self) -> None:
        self._news.clear()
        await self._news.wait()

    async def _collect(self) -> None:
        try:
            async for text in self.socket:
                self.frames.append(json.loads(text))
                self._news.set()
        except ConnectionClosed:
            pass


async def ride_to_pickup(driver: Client, passenger: Client) -> str:
    """Bring two people together, and return the ride's id."""
    assert (await driver.do("beacon_update", is_active=True, **PLACE))["type"] == "ack"
    assert (await passenger.do("finder_update", is_active=True, location=PLACE, target_location=TARGET))[
        "type"
    ] == "ack"
    match_id = (await driver.next("match_proposal"))["match_id"]
    for person in (driver, passenger):
        assert (await person.do("match_confirm", match_id=match_id, accepted=True))["type"] == "ack"
    return str((await driver.next("ride_pickup"))["ride_id"])
