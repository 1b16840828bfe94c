"""The drivers and passengers of the city: those of `simulation.people`, on streets, with moods and bad phones."""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections.abc import AsyncIterator
from typing import Any

import msgspec

from nebengjek_client import Data, Frame, NebengJekError, Tokens, ValidationFailed
from rides.geo import GeoPoint
from simulation.city.moods import Mood, Moods
from simulation.city.network import Network
from simulation.city.noise import Gps, any_receiver
from simulation.city.streets import Step, Streets
from simulation.people import Driver, Habits, Passenger, Person, RideCancelled, answer, as_data
from simulation.phone import FrameLog

OFFLINE = (0.5, 5.0)
"""Seconds without a network of somebody who vanishes."""

HURRY = 3.0
"""How much faster a driver comes to the passenger than with them: that way is not billed."""

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
        self.mishaps: list[str] = []

    async def start_over(self, exc: Exception) -> None:
        """Note what went wrong, forget what was told, and ask for the state."""
        self.mishaps.append(f"{self.name}: {exc or type(exc).__name__}")
        await asyncio.sleep(self.rng.uniform(0.1, 0.5))
        await self.phone.sync()
        while not self.inbox.empty():
            self.inbox.get_nowait()

    def vanish(self) -> None:
        """Lose the network for a while."""
        self.network.cut(self.rng.uniform(*OFFLINE))

    def near(self, place: GeoPoint) -> GeoPoint:
        """Return where the phone believes to be; the noise of the phone, without its gaps."""
        return self.gps.noisy(place)


class CityDriver(CityPerson, Driver):
    """Drives along the streets and says so as a phone does; `true_km` is how long each ride really was."""

    def __init__(self, name: str, tokens: Tokens, rng: random.Random, equipment: Equipment) -> None:
        super().__init__(name, tokens, rng, equipment)
        self.place = self.streets.place(self.streets.somewhere(rng))
        self.true_km: dict[str, float] = {}
        self._covered = False
        self._errands: set[asyncio.Task[None]] = set()

    async def live(self) -> None:
        """Take one passenger after the other, until cancelled."""
        while True:
            try:
                await self.tidy_up()
                await self.phone.beacon_update(is_active=True, **as_data(self.near(self.place)))
                while True:
                    await self._take_one()
            except MISHAPS as exc:
                await self.start_over(exc)

    async def tidy_up(self) -> None:
        """Finish the ride that an interrupted life has left."""
        with contextlib.suppress(ValidationFailed):  # it has ended meanwhile
            await self._tidy_up()

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
            if mood is Mood.VANISHES:
                asyncio.get_running_loop().call_later(self.rng.uniform(0, 4), self.vanish)
            await self._drive(match, ride_id)

    async def _drive(self, match: Data, ride_id: str) -> None:
        async for _ in self._drive_to(GeoPoint(**match["location"]), ride_id, hurry=self.habits.hurries):
            await self._report()
        await self._report_surely()
        await self._unless_called_off(self.phone.ride_start(ride_id=ride_id))
        await self._report_surely()
        way = self.streets.way(*(self.streets.nearest(place) for place in (self.place, self._target(match))))
        async for _ in self._drive_to(self._target(match), ride_id):
            await self._report()
        await self._report_surely()
        await self._unless_called_off(self.phone.ride_arrived(ride_id=ride_id))
        self.true_km[ride_id] = self.streets.length_km(way)

    @staticmethod
    def _target(match: Data) -> GeoPoint:
        return GeoPoint(**match["target_location"])

    async def _wait_for_pickup(self) -> Data:
        """Accept the offers that the mood allows until one becomes a ride; stay visible meanwhile."""
        accepted: Data = {}
        while True:
            try:
                async with asyncio.timeout(5):
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
                await self.phone.beacon_update(is_active=True, **as_data(self.near(self.place)))

    async def _answer(self, match_id: str) -> None:
        mood = self.moods.next()
        await self.sleep(self.habits.answer_delay)
        if mood is not Mood.IGNORES:
            await answer(self.phone, match_id, accepted=mood is not Mood.DECLINES)

    async def _drive_to(self, target: GeoPoint, ride_id: str, *, hurry: bool = False) -> AsyncIterator[None]:
        way = self.streets.way(self.streets.nearest(self.place), self.streets.nearest(target))
        hurry_by = HURRY if hurry else 1.0
        for step in self.streets.drive(
            way, interval=self.habits.report_interval, speed=self.habits.speed * hurry_by, rng=self.rng
        ):
            self.place, self._covered = step.place, step.covered
            await asyncio.sleep(self.habits.report_interval / hurry_by)
            if ride_id in self.called_off:
                self.place, self._covered = self.streets.place(self.streets.nearest(self.place)), False
                raise RideCancelled(f"by the {self.called_off[ride_id]}")
            yield
        self._covered = False

    async def _report(self, **_more: Any) -> None:
        await self._tell_fix()

    async def _tell_fix(self) -> bool:
        """Tell the fix of now, and return whether there was one."""
        seconds = self.habits.report_interval * self.habits.speed
        fix = self.gps.fix(Step(self.place, self._covered), self.phone.now(), seconds)
        if fix is not None:
            await self.phone.location_update(**as_data(fix.place), timestamp=fix.timestamp, accuracy=fix.accuracy)
        return fix is not None

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
        try:
            await self.ride()
        except RideCancelled:
            pass
        except MISHAPS as exc:
            await self.start_over(exc)
            await self.settle()

    async def ride(self) -> Data:
        """Take one ride as the mood has it, and return the data of `ride_completed`.

        Raises `RideCancelled`, and `MISHAPS`.
        """
        mood = self.moods.next()
        pickup = await self._find_driver(*self._wish())
        ride_id = pickup["ride_id"]
        if mood is Mood.VANISHES:
            self.vanish()
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
