"""A run of the city: people log in, live until all rides are taken, settle, and everything is checked."""

from __future__ import annotations

import asyncio
import random
import signal
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager, suppress
from datetime import datetime, timedelta

import httpx
import msgspec
from django.utils import timezone

from common.threads import in_read_thread
from nebengjek_client import Rest
from simulation.city.facts import facts_of
from simulation.city.invariants import check
from simulation.city.moods import EVERYDAY, Mix, Moods
from simulation.city.network import Network
from simulation.city.people import MISHAPS, CityDriver, CityPassenger, CityPerson, Equipment
from simulation.city.promises import Promises, Violation
from simulation.city.record import Facts, Record, Somebody
from simulation.city.streets import Streets
from simulation.login import log_in
from simulation.people import Habits
from simulation.run import TAMAN_MINI

DRIVER_NUMBER = "+628126{:07d}"
PASSENGER_NUMBER = "+628136{:07d}"
LOGINS_AT_ONCE = 4
SETTLE_SECONDS = 60.0
"""How long people may take in the end for what they have begun."""

REPORT_SECONDS = 1.0
"""Between two positions, at any speed: the meter smooths by time, and would cut the corners of more of them."""

LAST_WORDS = 2.0
"""Seconds in which the last notifications must have come; the relay looks every second."""


class CityPlan(msgspec.Struct, frozen=True, kw_only=True):
    """A city at `url`: how many people and rides, how many times faster than life, and for how many seconds at most."""

    url: str
    drivers: int
    passengers: int
    rides: int
    speed: float
    seed: int
    hurries: bool = True
    """Whether drivers come to the passenger faster than with them, which makes a run shorter."""
    limit: float = 900.0
    mix: Mix = EVERYDAY
    promises: Promises = msgspec.field(default_factory=Promises)


class CityResult(msgspec.Struct):
    """What came of it."""

    record: Record
    facts: Facts
    violations: list[Violation]
    mishaps: list[str]
    cuts: int
    seconds: float
    stopped: str = ""
    """Why it ended before all rides were taken; empty where it did not."""


class Progress(msgspec.Struct):
    """The figures of the moment, for whoever shows them; `changed` is called after each ride."""

    changed: Callable[[Progress], object]
    people: int = 0
    rides: int = 0
    notifications: int = 0
    cuts: int = 0
    mishaps: int = 0


class City:
    """The people of a run."""

    def __init__(self, plan: CityPlan, progress: Progress) -> None:
        self.plan, self.progress = plan, progress
        self.record = Record()
        self.drivers: list[CityDriver] = []
        self.passengers: list[CityPassenger] = []
        self._streets = Streets(TAMAN_MINI, seed=plan.seed)
        self._tickets = iter(range(plan.rides))

    @property
    def people(self) -> list[CityPerson]:
        """Everybody."""
        return [*self.drivers, *self.passengers]

    @asynccontextmanager
    async def inhabited(self) -> AsyncIterator[None]:
        """Let everybody log in and switch the phone on; afterwards all hang up."""
        plan, gate = self.plan, asyncio.Semaphore(LOGINS_AT_ONCE)
        async with AsyncExitStack() as stack:
            http = await stack.enter_async_context(httpx.AsyncClient(timeout=30))

            async def arrive(number: int, *, drives: bool) -> None:
                async with gate:
                    await self._arrive(stack, http, number, drives=drives)

            drivers = [arrive(number, drives=True) for number in range(plan.drivers)]
            await asyncio.gather(*drivers, *(arrive(number, drives=False) for number in range(plan.passengers)))
            yield

    async def _arrive(self, stack: AsyncExitStack, http: httpx.AsyncClient, number: int, *, drives: bool) -> None:
        plan = self.plan
        name = f"{'driver' if drives else 'passenger'} {number + 1}"
        rest = Rest(plan.url, http=http)
        msisdn = (DRIVER_NUMBER if drives else PASSENGER_NUMBER).format(number)
        tokens = await log_in(rest, msisdn, driver=drives)
        full_name = f"{'Dewi' if drives else 'Putri'} of the City {number + 1}"
        rest.access = tokens.access
        await rest.set_name(full_name)
        rng = random.Random(f"{plan.seed}/{name}")  # noqa: S311
        shares = plan.mix.driver if drives else plan.mix.passenger
        equipment = Equipment(
            streets=self._streets,
            network=await stack.enter_async_context(Network(plan.url)),
            moods=Moods(name, shares, plan.seed),
            habits=Habits(center=TAMAN_MINI, speed=plan.speed, report_interval=REPORT_SECONDS, hurries=plan.hurries),
            log=self.record.note,
        )
        person: CityDriver | CityPassenger
        if drives:
            self.drivers.append(person := CityDriver(name, tokens, rng, equipment))
        else:
            self.passengers.append(person := CityPassenger(name, tokens, rng, equipment))
        await person.begin()
        stack.push_async_callback(person.phone.aclose)
        self.record.people[name] = Somebody(name, person.phone.user_id, full_name, msisdn, drives)

    async def live(self) -> None:
        """Return when all rides have been taken."""
        shifts = [asyncio.create_task(driver.live()) for driver in self.drivers]
        try:
            await asyncio.gather(*(self._ride_on(passenger) for passenger in self.passengers))
        finally:
            for shift in shifts:
                shift.cancel()
            await asyncio.gather(*shifts, return_exceptions=True)

    async def settle(self) -> None:
        """Let everybody finish what they have begun: drivers first, since passengers wait for them."""
        for group in ([_go_home(driver) for driver in self.drivers], [_settle(who) for who in self.passengers]):
            await asyncio.gather(*group)
        await asyncio.sleep(LAST_WORDS)

    async def _ride_on(self, passenger: CityPassenger) -> None:
        await _settle(passenger)
        for _ in self._tickets:
            await passenger.take_ride()
            self._count()

    def _count(self) -> None:
        progress, people = self.progress, self.people
        progress.rides += 1
        progress.people = sum(person.phone.connected for person in people)
        progress.notifications = sum(len(frames) for frames in self.record.frames.values())
        progress.cuts = sum(person.network.cuts for person in people)
        progress.mishaps = sum(len(person.mishaps) for person in people)
        progress.changed(progress)


async def _settle(passenger: CityPassenger) -> None:
    try:
        await passenger.settle()
    except MISHAPS as exc:
        passenger.mishaps.append(f"{passenger.name} could not settle: {exc or type(exc).__name__}")


async def _go_home(driver: CityDriver) -> None:
    try:
        await driver.phone.sync()
        await driver.tidy_up()
        await driver.phone.beacon_update(is_active=False)
    except MISHAPS as exc:
        driver.mishaps.append(f"{driver.name} could not go home: {exc or type(exc).__name__}")


async def run_city(plan: CityPlan, changed: Callable[[Progress], object]) -> CityResult:
    """Let the city live, then check everything. Ends early, and cleanly, on SIGINT and after `plan.limit` seconds.

    Raises `NebengJekError` and `OSError` where the server cannot be used, `ValueError` for an address that is not http.
    """
    began = timezone.now()
    city = City(plan, Progress(changed))
    async with city.inhabited():
        stopped = await _until_stopped(city.live(), plan.limit)
        with suppress(TimeoutError):
            async with asyncio.timeout(SETTLE_SECONDS):
                await city.settle()
        seconds = (timezone.now() - began).total_seconds()
    facts = await in_read_thread(_facts, city, began)
    return CityResult(
        record=city.record,
        facts=facts,
        violations=check(city.record, facts, plan.promises),
        mishaps=[text for person in city.people for text in person.mishaps],
        cuts=sum(person.network.cuts for person in city.people),
        seconds=seconds,
        stopped=stopped,
    )


def _facts(city: City, began: datetime) -> Facts:
    true_km = {ride: km for driver in city.drivers for ride, km in driver.true_km.items()}
    users = {person.user_id for person in city.record.people.values()}
    return facts_of(users, began - timedelta(seconds=1), true_km)


async def _until_stopped(life: Coroutine[None, None, None], limit: float) -> str:
    """Await a life to its end, SIGINT or the limit; return what has stopped it, empty if nothing."""
    interrupted = asyncio.Event()
    with _on_interrupt(interrupted.set):
        living = asyncio.create_task(life)
        waiting = asyncio.create_task(interrupted.wait())
        try:
            await asyncio.wait({living, waiting}, timeout=limit, return_when=asyncio.FIRST_COMPLETED)
        finally:
            waiting.cancel()
            ended = living.done()
            living.cancel()
            await asyncio.gather(living, waiting, return_exceptions=True)
    if ended:
        living.result()
        return ""
    return "interrupted" if interrupted.is_set() else f"stopped after {limit:g} s"


@contextmanager
def _on_interrupt(react: Callable[[], object]) -> Iterator[None]:
    """Call `react` instead of ending the process, as long as this lasts."""
    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGINT, react)
    try:
        yield
    finally:
        loop.remove_signal_handler(signal.SIGINT)
