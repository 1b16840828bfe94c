"""A number of rides, and how they went."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import Callable
from typing import Any

import httpx
import msgspec

from nebengjek_client import NebengJekError, Rest, Tokens
from rides.geo import GeoPoint
from simulation.login import log_in
from simulation.people import Driver, Habits, Passenger
from simulation.phone import FrameLog

TAMAN_MINI = GeoPoint(-6.3024, 106.8951)
"""Where simulated rides take place: out of reach of the town that lives around Monas."""

DRIVER_NUMBER = "+628129{:07d}"
PASSENGER_NUMBER = "+628138{:07d}"


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """What to simulate; `url` is the server's HTTP address, `speed` how many times faster than in town they drive."""

    url: str
    rides: int
    drivers: int
    passengers: int
    speed: float
    seed: int


class Outcome(msgspec.Struct):
    """How it went; latencies are seconds from a command to its answer."""

    completed: int = 0
    errors: Counter[str] = msgspec.field(default_factory=Counter)
    wrong_fares: list[str] = msgspec.field(default_factory=list)
    latencies: list[float] = msgspec.field(default_factory=list)
    revenue: int = 0

    @property
    def failed(self) -> bool:
        """Whether anything at all went wrong."""
        return bool(self.errors or self.wrong_fares)


async def simulate(plan: Plan, log: FrameLog, on_ride: Callable[[], object]) -> Outcome:
    """Take `plan.rides` rides and return how they went; `on_ride` is called after each."""
    rng = random.Random(plan.seed)  # noqa: S311
    outcome = Outcome()
    habits = Habits(center=TAMAN_MINI, speed=plan.speed)
    async with httpx.AsyncClient(timeout=30) as http:
        logins = [await _login(plan, http, DRIVER_NUMBER.format(n), driver=True) for n in range(plan.drivers)]
        drivers = [
            Driver(f"driver {n + 1}", plan.url, tokens, random.Random(rng.random()), habits, log=log)  # noqa: S311
            for n, tokens in enumerate(logins)
        ]
        logins = [await _login(plan, http, PASSENGER_NUMBER.format(n), driver=False) for n in range(plan.passengers)]
        passengers = [
            Passenger(f"passenger {n + 1}", plan.url, tokens, random.Random(rng.random()), habits, log=log)  # noqa: S311
            for n, tokens in enumerate(logins)
        ]
    await asyncio.gather(*(person.begin() for person in (*drivers, *passengers)))
    shifts = [asyncio.create_task(_shift(driver, outcome)) for driver in drivers]
    tickets = iter(range(plan.rides))
    try:
        await asyncio.gather(*(_ride_on(passenger, tickets, outcome, on_ride) for passenger in passengers))
    finally:
        for shift in shifts:
            shift.cancel()
        await asyncio.gather(*shifts, return_exceptions=True)
        await asyncio.gather(*(_go_home(driver) for driver in drivers), return_exceptions=True)
        await asyncio.gather(*(person.phone.aclose() for person in (*drivers, *passengers)))
    for person in (*drivers, *passengers):
        outcome.latencies.extend(person.phone.latencies)
    for driver in drivers:
        outcome.wrong_fares.extend(driver.wrong_fares)
    return outcome


async def _login(plan: Plan, http: httpx.AsyncClient, msisdn: str, *, driver: bool) -> Tokens:
    return await log_in(Rest(plan.url, http=http), msisdn, driver=driver)


async def _shift(driver: Driver, outcome: Outcome) -> None:
    try:
        await driver.live()
    except (NebengJekError, ConnectionError, TimeoutError) as exc:
        outcome.errors[f"{driver.phone.name}: {exc!r}"] += 1


async def _go_home(driver: Driver) -> None:
    await driver.phone.beacon_update(is_active=False)


async def _ride_on(passenger: Passenger, tickets: Any, outcome: Outcome, on_ride: Callable[[], object]) -> None:
    await passenger.prepare()
    for _ in tickets:
        try:
            completed = await passenger.ride()
        except Exception as exc:  # whatever it is, it is counted, and shown in the summary
            outcome.errors[f"{passenger.phone.name}: {exc!r}"] += 1
        else:
            outcome.completed += 1
            outcome.revenue += completed["payment"]["total_cost"]
        on_ride()


def percentile(values: list[float], share: float) -> float:
    """Return the value below which `share` of the values lie; 0 without values."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))] if ordered else 0.0
