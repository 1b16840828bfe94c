"""Bursts of notifications from another service to many sockets, and what each of them was told.

Every message has a count of its own for each of its two recipients, so that whatever was lost, doubled or out of order
can be named.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections import Counter
from itertools import pairwise
from typing import Any
from uuid import UUID

import msgspec
import nats
from nats.js import JetStreamContext
from websockets.exceptions import WebSocketException

from devservers.client import Client, Frame
from devservers.patience import FACTOR
from devservers.topology import Topology

RETRY_DELAY = 0.1
RECONNECT_DELAY = 0.05
ANSWER_TIMEOUT = 10 * FACTOR
CONNECTS_AT_ONCE = 20
QUIET = 3.0
"""Seconds, longer than the heartbeat of a server."""

SETTLE_TIMEOUT = 30 * FACTOR

MAKE_PEOPLE = """
from users.models import User, Role
from users.tokens import tokens_issue
for n in range({count}):
    role = Role.PASSENGER if n % 2 else Role.DRIVER
    user, _ = User.objects.get_or_create(msisdn="+62877%07d" % n, defaults={{"role": role}})
    print("TOKEN", user.pk, tokens_issue(user)["access"])
"""


def make_tokens(topology: Topology, count: int) -> dict[UUID, str]:
    """Return the ids and tokens of people who are made in the database; drivers and passengers in turn."""
    done = topology.webs[0].manage("shell", "--verbosity", "0", "-c", MAKE_PEOPLE.format(count=count))
    assert done.returncode == 0, done.stderr
    lines = [line.split() for line in done.stdout.splitlines() if line.startswith("TOKEN ")]
    return {UUID(user_id): token for _, user_id, token in lines}


class Faults(msgspec.Struct):
    """What went wrong for a client; all of it must be 0."""

    lost: int = 0
    doubled: int = 0
    out_of_order: int = 0


class Listener:
    """A client that comes back with `?resume=`, to the next web process, and remembers what it was told."""

    def __init__(self, user_id: UUID, token: str, urls: list[str], first: int) -> None:
        self.user_id = user_id
        self.numbers: list[int] = []
        self.resets: list[int] = []  # how many notifications had been told when the state replaced the rest
        self.reconnects = 0
        self.ready = asyncio.Event()
        self.epoch, self.seq = "", 0
        self.faults = Faults()
        self.heard_at = 0.0
        self._token, self._urls, self._place = token, urls, first

    async def run(self, gate: asyncio.Semaphore) -> None:
        """Be connected until cancelled."""
        while True:
            url = self._urls[self._place % len(self._urls)]
            query = f"?resume={self.epoch}:{self.seq}" if self.epoch else ""
            with contextlib.suppress(OSError, WebSocketException, TimeoutError):
                async with gate:
                    client = await Client.connect(
                        url, self._token, query, self._hear, compression=None, open_timeout=ANSWER_TIMEOUT
                    )
                try:
                    await client.ended()
                finally:  # also when cancelled: a socket that is left open warns in whatever test is next
                    await client.socket.close()
            self.ready.clear()
            self._place += 1
            self.reconnects += 1
            await asyncio.sleep(RECONNECT_DELAY)

    def _hear(self, frame: Frame) -> None:
        self.heard_at = asyncio.get_running_loop().time()
        if frame["type"] == "session_ready":
            self._take_state(frame["data"])
        elif "seq" in frame:
            self._take(frame)

    def _take_state(self, data: dict[str, Any]) -> None:
        if not data["recovered"] and self.epoch:
            self.resets.append(len(self.numbers))
        elif data["recovered"] and (data["epoch"], data["seq"]) != (self.epoch, self.seq):
            self.faults.out_of_order += 1
        self.epoch, self.seq = data["epoch"], data["seq"]
        self.ready.set()

    def _take(self, frame: Frame) -> None:
        if frame["seq"] != self.seq + 1:
            self.faults.out_of_order += 1
        self.seq = frame["seq"]
        self.numbers.append(frame["data"]["number"])

    def check(self, first: int, count: int) -> Faults:
        """Return what went wrong with the notifications from number `first` on; what a reset covers is not lost."""
        told = [number for number in self.numbers if number >= first]
        doubled = sum(times - 1 for times in Counter(told).values())
        falling = sum(after < before for before, after in pairwise(told))
        lost = 0 if self.resets else count - len(set(told))
        faults = self.faults
        self.faults = Faults()
        return Faults(lost + faults.lost, doubled, falling + faults.out_of_order)


class Crowd:
    """Pairs of drivers and passengers who listen."""

    def __init__(self, tokens: dict[UUID, str], urls: list[str]) -> None:
        self.listeners = [Listener(user, token, urls, n) for n, (user, token) in enumerate(tokens.items())]
        users = list(tokens)
        self.pairs = list(zip(users[::2], users[1::2], strict=True))
        self.published = 0
        self._tasks: list[asyncio.Task[None]] = []

    async def __aenter__(self) -> Crowd:
        gate = asyncio.Semaphore(CONNECTS_AT_ONCE)
        self._tasks = [asyncio.create_task(listener.run(gate)) for listener in self.listeners]
        await self.all_are_ready()
        return self

    async def __aexit__(self, *_: object) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def all_are_ready(self) -> None:
        """Wait until everybody is connected and has the state."""
        for listener in self.listeners:
            await listener.ready.wait()

    async def publish(self, url: str, rounds: int, pause: float = 0.0) -> None:
        """Publish `rounds` messages to each pair, one after the other, whatever happens to the server meanwhile."""
        client = await nats.connect(url, max_reconnect_attempts=-1, reconnect_time_wait=RETRY_DELAY, error_cb=_ignore)
        try:
            context = client.jetstream()
            for _ in range(rounds):
                await self._publish_round(context, self.published)
                self.published += 1
                await asyncio.sleep(pause)
        finally:
            await client.close()

    async def all_is_told(self, seconds: float) -> bool:
        """Wait until everybody has the last number; return False where some have the state instead, or hear nothing."""
        last = self.published - 1
        now = asyncio.get_running_loop().time
        began = now()
        while now() < began + seconds:
            missing = [listener for listener in self.listeners if not listener.numbers or listener.numbers[-1] != last]
            if not missing:
                return True
            if all(listener.resets and now() > max(listener.heard_at, began) + QUIET for listener in missing):
                return False
            await asyncio.sleep(0.02)
        return False

    async def _publish_round(self, context: JetStreamContext, number: int) -> None:
        """Publish a message to each pair; one that was not taken is published again under the same id."""
        waiting = dict(enumerate(self.pairs))
        while waiting:
            acks = {}
            for n, (driver, passenger) in waiting.items():
                data = {"match_id": f"{number}-{n}", "driver_id": str(driver), "passenger_id": str(passenger)}
                payload = json.dumps({**data, "number": number}).encode()
                with contextlib.suppress(Exception):
                    acks[n] = await context.publish_async(
                        "match.found", payload, headers={"Nats-Msg-Id": f"burst-{number}-{n}"}
                    )
            done, _ = await asyncio.wait(acks.values(), timeout=1.0) if acks else (set(), set())
            for n, ack in acks.items():
                if ack in done and not ack.cancelled() and ack.exception() is None:
                    waiting.pop(n, None)
                else:
                    ack.cancel()
            if waiting:
                await asyncio.sleep(RETRY_DELAY)


async def _ignore(_: Exception) -> None:
    """The connection comes back by itself."""
