"""The drivers and passengers of the city: those of `simulation.people`, on streets, with moods and bad phones."""

from __future__ import annotations

import asyncio
import contextlib
import random
import time
from collections.abc import AsyncIterator
from itertools import chain
from typing import Any

import msgspec

from nebengjek_client import Data, Frame, NebengJekError, Tokens, ValidationFailed
from rides.geo import GeoPoint, distance_km
from simulation.city.moods import Mood, Moods
from simulation.city.network import Network
from simulation.city.noise import Gps, any_receiver
from simulation.city.record import Driven
from simulation.city.streets import Step, Streets
from simulation.people import Driver, Habits, Passenger, Person, RideCancelled, Seconds, answer, as_data
from simulation.phone import FrameLog, Phone
from simulation.streets import place_at

OFFLINE = (0.5, 5.0)
"""Seconds without a network of somebody who vanishes."""

ASLEEP = (1.0, 6.0)
"""Seconds for which the phone of somebody who dozes is asleep."""

HURRY = 3.0
"""How much faster a driver comes to the passenger than with them: that way is not billed."""

PACE_OF_CHEATS = 3.0
"""The fastest pace at which drivers cheat: the meter cannot tell lies from vehicles that are faster than any."""

LIES_TOGETHER, ELSEWHERE_M, CLAIMED_SPEED = 10, 1500.0, 30.0
"""Positions of one who cheats that are true, or not, in a row; how far off those are; and metres a second of all."""

RIDE_KM = (0.6, 1.8)
CASH_PATIENCE = 8.0
"""Seconds that a passenger who refuses to pay waits for the driver to take cash."""

MISHAPS = (NebengJekError, ConnectionError, TimeoutError)
"""What ends what one was doing; afterwards one begins again, from the state that the server tells."""


class Equipment(msgspec.Struct, frozen=True, kw_only=True):
    """What the life of one person needs beside the phone."""

    streets: Streets
    network: Network
    moods: Moods
    habits: Habits
    log: FrameLog


class CityPerson(Person):
    """Somebody with moods, whose phone loses the network."""

    def __init__(self, name: str, tokens: Tokens, rng: random.Random, equipment: Equipment) -> None:
        super().__init__(name, equipment.network.url, tokens, rng, equipment.habits, log=equipment.log)
        self.streets, self.network, self.moods = equipment.streets, equipment.network, equipment.moods
        self.gps = Gps(any_receiver(rng), rng)
        self.log = equipment.log
        self.mishaps: list[str] = []

    def _hear(self, frame: Frame) -> None:
        super()._hear(frame)
        if frame.type in ("disconnected", "closed"):
            self.log(self.name, "--", {"type": frame.type, "data": frame.data})

    async def start_over(self, exc: Exception) -> None:
        """Note what went wrong, forget what was told, and ask for the state, on a new phone where the old one ended."""
        self.mishaps.append(f"{self.name}: {exc or type(exc).__name__}")
        await asyncio.sleep(self.rng.uniform(0.1, 0.5))
        if self.phone.is_over:
            await self.phone.aclose()
            self.log(self.name, "--", {"type": "new phone", "data": {}})
            tokens = Tokens(self.phone.access, self.phone.refresh or "")
            self.phone = Phone(self.name, self.network.url, tokens, self.log)
            await self.begin()
        else:
            await self.phone.sync()
        while not self.inbox.empty():
            self.inbox.get_nowait()

    async def hang_up(self) -> None:
        """Switch the phone off."""
        await self.phone.aclose()

    def vanish(self) -> None:
        """Lose the network for a while."""
        self.network.cut(self.rng.uniform(*OFFLINE))

    def doze(self) -> None:
        """Let the phone sleep for a while: it neither hears nor says anything, and its connection stays."""
        seconds = self.rng.uniform(*ASLEEP)
        self.log(self.name, "--", {"type": "asleep", "data": {"seconds": seconds}})
        self.network.sleep(seconds)

    def be_unreachable(self, mood: Mood, within: Seconds = (0, 0)) -> None:
        """Vanish or doze, where that is the mood, some time within these seconds."""
        if happens := {Mood.VANISHES: self.vanish, Mood.DOZES: self.doze}.get(mood):
            asyncio.get_running_loop().call_later(self.rng.uniform(*within), happens)

    def near(self, place: GeoPoint) -> GeoPoint:
        """Return where the phone believes to be; the noise of the phone, without its gaps."""
        return self.gps.noisy(place)


class CityDriver(CityPerson, Driver):
    """Drives along the streets and says so as a phone does; `driven` is how each ride really was."""

    def __init__(self, name: str, tokens: Tokens, rng: random.Random, equipment: Equipment) -> None:
        super().__init__(name, tokens, rng, equipment)
        self.place = self.streets.place(self.streets.somewhere(rng))
        self.driven: dict[str, Driven] = {}
        self._lies = 0
        """Positions of this ride that were told by a phone that lies, plus one; 0 where it does not."""
        self._covered = False
        self._ride: Driven | None = None
        self._fixed = self.place
        """Where the phone had its last fix."""
        self._told_at = time.monotonic()
        self._errands: set[asyncio.Task[None]] = set()

    async def live(self) -> None:
        """Take one passenger after the other, until cancelled."""
        trouble: Exception | None = None
        while True:
            try:
                if trouble is not None:
                    await self.start_over(trouble)
                await self.finish()
                await self._switch_on()
                while True:
                    await self._take_one()
            except MISHAPS as exc:
                trouble = exc

    async def finish(self) -> None:
        """Go on with the ride that the server has, where there is one, to its end."""
        ride = self.phone.state["ride"]
        if ride is None:
            return
        with contextlib.suppress(RideCancelled, ValidationFailed):  # it has ended meanwhile
            if ride["status"] == "PICKUP":
                await self._fetch(ride["ride_id"], GeoPoint(**ride["location"]))
            if ride["status"] in ("PICKUP", "ONGOING"):
                await self._carry(ride["ride_id"], GeoPoint(**ride["target_location"]))

    def _hear(self, frame: Frame) -> None:
        super()._hear(frame)
        if frame.type == "payment_process" and frame.data["status"] == "REJECTED":
            errand = asyncio.create_task(self._take_cash(frame.data))
            self._errands.add(errand)
            errand.add_done_callback(self._errands.discard)

    async def _take_cash(self, bill: Data) -> None:
        with contextlib.suppress(*MISHAPS):  # the passenger may be faster, and pays in the end where nobody is
            await self.sleep((0.1, 1))
            await self.phone.payment_received(ride_id=bill["ride_id"], total_cost=bill["total_cost"])

    async def _take_one(self) -> None:
        with contextlib.suppress(RideCancelled):
            pickup = await self._wait_for_pickup()
            ride_id, match, mood = pickup["ride_id"], pickup["match"], self.moods.next()
            if mood is Mood.CANCELS:
                await self.sleep((0, 1))
                await self.call_off(ride_id, "I have changed my mind.")
                return
            self.be_unreachable(mood, within=(0, 4))
            await self._fetch(ride_id, GeoPoint(**match["location"]))
            self._lies = int(mood is Mood.CHEATS and self.habits.speed <= PACE_OF_CHEATS)
            try:
                await self._carry(ride_id, GeoPoint(**match["target_location"]))
            finally:
                self._lies = 0

    async def _fetch(self, ride_id: str, pick_up: GeoPoint) -> None:
        """Come to the passenger, and start the ride."""
        async for _ in self._drive_to(pick_up, ride_id, hurry=self.habits.hurries):
            await self._report()
        await self._report_surely()
        await self._unless_called_off(self.phone.ride_start(ride_id=ride_id))

    async def _carry(self, ride_id: str, target: GeoPoint) -> None:
        """Drive the passenger to the target, and arrive."""
        self._ride = driven = self.driven.setdefault(ride_id, Driven())
        driven.cheated |= bool(self._lies)
        try:
            await self._report_surely()
            last = self.place
            async for _ in self._drive_to(target, ride_id):
                driven.km += distance_km(last, self.place)
                last = self.place
                await self._report()
            await self._report_surely()
        finally:
            self._ride = None
        await self._unless_called_off(self.phone.ride_arrived(ride_id=ride_id))

    async def _answer(self, match_id: str) -> None:
        mood = self.moods.next()
        await self.sleep(self.habits.answer_delay)
        if mood is not Mood.IGNORES:
            await answer(self.phone, match_id, accepted=mood is not Mood.DECLINES)

    async def _switch_on(self) -> None:
        await self.phone.beacon_update(is_active=True, **as_data(self.near(self.place)))

    async def _drive_to(self, target: GeoPoint, ride_id: str, *, hurry: bool = False) -> AsyncIterator[None]:
        start = self.streets.nearest(self.place)
        way = self.streets.way(start, self.streets.nearest(target))
        hurry_by = HURRY if hurry else 1.0
        interval, speed = self.habits.report_interval, self.habits.speed * hurry_by
        steps = self.streets.drive(way, interval=interval, speed=speed, rng=self.rng)
        crossing = Step(self.streets.place(start))  # where one was stopped, one first goes back to it
        for step in chain([crossing], steps):
            self.place, self._covered = step.place, step.covered
            await asyncio.sleep(interval / hurry_by)
            if ride_id in self.called_off:
                self.place, self._covered = self.streets.place(self.streets.nearest(self.place)), False
                raise RideCancelled(f"by the {self.called_off[ride_id]}")
            yield
        self._covered = False

    async def _report(self, **_more: Any) -> None:
        await self._tell_fix()

    async def _tell_fix(self) -> bool:
        """Tell the fix of now, and return whether there was one."""
        now = time.monotonic()
        seconds, self._told_at = (now - self._told_at) * self.habits.speed, now  # noise needs time to become another
        fix = self.gps.fix(Step(self.place, self._covered), self.phone.now(), seconds)
        if fix is not None:
            if self._ride is not None:
                self._ride.line_km += distance_km(self._fixed, self.place)
            self._fixed = self.place
            place, more = self._as_told(fix.place)
            more["accuracy"] = fix.accuracy
            await self.phone.location_update(**as_data(place), timestamp=fix.timestamp, **more)
        return fix is not None

    def _as_told(self, place: GeoPoint) -> tuple[GeoPoint, dict[str, float]]:
        """Return a place as it is told; one who cheats is elsewhere every now and then, and always fast."""
        if not self._lies:
            return place, {}
        self._lies += 1
        is_lie = self._lies // LIES_TOGETHER % 2 == 1
        return place_at(place, ELSEWHERE_M, 0.0) if is_lie else place, {"speed": CLAIMED_SPEED}

    async def _report_surely(self) -> None:
        """Report until there is a fix."""
        while True:
            if await self._tell_fix():
                return
            await asyncio.sleep(self.habits.report_interval)


class CityPassenger(CityPerson, Passenger):
    """Rides through the city, changes the mind, vanishes, does not want to pay."""

    async def settle(self) -> None:
        """End the search and the ride of now, whatever its state, and pay."""
        await self.phone.sync()
        with contextlib.suppress(RideCancelled):
            await self.prepare()

    async def take_ride(self) -> None:
        """Take one ride to its end, which may be a cancellation."""
        trouble: Exception | None = None
        try:
            await self.ride()
        except RideCancelled:
            return
        except MISHAPS as exc:
            trouble = exc
        while trouble is not None:
            try:
                await self.start_over(trouble)
                await self.settle()
                trouble = None
            except MISHAPS as exc:
                trouble = exc

    async def ride(self) -> Data:
        """Take one ride as the mood has it, and return the data of `ride_completed`.

        Raises `RideCancelled`, and `MISHAPS`.
        """
        mood = self.moods.next()
        here, there = self._wish()
        if mood is Mood.MOVES_PIN:
            await self._search(self._wish()[0], there)
            await self.sleep((0, 2))
        pickup = await self._find_driver(here, there)
        ride_id = pickup["ride_id"]
        self.be_unreachable(mood)
        if mood is Mood.CANCELS:
            await self.sleep((0, 1))
            await self.call_off(ride_id, "I have changed my mind.")
        bill = await self.next_of("payment_process", "ride_cancelled", ride_id=ride_id)
        if bill["type"] == "ride_cancelled":
            raise RideCancelled(f"by the {bill['cancelled_by']}")
        await self.sleep(self.habits.answer_delay)
        if mood is Mood.REFUSES_TO_PAY:
            return await self._refuse(bill)
        await self._pay(bill)
        return await self.next_of("ride_completed")

    async def _refuse(self, bill: Data) -> Data:
        """Refuse to pay by phone, until the driver has taken cash; pay where that does not happen."""
        await self._pay(bill, "REJECTED")
        try:
            async with asyncio.timeout(CASH_PATIENCE):
                return await self.next_of("ride_completed")
        except TimeoutError:
            await self._pay(bill)
            return await self.next_of("ride_completed")

    def _wish(self) -> tuple[GeoPoint, GeoPoint]:
        start = self.streets.somewhere(self.rng)
        target = self.streets.at_a_distance(start, *RIDE_KM, self.rng)
        return self.near(self.streets.place(start)), self.near(self.streets.place(target))
