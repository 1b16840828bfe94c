"""Drivers and passengers around Monas, Jakarta."""

from __future__ import annotations

import asyncio
import math
import random
from collections.abc import AsyncIterator
from typing import Any

from realtime.simulation.phone import ANSWER_TIMEOUT, Data, FrameLog, Phone, Refused
from rides.geo import GeoPoint, distance_km

MONAS = GeoPoint(-6.1754, 106.8272)
PACE_KMH = 30.0
"""The pace of a motorcycle in town, at speed 1."""

REPORT_INTERVAL = 1.0
"""Seconds between two positions of a vehicle that moves."""

IDLE_INTERVAL = 15.0
"""Seconds between two positions of a vehicle that waits."""

APPROACH_STEPS = 3
"""Positions on the way to a passenger."""

FARE_TOLERANCE_KM = 0.000001
METRES_PER_DEGREE = 111_195.0


def place_near(center: GeoPoint, metres: float, rng: random.Random) -> GeoPoint:
    """Return a random place at most so many metres away."""
    reach, angle = metres * math.sqrt(rng.random()), rng.random() * 2 * math.pi
    return place_at(center, reach, angle)


def place_at(center: GeoPoint, metres: float, angle: float) -> GeoPoint:
    """Return the place so many metres away in the direction of `angle` (radians)."""
    latitude = center.latitude + metres * math.sin(angle) / METRES_PER_DEGREE
    shrink = math.cos(math.radians(center.latitude))
    longitude = center.longitude + metres * math.cos(angle) / METRES_PER_DEGREE / shrink
    return GeoPoint(round(latitude, 6), round(longitude, 6))


def as_data(point: GeoPoint) -> Data:
    """Return a place as the contract writes it."""
    return {"latitude": point.latitude, "longitude": point.longitude}


class Person:
    """Somebody with a phone, who remembers what he was told."""

    def __init__(self, name: str, url: str, token: str, log: FrameLog, rng: random.Random) -> None:
        self.rng = rng
        self.inbox: asyncio.Queue[Data] = asyncio.Queue()
        self.phone = Phone(name, url, token, self.inbox.put_nowait, log)

    async def next_of(self, *types: str, ride_id: str | None = None) -> Data:
        """Return the data of the next notification of these types, with its type; others are read over."""
        async with asyncio.timeout(ANSWER_TIMEOUT * 4):
            while True:
                frame = await self.inbox.get()
                if frame["type"] == "closed":
                    raise ConnectionError(f"{self.phone.name} was closed with {frame['data']['code']}")
                if frame["type"] in types and ride_id in (None, frame["data"].get("ride_id")):
                    return {**frame["data"], "type": frame["type"]}


class Driver(Person):
    """Waits for passengers and drives them."""

    def __init__(self, *args: Any, speed: float, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.speed = speed
        self.place = place_near(MONAS, 500, self.rng)
        self.wrong_fares: list[str] = []

    async def work(self) -> None:
        """Take one passenger after the other, until cancelled."""
        await self._tidy_up()
        await self.phone.do("beacon_update", is_active=True, **as_data(self.place))
        while True:
            await self._take_passenger()

    async def _tidy_up(self) -> None:
        """Finish what an earlier run has left."""
        ride = self.phone.ready["state"]["ride"]
        if ride and ride["status"] == "PICKUP":
            await self.phone.do("ride_cancel", ride_id=ride["ride_id"], reason="left over")
        elif ride:
            await self.phone.do("ride_arrived", ride_id=ride["ride_id"])

    async def _take_passenger(self) -> None:
        pickup = await self._wait_for_pickup()
        match = pickup["match"]
        here = GeoPoint(**match["location"])
        hurry = distance_km(self.place, here) / APPROACH_STEPS  # nobody pays for the approach, so it may be quick
        async for _ in self._drive_to(here, hurry):
            await self._report()
        await self._report()
        await self.phone.do("ride_start", ride_id=pickup["ride_id"])
        driven, last = 0.0, self.place
        step = PACE_KMH * self.speed / 3600 * REPORT_INTERVAL
        async for _ in self._drive_to(GeoPoint(**match["target_location"]), step):
            await self._report(timestamp=self.phone.now(), accuracy=5)
            driven += distance_km(last, self.place)
            last = self.place
        await self.phone.do("ride_arrived", ride_id=pickup["ride_id"])
        self._check_fare(driven, await self.next_of("ride_arrived", ride_id=pickup["ride_id"]))

    async def _wait_for_pickup(self) -> Data:
        """Accept every proposal until one becomes a ride; stay visible meanwhile."""
        matches: dict[str, Data] = {}
        while True:
            try:
                async with asyncio.timeout(IDLE_INTERVAL):
                    told = await self.next_of("match_proposal", "ride_pickup")
            except TimeoutError:
                await self._report()
                continue
            if told["type"] == "ride_pickup":
                return {**told, "match": matches[told["match_id"]]}
            matches[told["match_id"]] = told
            await confirm(self.phone, told["match_id"])

    async def _drive_to(self, target: GeoPoint, step_km: float) -> AsyncIterator[None]:
        """Move towards a place; yield after each step, the last of which is the place itself."""
        while self.place != target:
            await asyncio.sleep(REPORT_INTERVAL)
            left = distance_km(self.place, target)
            share = min(1.0, step_km / left) if left else 1.0
            self.place = (
                target
                if share == 1
                else GeoPoint(
                    self.place.latitude + (target.latitude - self.place.latitude) * share,
                    self.place.longitude + (target.longitude - self.place.longitude) * share,
                )
            )
            yield

    async def _report(self, **more: Any) -> None:
        await self.phone.tell("location_update", **as_data(self.place), **more)

    def _check_fare(self, driven: float, bill: Data) -> None:
        if abs(driven - bill["distance_km"]) > FARE_TOLERANCE_KM:
            self.wrong_fares.append(f"{bill['ride_id']}: driven {driven:.6f} km, billed {bill['distance_km']:.6f} km")


class Passenger(Person):
    """Looks for a ride, rides, and pays."""

    async def prepare(self) -> None:
        """Finish what an earlier run has left."""
        state = self.phone.ready["state"]
        if state["finder"]["is_active"]:
            await self.phone.do("finder_update", is_active=False)
        ride = state["ride"]
        if ride and ride["status"] == "PICKUP":
            await self.phone.do("ride_cancel", ride_id=ride["ride_id"], reason="left over")
        elif ride and ride["status"] == "ONGOING":
            await self.next_of("ride_arrived", ride_id=ride["ride_id"])
        if ride and ride["status"] in ("ONGOING", "ARRIVED"):
            await self.phone.do("sync")
            await self._pay(self.phone.ready["state"]["payment"] or await self.next_of("payment_process"))

    async def ride(self) -> Data:
        """Take one ride from the search to the payment, and return what `ride_completed` said."""
        here = place_near(MONAS, 500, self.rng)
        there = place_at(here, self.rng.uniform(400, 900), self.rng.random() * 2 * math.pi)
        await self.phone.do("finder_update", is_active=True, location=as_data(here), target_location=as_data(there))
        pickup = await self._find_driver(here, there)
        bill = await self.next_of("payment_process", "ride_cancelled", ride_id=pickup["ride_id"])
        if bill["type"] == "ride_cancelled":
            raise RideFailed(f"the ride was cancelled by the {bill['cancelled_by']}")
        await self._pay(bill)
        return await self.next_of("ride_completed")

    async def _find_driver(self, here: GeoPoint, there: GeoPoint) -> Data:
        while True:
            told = await self.next_of("match_confirm", "ride_pickup", "finder_update")
            if told["type"] == "ride_pickup":
                return told
            if told["type"] == "match_confirm" and told["match_status"] == "DRIVER_CONFIRMED":
                await confirm(self.phone, told["match_id"])
            elif told.get("reason") == "no_driver":  # all were busy: look again
                places = {"location": as_data(here), "target_location": as_data(there)}
                await self.phone.do("finder_update", is_active=True, **places)

    async def _pay(self, bill: Data) -> None:
        cost = bill["total_cost"]
        await self.phone.do("payment_process", ride_id=bill["ride_id"], total_cost=cost, status="ACCEPTED")


class RideFailed(Exception):
    """A ride did not come to its end; the message says why."""


async def confirm(phone: Phone, match_id: str) -> None:
    """Accept a proposal; that others were faster is no error."""
    try:
        await phone.do("match_confirm", match_id=match_id, accepted=True)
    except Refused as exc:
        if exc.code != "VALIDATION_FAILED":
            raise
