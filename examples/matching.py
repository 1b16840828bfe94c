"""A matching service that knows NebengJek by its NATS contract alone, as one in another language would.

It proposes to each passenger who looks for a driver the nearest one, and after a refusal the next. Beacons, finders and
positions come over core NATS and are kept in memory, from now on. So answers (`match.accepted`, `match.rejected`) are
heard by a plain subscription, too: a consumer of the stream would also bring those that came while this process was
away, to proposals that it does not know any more. An answer that is lost costs some seconds, since every proposal ends
by itself; and the service needs no right to JetStream's API, only to publish `match.found`.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import os
import signal
import time
from datetime import UTC, datetime, timedelta
from math import asin, cos, radians, sin, sqrt
from typing import Any, NamedTuple
from uuid import uuid4

import nats
import nats.errors
import nats.js.errors
from nats.aio.client import Client
from nats.aio.msg import Msg

logger = logging.getLogger("matching")

PATIENCE = float(os.environ.get("MATCHING_PATIENCE", "30"))
"""Seconds in which both sides may answer a proposal."""
GRACE = 1.0
"""Seconds for the server's word that a proposal has expired; then the next driver is asked without it."""
RADIUS_KM = 5.0
POSITION_MAX_AGE = 60.0
"""Seconds after which a driver who reports no position is not asked."""
PUBLISH_TIMEOUT = 2.0
RETRY_DELAY = 0.5

FAILURES = (nats.errors.Error, nats.js.errors.Error, TimeoutError)
"""What a publication may fail with: NATS is away, or the stream is."""


class Place(NamedTuple):
    """A point on Earth, in degrees."""

    latitude: float
    longitude: float

    @classmethod
    def of(cls, data: dict[str, Any]) -> Place:
        """Return the place that a message names."""
        return cls(float(data["latitude"]), float(data["longitude"]))

    def km_to(self, other: Place) -> float:
        """Return the great-circle distance."""
        here, there = radians(self.latitude), radians(other.latitude)
        half = sin((there - here) / 2) ** 2
        half += cos(here) * cos(there) * sin(radians(other.longitude - self.longitude) / 2) ** 2
        return 2 * 6371.0088 * asin(min(1.0, sqrt(half)))


class Search:
    """A passenger who looks for a driver; `match_id` is the proposal that is open."""

    def __init__(self, wish: dict[str, Any]) -> None:
        self.wish = wish
        self.location, self.target = Place.of(wish["location"]), Place.of(wish["target_location"])
        self.asked: set[str] = set()
        self.match_id = ""
        self.over = False


class Matching:
    """Who is where, who looks for whom, and one task for each search."""

    def __init__(self, client: Client, tasks: asyncio.TaskGroup) -> None:
        self._stream = client.jetstream(timeout=PUBLISH_TIMEOUT)
        self._tasks = tasks
        self._beacons: set[str] = set()
        self._riding: set[str] = set()
        self._seen: dict[str, tuple[Place, float]] = {}
        self._searches: dict[str, Search] = {}
        self._changed = asyncio.Condition()
        self._stopped = False
        self.subjects = {
            "user.beacon": self._hear_beacon,
            "user.finder": self._hear_finder,
            "location.update": self._hear_location,
            "match.accepted": self._hear_accepted,
            "match.rejected": self._hear_rejected,
            "ride.arrived": self._hear_ride_is_over,
            "ride.cancelled": self._hear_ride_is_over,
        }

    async def hear(self, message: Msg) -> None:
        """Take in what a message says; one that makes no sense ends up in `error_cb`."""
        data = {**json.loads(message.data), "event": (message.headers or {}).get("Nats-Msg-Id")}
        self.subjects[message.subject](data)
        await self._tell_searches()

    async def stop(self) -> None:
        """End all searches, and begin no others."""
        self._stopped = True
        for passenger_id in list(self._searches):
            self._forget(passenger_id)
        await self._tell_searches()

    def _hear_beacon(self, data: dict[str, Any]) -> None:
        (self._beacons.add if data["is_active"] else self._beacons.discard)(data["user_id"])
        if data["is_active"] and "latitude" in data:
            self._hear_location(data)

    def _hear_location(self, data: dict[str, Any]) -> None:
        self._seen[data["user_id"]] = Place.of(data), time.monotonic()

    def _hear_finder(self, data: dict[str, Any]) -> None:
        known = self._searches.get(data["user_id"])
        if known is not None and known.wish == data:
            return  # the same message: the server repeats what it cannot be sure of
        self._forget(data["user_id"])
        if data["is_active"] and not self._stopped:
            search = self._searches[data["user_id"]] = Search(data)
            self._tasks.create_task(self._find_driver(search))

    def _hear_accepted(self, data: dict[str, Any]) -> None:
        self._riding.add(data["driver_id"])
        self._forget(data["passenger_id"])

    def _hear_rejected(self, data: dict[str, Any]) -> None:
        search = self._searches.get(data["passenger_id"])
        if search is not None and search.match_id == data["match_id"]:
            search.match_id = ""

    def _hear_ride_is_over(self, data: dict[str, Any]) -> None:
        self._riding.discard(data["driver_id"])

    def _forget(self, passenger_id: str) -> None:
        if search := self._searches.pop(passenger_id, None):
            search.over = True

    async def _tell_searches(self) -> None:
        async with self._changed:
            self._changed.notify_all()

    async def _find_driver(self, search: Search) -> None:
        """Ask one driver after the other, each when his predecessor has not become the one."""
        while not search.over:
            async with self._changed:
                await self._changed.wait_for(lambda: search.over or self._nearest(search))
            if not search.over and (driver_id := self._nearest(search)):
                search.asked.add(driver_id)
                await self._propose(search, driver_id)

    def _nearest(self, search: Search) -> str | None:
        """Return the nearest driver who is free and was not asked in this search."""
        since = time.monotonic() - POSITION_MAX_AGE
        free = (self._beacons & self._seen.keys()) - self._riding - search.asked
        near = [(search.location.km_to(self._seen[one][0]), one) for one in free if self._seen[one][1] >= since]
        distance, driver_id = min(near, default=(RADIUS_KM, None))
        return driver_id if distance <= RADIUS_KM else None

    async def _propose(self, search: Search, driver_id: str) -> None:
        """Propose a driver, and return when that has come to nothing or the search is over."""
        match_id = search.match_id = str(uuid4())
        place = self._seen[driver_id][0]
        proposal = {
            "match_id": match_id,
            "driver_id": driver_id,
            "passenger_id": search.wish["user_id"],
            "location": search.location._asdict(),
            "driver_location": place._asdict(),
            "target_location": search.target._asdict(),
            "match_status": "PENDING",
            "distance_km": search.location.km_to(place),
        }
        logger.info("Proposing: match=%s driver=%s passenger=%s", match_id, driver_id, search.wish["user_id"])

        def is_decided() -> bool:
            return search.over or search.match_id != match_id

        taken = False
        while not (taken or is_decided()):
            taken = await self._publish(proposal)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(PATIENCE + GRACE), self._changed:
                await self._changed.wait_for(is_decided)

    async def _publish(self, proposal: dict[str, Any]) -> bool:
        """Return whether the stream has a proposal; by its id it takes it once, however often that is sent."""
        expires_at = datetime.now(UTC) + timedelta(seconds=PATIENCE)
        payload = json.dumps({**proposal, "expires_at": expires_at.isoformat()}).encode()
        headers = {"Nats-Msg-Id": proposal["match_id"]}
        try:
            await self._stream.publish("match.found", payload, stream="NEBENGJEK", headers=headers)
        except FAILURES as exc:
            logger.warning("Trying again: match=%s %s", proposal["match_id"], str(exc) or type(exc).__name__)
            await asyncio.sleep(RETRY_DELAY)
            return False
        return True


async def log_error(error: Exception) -> None:
    """Say what the library reports, also what NATS does not permit."""
    logger.warning("NATS: %s", str(error) or type(error).__name__)


async def main() -> None:
    """Match until told to stop."""
    client = await nats.connect(
        os.environ.get("NATS_URL", "nats://127.0.0.1:4222").split(","),
        user_credentials=os.environ.get("NATS_CREDENTIALS") or None,
        name="matching",
        inbox_prefix="_INBOX_matching",
        error_cb=log_error,
        max_reconnect_attempts=-1,
        reconnect_time_wait=1,
    )
    stopping = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stopping.set)
    async with asyncio.TaskGroup() as tasks:
        matching = Matching(client, tasks)
        for subject in matching.subjects:
            await client.subscribe(subject, cb=matching.hear)
        for _ in range(2):  # the ping of the library's first flush overtakes what is still to be written
            await client.flush()
        logger.info("Ready: hears %s", ", ".join(matching.subjects))
        await stopping.wait()
        await matching.stop()
    await client.close()
    logger.info("Done.")


if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO, format="%(levelname)s %(name)s: %(message)s")
    asyncio.run(main())
