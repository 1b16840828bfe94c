"""A run of the city: people log in, live until all rides are taken, settle, and everything is checked."""

from __future__ import annotations

import asyncio
import itertools
import random
import signal
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager, suppress
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import TypeVar

import httpx
import msgspec
from django.db import DatabaseError
from django.utils import timezone

from common.threads import in_read_thread
from nebengjek_client import NebengJekError, Rest, ServerError, Tokens, Unreachable
from simulation.city.facts import Reader, count_rows, read_track
from simulation.city.invariants import Checker
from simulation.city.maps import streets_of
from simulation.city.moods import EVERYDAY, Mix, Moods
from simulation.city.network import Network
from simulation.city.people import MISHAPS, CityDriver, CityPassenger, CityPerson, Equipment
from simulation.city.promises import Promises, Violation
from simulation.city.record import Driven, Event, Facts, Record, Seen, Somebody
from simulation.city.streets import Streets
from simulation.login import log_in
from simulation.people import Habits
from simulation.run import TAMAN_MINI

R = TypeVar("R")

DRIVER_NUMBER = "+628126{:07d}"
PASSENGER_NUMBER = "+628136{:07d}"
LOGINS_AT_ONCE = 4
SETTLE_SECONDS = 60.0
"""How long people may take in the end for what they have begun."""

LOGIN_PATIENCE = 60.0
"""Seconds through which people try to log in while processes are away."""

IDLE_SECONDS = 10.0
"""Between two positions of a driver who waits: six within the usual `LOCATION_MAX_AGE`."""

REPORT_SECONDS = 1.0
"""Between two positions, at any speed: the meter smooths by time, and would cut the corners of more of them."""

LAST_WORDS, LAST_WORDS_AFTER_FAULTS = 2.0, 12.0
"""Seconds in which the last notifications must have come; the relay looks every second, where nothing happens to it."""

TICK = 1.0
"""Seconds between two times at which the figures are shown, and at which one tries again."""

BOOKS_TICKS = 15
"""After so many the books are looked at."""


class CityPlan(msgspec.Struct, frozen=True, kw_only=True):
    """A city on the web processes at `urls`: how many people and rides, and how many times faster than life.

    Rides begin evenly over `over` seconds; after `limit` seconds it ends in any case.
    """

    urls: tuple[str, ...]
    drivers: int
    passengers: int
    rides: int
    speed: float
    seed: int
    hurries: bool = True
    """Whether drivers come to the passenger faster than with them, which makes a run shorter."""
    over: float = 0.0
    limit: float = 900.0
    mix: Mix = EVERYDAY
    map: Path | None = None
    """An extract of OpenStreetMap in place of a generated city."""
    promises: Promises = msgspec.field(default_factory=Promises)
    log: Path | None = None
    """Where whoever disturbs the system writes down what they do; see `simulation.city.log`."""


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
    naps: int = 0
    resets: dict[str, int] = {}
    """How often phones were given a fresh state instead of what they had missed, by why."""
    rows: dict[str, int] = {}
    """How many rows each table has more than before."""
    late: list[float] = []
    """By how many seconds the city itself was late, each second: what it measures cannot be more exact."""


class Progress(msgspec.Struct):
    """The figures of the moment, for whoever shows them."""

    people: int = 0
    rides: int = 0
    frames: int = 0
    cuts: int = 0
    mishaps: int = 0
    violations: int = 0
    late: float = 0.0
    """By how many seconds the city itself is late."""


class Audience:
    """Is told how a run goes; this one does not care."""

    def progress(self, progress: Progress) -> None:
        """Hear of the figures, each second."""

    def violation(self, violation: Violation, record: Record) -> None:
        """Hear of a promise that was broken, as soon as it is known."""


class Watch:
    """Looks on while a city lives, and tells the audience what is broken as soon as it shows."""

    def __init__(self, city: City, reader: Reader, audience: Audience) -> None:
        self.violations: list[Violation] = []
        self.late: list[float] = []
        self.checker = Checker(city.record.people, city.plan.promises)
        self._city, self._reader, self._audience = city, reader, audience
        self._events: list[Event] = []
        city.record.watch = self._see

    async def look_on(self) -> None:
        """Look at the books every now and then, and show the figures, until cancelled."""
        for tick in itertools.count(1):
            due = time.monotonic() + TICK
            await asyncio.sleep(TICK)
            self.late.append(max(0.0, time.monotonic() - due))
            if tick % BOOKS_TICKS == 0:
                with suppress(DatabaseError):  # it may be the one that is down
                    await self._look(is_over=False)
            progress = self._city.progress()
            progress.violations = len(self.violations)
            progress.late = round(self.late[-1], 2)
            self._audience.progress(progress)

    async def conclude(self) -> Facts:
        """Look for the last time, and return all facts."""
        facts = await through_faults(lambda: self._look(is_over=True))
        for ride_id in {violation.ride_id for violation in self.violations if violation.rule == "fare"}:
            track = await through_faults(partial(in_read_thread, read_track, ride_id))
            self._city.record.tracks[ride_id] = track
        return msgspec.structs.replace(facts, events=self._events)

    async def _look(self, *, is_over: bool) -> Facts:
        now = time.time()
        users = {person.user_id for person in self._city.record.people.values()}
        facts = await in_read_thread(self._reader.read, users, self._city.driven(), is_over=is_over)
        self._events += facts.events
        for violation in self.checker.compare(facts, now, is_over=is_over):
            self._found(violation)
        return facts

    def _see(self, name: str, seen: Seen) -> None:
        if name in self._city.record.people:
            for violation in self.checker.see(name, seen):
                self._found(violation)

    def _found(self, violation: Violation) -> None:
        self.violations.append(violation)
        self._audience.violation(violation, self._city.record)


class City:
    """The people of a run."""

    def __init__(self, plan: CityPlan) -> None:
        self.plan = plan
        self.record = Record()
        self.rides = 0
        """Rides that were taken or called off."""
        self.drivers: list[CityDriver] = []
        self.passengers: list[CityPassenger] = []
        self.left_out: list[CityPerson] = []
        """Those who never got a session."""
        self._streets = streets_of(plan.map) if plan.map else Streets.generated(TAMAN_MINI, seed=plan.seed)
        self._tickets = iter(range(plan.rides))
        self._begun = 0.0

    @property
    def people(self) -> list[CityPerson]:
        """Everybody."""
        return [*self.drivers, *self.passengers, *self.left_out]

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
        network = await stack.enter_async_context(Network(*plan.urls))
        msisdn = (DRIVER_NUMBER if drives else PASSENGER_NUMBER).format(number)
        full_name = f"{'Dewi' if drives else 'Putri'} of the City {number + 1}"

        async def log_in_and_say_the_name() -> tuple[Tokens, str]:
            rest = Rest(network.url, http=http)
            tokens = await log_in(rest, msisdn, driver=drives)
            rest.access = tokens.access
            return tokens, (await rest.set_name(full_name))["id"]

        tokens, user_id = await through_faults(log_in_and_say_the_name)
        self.record.people[name] = Somebody(name, user_id, full_name, msisdn, drives)
        rng = random.Random(f"{plan.seed}/{name}")  # noqa: S311
        shares = plan.mix.driver if drives else plan.mix.passenger
        equipment = Equipment(
            streets=self._streets,
            network=network,
            moods=Moods(name, shares, plan.seed),
            habits=Habits(
                center=TAMAN_MINI,
                speed=plan.speed,
                report_interval=REPORT_SECONDS,
                idle_interval=IDLE_SECONDS,
                hurries=plan.hurries,
            ),
            log=self.record.note,
        )
        kind = CityDriver if drives else CityPassenger
        person = kind(name, tokens, rng, equipment)
        try:
            await person.begin()
        except NebengJekError as exc:  # the checker finds that there is no session
            person.mishaps.append(f"{name}: {exc}")
            self.left_out.append(person)
            return
        stack.push_async_callback(person.hang_up)
        if isinstance(person, CityDriver):
            self.drivers.append(person)
        else:
            self.passengers.append(person)

    async def live(self) -> None:
        """Return when all rides have been taken."""
        self._begun = time.monotonic()
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

    async def _ride_on(self, passenger: CityPassenger) -> None:
        await _settle(passenger)
        for number in self._tickets:
            await asyncio.sleep(self._begun + number / self.plan.rides * self.plan.over - time.monotonic())
            await passenger.take_ride()
            self.rides += 1

    def progress(self) -> Progress:
        """Return the figures of the moment."""
        people = self.people
        return Progress(
            people=sum(person.phone.connected for person in people),
            rides=self.rides,
            frames=sum(len(frames) for frames in self.record.frames.values()),
            cuts=sum(person.network.cuts for person in people),
            mishaps=sum(len(person.mishaps) for person in people),
        )

    def driven(self) -> dict[str, Driven]:
        """Return how each ride was until now."""
        return {ride: msgspec.structs.replace(so) for driver in self.drivers for ride, so in driver.driven.items()}


async def through_faults(call: Callable[[], Awaitable[R]]) -> R:
    """Call again while nobody answers, as an app does whose server is being restarted. Raises `NebengJekError`."""
    begun = time.monotonic()
    while True:
        try:
            return await call()
        except (Unreachable, ServerError, DatabaseError) as exc:
            is_passing = not isinstance(exc, ServerError) or (exc.status or 0) >= 500
            if not is_passing or time.monotonic() > begun + LOGIN_PATIENCE:
                raise
            await asyncio.sleep(TICK)


async def _settle(passenger: CityPassenger) -> None:
    try:
        await passenger.settle()
    except MISHAPS as exc:
        passenger.mishaps.append(f"{passenger.name} could not settle: {exc or type(exc).__name__}")


async def _go_home(driver: CityDriver) -> None:
    try:
        await driver.phone.sync()
        await driver.finish()
        await driver.phone.beacon_update(is_active=False)
    except MISHAPS as exc:
        driver.mishaps.append(f"{driver.name} could not go home: {exc or type(exc).__name__}")


async def run_city(plan: CityPlan, audience: Audience) -> CityResult:
    """Let the city live, and check everything meanwhile and in the end.

    Ends early, and cleanly, on SIGINT and after `plan.limit` seconds. Raises `NebengJekError` and `OSError` where the
    server cannot be used, `ValueError` for an address that is not http.
    """
    began, before = timezone.now(), await through_faults(_rows)
    city = City(plan)
    watch = Watch(city, Reader(began - timedelta(seconds=1), plan.log), audience)
    watching = asyncio.create_task(watch.look_on())
    try:
        async with city.inhabited():
            stopped = await _until_stopped(city.live(), plan.limit)
            with suppress(TimeoutError):
                async with asyncio.timeout(SETTLE_SECONDS):
                    await city.settle()
            await asyncio.sleep(LAST_WORDS if plan.log is None else LAST_WORDS_AFTER_FAULTS)
    finally:
        watching.cancel()
        await asyncio.gather(watching, return_exceptions=True)
    facts = await watch.conclude()
    rows = await through_faults(_rows)
    return CityResult(
        record=city.record,
        facts=facts,
        violations=watch.violations,
        mishaps=[text for person in city.people for text in person.mishaps],
        cuts=sum(person.network.cuts for person in city.people),
        seconds=(timezone.now() - began).total_seconds(),
        stopped=stopped,
        naps=sum(person.network.naps for person in city.people),
        resets=dict(watch.checker.resets),
        rows=rows - before,
        late=watch.late,
    )


async def _rows() -> Counter[str]:
    return await in_read_thread(count_rows)


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
