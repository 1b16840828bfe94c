"""A passenger who reads slowly while his driver drives and much happens: what he gets, and how old it is then."""

from __future__ import annotations

import asyncio
import contextlib
import json
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import msgspec
from websockets.asyncio.client import ClientConnection, connect

from devservers.web import ServerProcess
from tests.e2e.client import PLACE, Client, ride_to_pickup
from tests.patience import within

DRIVER, PASSENGER = "+6281200000001", "+6281200000003"
EVENT = """
from events.models import OutboxEvent
from users.models import User
audience = {str(User.objects.get(msisdn="+6281200000003").pk): None}
import time
for n in range(COUNT):
    OutboxEvent.objects.create(key="k", type="probe", subject="probe", data={"n": n}, audience=audience)
    time.sleep(PERIOD)
"""


class Reading(msgspec.Struct):
    """What the slow reader got."""

    numbers: list[int]
    probes: list[int]
    ages: list[float]
    """Of each position, when it was read: seconds since the driver sent it."""
    behind: list[int]
    """Of each position: how many frames were read between its being sent and its being read."""
    sent: int = 0
    """Positions that the driver sent."""
    read: int = 0
    """Frames that the passenger has read."""
    read_before: dict[str, int] = {}
    """By the timestamp of a position: how many frames he had read when it was sent."""


async def read_slowly(server: ServerProcess, *, seconds: float, period: float, rate: float) -> Reading:
    """Let the passenger read a message each `period` for `seconds`; the driver sends `rate` positions a second.

    Meanwhile, an event happens every second message; then he reads what is left, as fast as he can.
    """
    driver = await Client.connect(server.url, server.log_in(DRIVER, driver=True))
    token = server.log_in(PASSENGER)
    passenger = await Client.connect(server.url, token)
    ride_id = await ride_to_pickup(driver, passenger)
    await passenger.hang_up()
    reading = Reading([], [], [], [])
    address = server.url.replace("http", "ws", 1) + "/ws/"
    headers = {"Authorization": f"Bearer {token}"}
    count = int(seconds / period / 2)
    async with connect(address, additional_headers=headers, max_queue=1, ping_interval=None) as slow:
        assert (await driver.do("ride_start", ride_id=ride_id))["type"] == "ack"
        drive = asyncio.create_task(_drive(driver, rate, reading))
        text = EVENT.replace("COUNT", str(count)).replace("PERIOD", str(2 * period))
        happen = asyncio.create_task(asyncio.to_thread(server.manage, "shell", "--no-imports", "-c", text))
        await _read(slow, reading, seconds, period)
        drive.cancel()
        assert (await happen).returncode == 0
        with contextlib.suppress(TimeoutError):
            while len(reading.probes) < count:
                async with within():
                    _note(await slow.recv(), reading)
    await driver.hang_up()
    return reading


async def _drive(driver: Client, rate: float, reading: Reading) -> None:
    for step in _forever():
        place: dict[str, Any] = {**PLACE, "latitude": PLACE["latitude"] - step * 1e-5}
        now = datetime.now(UTC)
        reading.read_before[now.isoformat()] = reading.read
        await driver.say("location_update", **place, timestamp=now.isoformat())
        reading.sent += 1
        await asyncio.sleep(1 / rate)


async def _read(slow: ClientConnection, reading: Reading, seconds: float, period: float) -> None:
    loop = asyncio.get_running_loop()
    end = loop.time() + seconds
    while loop.time() < end:
        _note(await slow.recv(), reading)
        await asyncio.sleep(period)


def _note(text: str | bytes, reading: Reading) -> None:
    frame: dict[str, Any] = json.loads(text)
    if "seq" in frame:
        reading.numbers.append(frame["seq"])
    if frame["type"] == "probe":
        reading.probes.append(frame["data"]["n"])
    if frame["type"] == "location_update":
        then = datetime.fromisoformat(frame["data"]["timestamp"])
        reading.ages.append((datetime.now(UTC) - then).total_seconds())
        reading.behind.append(reading.read - reading.read_before[then.isoformat()])
    reading.read += 1


def _forever() -> Iterator[int]:
    step = 0
    while True:
        yield (step := step + 1)


def main() -> None:
    """Read a message a second for a minute, and say how old the positions were: `python -m tests.stress.lanes`."""
    with TemporaryDirectory() as folder:
        server = ServerProcess(Path(folder))
        server.migrate()
        server.start()
        reading = asyncio.run(read_slowly(server, seconds=60, period=1, rate=5))
        server.stop()
    positions = f"{reading.sent} positions sent, {len(reading.ages)} read, at most {max(reading.ages):.1f} s old"
    events = f"{len(reading.probes)} events of 30, seq {reading.numbers[0]} to {reading.numbers[-1]}"
    sys.stdout.write(f"{positions}; {events}.\n")


if __name__ == "__main__":
    main()
