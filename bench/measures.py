"""What is measured of a running contender. Processor times are of its own processes, per unit of work."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from itertools import count
from typing import Any
from uuid import UUID

import msgspec

from bench.contenders import MAKE_RIDES, SECRET, Running
from bench.load import Crowd, Person
from bench.process import cpu_seconds, memory_mb
from bench.report import centile
from devservers.client import Client
from realtime.server.admission import raise_descriptor_limit

Figures = Mapping[str, float]

SETTLE = 10.0
"""Seconds after which a notification that has not come is lost."""

BUSY, IDLE_AFTER = 20.0, 60.0
"""Percent of a core that a server without work stays below, and the seconds after which we go on all the same."""

FAR_APART = 0.5
"""Degrees between two pairs of a ride, so that no driver is offered the passenger of another pair."""

_numbers = count(1)


class Size(msgspec.Struct, frozen=True):
    """How much is done of each; `QUICK` ends within minutes, `TINY` is for tests."""

    users: int = 100
    seconds: float = 4.0
    burst: int = 5_000
    paces: tuple[int, ...] = (400, 2_000)
    idle: int = 1_000
    storm: int = 2_000
    pairs: int = 20
    ride_seconds: float = 8.0
    idle_seconds: float = 6.0
    crowds: tuple[int, ...] = (1_000, 5_000)
    """Connections among which a message costs what it costs among `users`."""

    shares: tuple[int, ...] = (10, 50, 80)
    """Percent of the rides that the machine can do, at which the latency is measured."""

    @property
    def crowd(self) -> int:
        """The number of the last person who connects, is notified and reports positions."""
        return max(self.users, self.idle, self.storm, *self.crowds)

    @property
    def riders(self) -> int:
        """The number of the last person who rides."""
        return self.crowd + 2 * self.pairs

    @property
    def people(self) -> int:
        """How many users there must be; the last ones have rides that others have made for them."""
        return self.riders + 2 * self.users


QUICK = Size(100, 2.0, 2_000, idle=400, storm=400, ride_seconds=5.0, idle_seconds=4.0, crowds=(400,))
TINY = Size(4, 0.2, 10, (40,), 6, 6, 2, 1.0, 0.5, crowds=(6,), shares=(50,))


class Spent:
    """The processor time that processes spend while something is measured."""

    def __init__(self, pids: Mapping[str, int]) -> None:
        self._pids = dict(pids)
        self._before = {name: cpu_seconds(pid) for name, pid in pids.items()}
        self._generator = time.process_time()
        self._begun = time.perf_counter()

    def each(self, units: float, scale: float) -> dict[str, float]:
        """Return what each unit cost, by process, times a scale."""
        return {
            name: (cpu_seconds(pid) - self._before[name]) / max(units, 1) * scale for name, pid in self._pids.items()
        }

    def generator(self) -> float:
        """Return the share of a core that the load generator took, in percent."""
        return (time.process_time() - self._generator) / (time.perf_counter() - self._begun) * 100


async def measure(
    running: Running, size: Size, step: Callable[[str], None], wanted: Callable[[str], bool] = lambda _: True
) -> Figures:
    """Measure what is wanted of all that a contender can do, one after the other."""
    raise_descriptor_limit()
    people = [Person(n) for n in range(1, size.users + 1)]
    crowd = Crowd(running.port, running.dialect, people, SECRET)
    figures: dict[str, float] = {}
    for name, part in _parts(running, size, crowd):
        step(name)
        if wanted(name):
            figures |= await part()
    await crowd.close()
    if running.restart is not None:
        for name, part in _own_parts(running, size):
            step(name)
            if wanted(name):
                figures |= await part()
    return figures


async def _connected(crowd: Crowd) -> None:
    if not crowd.sockets:
        await crowd.connect()


Part = tuple[str, Callable[[], Awaitable[Figures]]]


def _parts(running: Running, size: Size, crowd: Crowd) -> list[Part]:
    parts: list[Part] = [
        ("memory", lambda: _memory(running, size)),
        ("connects", lambda: _connects(running, crowd)),
        ("inbound", lambda: _inbound(running, crowd, size)),
    ]
    if running.publishing is not None:
        parts.append(("burst", lambda: _burst(running, crowd, size)))
        parts += [(f"pace {pace}", lambda pace=pace: _paced(running, crowd, size, pace)) for pace in size.paces]  # type: ignore[misc]
    return parts


def _own_parts(running: Running, size: Size) -> list[Part]:
    return [
        ("idle", lambda: _idle(running, size)),
        *((f"crowd {count}", lambda count=count: _among(running, size, count)) for count in size.crowds),
        ("rides", lambda: _rides_and_presses(running, size)),
        ("ridden", lambda: _ridden(running, size)),
        ("storm", lambda: _storm(running, size)),
    ]


async def _memory(running: Running, size: Size) -> Figures:
    """Connect many who do nothing, and divide what the process grew by."""
    crowd = Crowd(running.port, running.dialect, [Person(n) for n in range(1, size.idle + 1)], SECRET)
    warm = Crowd(running.port, running.dialect, crowd.people[:20], SECRET)
    await warm.connect()
    await warm.close()
    before = memory_mb(running.pids["web"])
    await crowd.connect()
    await asyncio.sleep(0.5)
    grown = memory_mb(running.pids["web"]) - before
    await crowd.close()
    await _until_idle(running)
    return {"kB per idle connection": grown * 1024 / size.idle}


async def _connects(running: Running, crowd: Crowd) -> Figures:
    spent = Spent(running.pids)
    seconds = await crowd.connect()
    cost = spent.each(len(crowd.people), 1e3)
    return {"connects per second": len(crowd.people) / seconds, "ms of CPU per connect": cost["web"]}


async def _ridden(running: Running, size: Size) -> Figures:
    """Let people connect who have a ride."""
    assert running.shell is not None
    first, users = size.riders + 1, size.users
    groups = {"past": ("COMPLETED", first, first + users - 1), "current": ("PICKUP", first + users, size.people)}
    code = "".join(MAKE_RIDES.format(status=status, first=one, last=last) for status, one, last in groups.values())
    await asyncio.to_thread(running.shell, code)
    found: dict[str, float] = {}
    for what, (_, one, last) in groups.items():
        crowd = Crowd(running.port, running.dialect, [Person(n) for n in range(one, last + 1)], SECRET)
        figures = await _connects(running, crowd)
        found |= {f"{name}, of people with a {what} ride": value for name, value in figures.items()}
        await crowd.close()
    return found


async def _among(running: Running, size: Size, count: int) -> Figures:
    """Measure what a frame and a notification cost among so many connections."""
    crowd = Crowd(running.port, running.dialect, [Person(n) for n in range(1, count + 1)], SECRET)
    await crowd.connect()
    found = dict(await _inbound(running, crowd, size))
    if running.publishing is not None:
        await _until_idle(running)
        found |= await _burst(running, crowd, size)
        await _until_idle(running)
        found |= await _paced(running, crowd, size, size.paces[-1])
    await crowd.close()
    await _until_idle(running)
    notified = "µs of web CPU per notification"
    kept = ("µs of CPU per frame in", f"{notified} (burst)", f"{notified} at {size.paces[-1]} a second")
    return {f"{name}, {count:,} connections": found[name] for name in kept if name in found}


async def _until_idle(running: Running) -> None:
    """Let the server finish what a large crowd has left behind, so that it is not counted with what comes next."""
    deadline, share = time.perf_counter() + IDLE_AFTER, 100.0
    while share > BUSY and time.perf_counter() < deadline:
        spent = Spent(running.pids)
        await asyncio.sleep(0.5)
        share = max(spent.each(0.5, 100).values())


async def _inbound(running: Running, crowd: Crowd, size: Size) -> Figures:
    await _connected(crowd)
    await crowd.stream(size.seconds / 4)
    handled, spent = crowd.handled, Spent(running.pids)
    rate = await crowd.stream(size.seconds)
    busy = spent.generator()
    cost = spent.each(max(crowd.handled, handled) * 1.25, 1e6)  # the warm-up counts for the cost too
    return {"frames in per second": rate, "µs of CPU per frame in": cost["web"], "generator, % of a core (in)": busy}


async def _burst(running: Running, crowd: Crowd, size: Size) -> Figures:
    assert running.publishing is not None
    await _connected(crowd)
    pairs = list(zip(crowd.people[::2], crowd.people[1::2], strict=True))
    async with running.publishing() as publish:
        crowd.heard, begun, spent = 0, time.perf_counter(), Spent(running.pids)
        for n in range(size.burst):
            await publish(*pairs[n % len(pairs)], number=next(_numbers))
        await crowd.until_heard(2 * size.burst, SETTLE)
        seconds = time.perf_counter() - begun
    costs = {f"µs of {name} CPU per notification (burst)": one for name, one in spent.each(crowd.heard, 1e6).items()}
    return {
        "notifications per second (burst)": crowd.heard / seconds,
        "lost, %": 100 * (1 - crowd.heard / (2 * size.burst)),
        **costs,
        "generator, % of a core (burst)": spent.generator(),
    }


async def _paced(running: Running, crowd: Crowd, size: Size, pace: int) -> Figures:
    """Publish evenly, so many notifications a second; the latency is from the publisher to the socket."""
    assert running.publishing is not None
    await _connected(crowd)
    pairs = list(zip(crowd.people[::2], crowd.people[1::2], strict=True))
    async with running.publishing() as publish:
        crowd.heard, crowd.latencies, spent = 0, [], Spent(running.pids)
        total, begun = int(pace * size.seconds / 2), time.perf_counter()
        for n in range(total):
            await publish(*pairs[n % len(pairs)], number=next(_numbers))
            await asyncio.sleep(max(0.0, begun + 2 * (n + 1) / pace - time.perf_counter()))
        await crowd.until_heard(2 * total, SETTLE)
    late = [1000 * latency for latency in crowd.latencies] or [float("nan")]
    costs = spent.each(crowd.heard, 1e6).items()
    return {
        f"ms at {pace} a second, p50": centile(late, 50),
        f"ms at {pace} a second, p99": centile(late, 99),
        **{f"µs of {name} CPU per notification at {pace} a second": cost for name, cost in costs},
    }


async def _idle(running: Running, size: Size) -> Figures:
    spent = Spent(running.pids)
    await asyncio.sleep(size.idle_seconds)
    return {"% of a core, idle": spent.each(size.idle_seconds, 100)["web"]}


async def _storm(running: Running, size: Size) -> Figures:
    """Kill the web process, start it again, and let everybody come back with `?resume=`."""
    assert running.restart is not None
    crowd = Crowd(running.port, running.dialect, [Person(n) for n in range(1, size.storm + 1)], SECRET)
    await crowd.connect()
    begun = time.perf_counter()
    running.pids["web"] = running.restart()
    await crowd.close()
    first = await _first_connect(running)
    await crowd.connect()
    seconds = time.perf_counter() - begun
    await crowd.close()
    return {f"s until {size.storm} are back": seconds, "s from start to the first session_ready": first - begun}


async def _first_connect(running: Running) -> float:
    while True:
        one = Crowd(running.port, running.dialect, [Person(1)], SECRET)
        try:
            await one.connect()
        except OSError:
            await asyncio.sleep(0.02)
        else:
            await one.close()
            return time.perf_counter()


async def _rides_and_presses(running: Running, size: Size) -> Figures:
    """Measure how many rides there can be, and then how long one waits at a share of these."""
    found = dict(await _rides(running, size))
    for share in size.shares:
        found |= await _presses(running, size, share, found["whole rides per second"] * share / 100)
    return found


async def _presses(running: Running, size: Size, share: int, rate: float) -> Figures:
    """Begin so many rides a second; the latency is from a command to the notification on the other phone's screen."""
    latencies: list[float] = []
    free: asyncio.Queue[tuple[Client, Client, Mapping[str, float]]] = asyncio.Queue()
    pairs = [await _pair(running.port, size.crowd, n) for n in range(size.pairs)]
    for pair in pairs:
        free.put_nowait(pair)

    async def ride() -> None:
        pair = await free.get()
        latencies.extend(await _ride(*pair))
        free.put_nowait(pair)

    begun = time.perf_counter()
    async with asyncio.TaskGroup() as rides:
        for n in range(max(2, round(rate * size.ride_seconds))):
            await asyncio.sleep(max(0.0, begun + n / rate - time.perf_counter()))
            rides.create_task(ride())
    for driver, passenger, _ in pairs:
        await driver.hang_up()
        await passenger.hang_up()
    late = [1000 * latency for latency in latencies]
    name = f"ms from press to the other screen at {share} % of these rides"
    return {f"{name}, {words}": centile(late, part) for words, part in (("p50", 50), ("p99", 99), ("p99.9", 99.9))}


async def _rides(running: Running, size: Size) -> Figures:
    """Let pairs of a driver and a passenger ride, pay and ride again."""
    until = time.perf_counter() + size.ride_seconds
    spent, begun = Spent(running.pids), time.perf_counter()
    pairs = [_ride_again(running.port, size.crowd, n, until) for n in range(size.pairs)]
    rides = [seconds for found in await asyncio.gather(*pairs) for seconds in found]
    seconds = time.perf_counter() - begun
    return {
        "whole rides per second": len(rides) / seconds,
        "ms of CPU per ride": spent.each(len(rides), 1e3)["web"],
        "s per ride, p50": centile(rides, 50),
    }


async def _ride_again(port: int, first: int, pair: int, until: float) -> list[float]:
    taken: list[float] = []
    driver, passenger, place = await _pair(port, first, pair)
    while not taken or time.perf_counter() < until:
        begun = time.perf_counter()
        await _ride(driver, passenger, place)
        taken.append(time.perf_counter() - begun)
    for client in (driver, passenger):
        await client.hang_up()
    return taken


async def _pair(port: int, first: int, number: int) -> tuple[Client, Client, Mapping[str, float]]:
    """Return a driver whose beacon is on and a passenger, far from all others, and their place."""
    url, place = f"http://127.0.0.1:{port}", {"latitude": -40 + FAR_APART * number, "longitude": 100.0}
    driver, passenger = [
        await Client.connect(url, Person(first + 2 * number + n).token(SECRET), compression=None) for n in (1, 2)
    ]
    await driver.do("location_update", **place)
    await driver.do("beacon_update", is_active=True, **place)
    return driver, passenger, place


async def _ride(driver: Any, passenger: Any, place: Mapping[str, float]) -> list[float]:
    """One ride: a search, two confirmations, start, arrival, payment; each is answered before the next.

    Return the seconds from each command to its notification on the other side.
    """
    seconds: list[float] = []

    async def press(one: Any, kind: str, other: Any, shown: str, **data: Any) -> Mapping[str, Any]:
        begun = time.perf_counter()
        answered, notified = asyncio.create_task(one.do(kind, **data)), asyncio.create_task(other.data_of(shown))
        found: Mapping[str, Any] = await notified
        seconds.append(time.perf_counter() - begun)
        _ok(await answered)
        return found

    await driver.do("location_update", **place)
    trip = {"is_active": True, "location": place, "target_location": place}
    offer = await press(passenger, "finder_update", driver, "match_proposal", **trip)
    answer = {"match_id": offer["match_id"], "accepted": True}
    await press(driver, "match_confirm", passenger, "match_confirm", **answer)
    booked = await press(passenger, "match_confirm", driver, "ride_pickup", **answer)
    ride_id = str(UUID(booked["ride_id"]))
    await press(driver, "ride_start", passenger, "ride_start", ride_id=ride_id)
    asked = await press(driver, "ride_arrived", passenger, "payment_process", ride_id=ride_id)
    pay = {"ride_id": ride_id, "total_cost": asked["total_cost"], "status": "ACCEPTED"}
    await press(passenger, "payment_process", driver, "ride_completed", **pay)
    await passenger.data_of("ride_completed")
    return seconds


def _ok(answer: Mapping[str, Any]) -> None:
    assert answer["type"] == "ack", answer
