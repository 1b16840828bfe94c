"""Drivers and passengers, and what they do with their phones."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import random
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from typing import Any, Literal

import msgspec

from nebengjek_client import Data, Frame, Location, ServerError, Tokens, ValidationFailed
from rides.geo import GeoPoint, distance_km
from simulation.phone import FrameLog, Phone
from simulation.streets import drive, place_near, straight

logger = logging.getLogger(__name__)

PACE_KMH = 30.0
"""The usual pace of a motorcycle in town, at speed 1."""

HURRIED_STEPS = 3
"""Positions on the way to a passenger of a driver in a hurry."""

SHORTEST_RIDE_KM = 0.4
FARE_TOLERANCE_KM = 0.000001

PATIENCE = 120.0
"""Seconds that people in a hurry wait for each other before they think that something is wrong."""

Seconds = tuple[float, float]
"""From and to: how long something takes, each time another random time between."""


class Habits(msgspec.Struct, frozen=True, kw_only=True):
    """Where people live and how they behave. By default they are in a hurry, and want every ride."""

    center: GeoPoint
    reach_m: float = 500
    speed: float = 1
    report_interval: float = 1.0
    idle_interval: float = 15.0
    """Seconds between two positions of a vehicle that waits."""
    hurries: bool = True
    """Whether a driver reaches the passenger in a few steps; that way is not billed."""
    answer_delay: Seconds = (0, 0)
    declines: float = 0
    """The share of proposals that a driver declines."""
    calls_off: float = 0
    """The share of rides that a passenger cancels while waiting for the driver."""
    refuses_first: float = 0
    """The share of payments that a passenger refuses at first."""
    takes_break: float = 0
    """The share of rides after which a driver takes a break."""
    break_length: Seconds = (0, 0)
    pause: Seconds = (0, 0)
    """How long a passenger pauses between two rides (seconds)."""
    patience: float = PATIENCE
    """Seconds that people wait for each other before they think that something is wrong."""


def as_data(point: GeoPoint) -> Location:
    """Return a place as the contract writes it."""
    return {"latitude": point.latitude, "longitude": point.longitude}


class RideCancelled(Exception):
    """The ride was cancelled; the message says by whom."""


def no_log(_name: str, _direction: str, _frame: Data) -> None:
    """Log nothing."""


class Person:
    """A person with a phone, who remembers every notification."""

    def __init__(
        self, name: str, url: str, tokens: Tokens, rng: random.Random, habits: Habits, *, log: FrameLog = no_log
    ) -> None:
        self.name = name
        self.rng = rng
        self.habits = habits
        self.inbox: asyncio.Queue[Frame] = asyncio.Queue()
        self.called_off: dict[str, str] = {}  # the last ride that was, and by whom
        self.phone = Phone(name, url, tokens, log)
        self.on_ride: Callable[[], object] = lambda: None
        self._begun = False

    async def begin(self) -> None:
        """Switch the phone on."""
        self._begun = False
        self.phone.on("*", self._hear)
        await self.phone.connect()
        self._begun = True

    def _hear(self, frame: Frame) -> None:
        if frame.type == "ride_cancelled":
            self.called_off = {frame.data["ride_id"]: frame.data["cancelled_by"]}
        if frame.type != "location_update" and (frame.type != "session_ready" or self._begun):
            self.inbox.put_nowait(frame)

    async def next_of(self, *types: str, ride_id: str | None = None) -> Data:
        """Return the data of the next notification of these types, with its type; others are read over.

        Raises `ConnectionError` when there will be none, or when some were missed: start again from the state then.
        """
        async with asyncio.timeout(self.habits.patience):
            while True:
                frame = await self.inbox.get()
                if frame.type == "closed":
                    raise ConnectionError(f"{self.name} was closed: {frame.data['reason']}")
                if frame.type == "session_ready" and not frame.data["recovered"]:
                    raise ConnectionError(f"{self.name} has missed something")
                if frame.type in types and ride_id in (None, frame.data.get("ride_id")):
                    return {**frame.data, "type": frame.type}

    async def call_off(self, ride_id: str, reason: str) -> None:
        """Cancel a ride; that the other side was faster, to start it or to cancel it too, is no error."""
        with contextlib.suppress(ValidationFailed):
            await self.phone.ride_cancel(ride_id=ride_id, reason=reason)

    async def sleep(self, seconds: Seconds) -> None:
        """Wait for a random time."""
        await asyncio.sleep(self.rng.uniform(*seconds))

    def chance(self, share: float) -> bool:
        """Return True in this share of the cases."""
        return self.rng.random() < share


class Driver(Person):
    """Waits for passengers and drives them."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.place = place_near(self.habits.center, self.habits.reach_m, self.rng)
        self.wrong_fares: list[str] = []

    async def live(self) -> None:
        """Take one passenger after the other, until cancelled."""
        await self._tidy_up()
        while True:
            await self._switch_on()
            try:
                await self._take_passenger()
            except RideCancelled:
                continue
            if self.chance(self.habits.takes_break):
                await self.phone.beacon_update(is_active=False)
                await self.sleep(self.habits.break_length)

    async def _tidy_up(self) -> None:
        """Finish what an earlier life has left."""
        ride = self.phone.state["ride"]
        if ride and ride["status"] == "PICKUP":
            await self.call_off(ride["ride_id"], "left over")
        elif ride:
            await self.phone.ride_arrived(ride_id=ride["ride_id"])

    async def _take_passenger(self) -> None:
        pickup = await self._wait_for_pickup()
        ride_id, match = pickup["ride_id"], pickup["match"]
        async for _ in self._drive_to(GeoPoint(**match["location"]), ride_id, hurry=self.habits.hurries):
            await self._report()
        await self._report()
        await self._unless_called_off(self.phone.ride_start(ride_id=ride_id))
        driven, last = 0.0, self.place
        async for _ in self._drive_to(GeoPoint(**match["target_location"]), ride_id):
            await self._report(timestamp=self.phone.now(), accuracy=5)
            driven += distance_km(last, self.place)
            last = self.place
        await self._unless_called_off(self.phone.ride_arrived(ride_id=ride_id))
        self._check_fare(driven, await self.next_of("ride_arrived", ride_id=ride_id))

    async def _unless_called_off(self, command: Awaitable[Data]) -> None:
        """Send a command of a ride; raise `RideCancelled` when somebody was faster and cancelled it."""
        try:
            await command
        except ServerError as exc:
            if "CANCELLED" in str(exc):
                raise RideCancelled(str(exc)) from exc
            raise

    async def _wait_for_pickup(self) -> Data:
        """Answer offers until one becomes a ride; stay visible meanwhile, and switched on.

        Where the passenger is stands in the confirmation by both sides; an offer says it only roughly.
        """
        accepted: Data = {}
        while True:
            try:
                async with asyncio.timeout(self.habits.idle_interval):
                    frame = await self.next_of("match_proposal", "match_confirm", "ride_pickup", "beacon_update")
            except TimeoutError:
                await self._report()
                continue
            if frame["type"] == "ride_pickup":
                return {**frame, "match": accepted}
            if frame["type"] == "match_confirm":
                accepted = frame
            elif frame["type"] == "match_proposal":
                await self._answer(frame["match_id"])
            elif not frame["is_active"]:  # who ignores too many offers is switched off
                await self._switch_on()

    async def _answer(self, match_id: str) -> None:
        await self.sleep(self.habits.answer_delay)
        await answer(self.phone, match_id, accepted=not self.chance(self.habits.declines))

    async def _switch_on(self) -> None:
        await self.phone.beacon_update(is_active=True, **as_data(self.place))

    async def _drive_to(self, target: GeoPoint, ride_id: str, *, hurry: bool = False) -> AsyncIterator[None]:
        """Move towards a place; yield after each step, the last of which is the place itself."""
        if hurry:
            steps = straight(self.place, target, max(distance_km(self.place, target) / HURRIED_STEPS, 0.001))
        else:
            step_km = PACE_KMH * self.habits.speed / 3600 * self.habits.report_interval
            lights = self.habits.speed * self.habits.report_interval
            steps = drive(self.place, target, step_km, lights, self.rng)
        for self.place in steps:
            await asyncio.sleep(self.habits.report_interval)
            if ride_id in self.called_off:
                raise RideCancelled(f"by the {self.called_off[ride_id]}")
            yield

    async def _report(self, **more: Any) -> None:
        await self.phone.location_update(**as_data(self.place), **more)

    def _check_fare(self, driven: float, bill: Data) -> None:
        if abs(driven - bill["distance_km"]) > FARE_TOLERANCE_KM:
            text = f"{bill['ride_id']}: driven {driven:.6f} km, billed {bill['distance_km']:.6f} km"
            logger.error("Wrong fare: %s", text)
            self.wrong_fares.append(text)


class Passenger(Person):
    """Looks for a ride, rides, and pays."""

    async def live(self) -> None:
        """Take one ride after the other, until cancelled."""
        await self.prepare()
        await self.sleep(self.habits.answer_delay)
        while True:
            try:
                await self.ride()
                self.on_ride()
            except RideCancelled:
                pass
            await self.sleep(self.habits.pause)

    async def prepare(self) -> None:
        """Finish what an earlier life has left."""
        state = self.phone.state
        if state["finder"] and state["finder"]["is_active"]:
            await self.phone.finder_update(is_active=False)
        ride = state["ride"]
        if ride and ride["status"] == "PICKUP":
            await self.call_off(ride["ride_id"], "left over")
        elif ride and ride["status"] == "ONGOING":
            await self.next_of("ride_arrived", ride_id=ride["ride_id"])
        if ride and ride["status"] in ("ONGOING", "ARRIVED"):
            await self.phone.sync()
            await self._pay(self.phone.state["payment"] or await self.next_of("payment_process"))

    async def ride(self) -> Data:
        """Take one ride from the search to the payment, and return the data of `ride_completed`.

        Raises `RideCancelled` when it was cancelled, by whomever.
        """
        here, there = self._wish()
        pickup = await self._find_driver(here, there)
        ride_id = pickup["ride_id"]
        if self.chance(self.habits.calls_off):
            await self.sleep(self.habits.answer_delay)
            await self.call_off(ride_id, "I have changed my mind.")
        bill = await self.next_of("payment_process", "ride_cancelled", ride_id=ride_id)
        if bill["type"] == "ride_cancelled":
            raise RideCancelled(f"by the {bill['cancelled_by']}")
        await self.sleep(self.habits.answer_delay)
        if self.chance(self.habits.refuses_first):
            await self._pay(bill, "REJECTED")
            await self.sleep(self.habits.answer_delay)
        await self._pay(bill)
        return await self.next_of("ride_completed")

    def _wish(self) -> tuple[GeoPoint, GeoPoint]:
        """Return pick-up and target of the next ride."""
        here = place_near(self.habits.center, self.habits.reach_m, self.rng)
        there = here
        while distance_km(here, there) < SHORTEST_RIDE_KM:
            there = place_near(self.habits.center, self.habits.reach_m, self.rng)
        return here, there

    async def _find_driver(self, here: GeoPoint, there: GeoPoint) -> Data:
        await self._search(here, there)
        while True:
            frame = await self.next_of("match_confirm", "ride_pickup", "finder_update")
            if frame["type"] == "ride_pickup":
                return frame
            if frame["type"] == "match_confirm" and frame["match_status"] == "DRIVER_CONFIRMED":
                await self.sleep(self.habits.answer_delay)
                await answer(self.phone, frame["match_id"], accepted=True)
            elif frame.get("reason") == "no_driver":  # all were busy: look again
                await self._search(here, there)

    async def _search(self, here: GeoPoint, there: GeoPoint) -> None:
        """Look for a driver; where one looks already, from now on from here."""
        await self.phone.finder_update(is_active=True, location=as_data(here), target_location=as_data(there))

    async def _pay(self, bill: Mapping[str, Any], status: Literal["ACCEPTED", "REJECTED"] = "ACCEPTED") -> None:
        cost = bill["total_cost"]
        await self.phone.payment_process(ride_id=bill["ride_id"], total_cost=cost, status=status)


async def answer(phone: Phone, match_id: str, *, accepted: bool) -> None:
    """Accept or decline a proposal; that others were faster is no error."""
    with contextlib.suppress(ValidationFailed):
        await phone.match_confirm(match_id=match_id, accepted=accepted)
