"""The live map at size: what a picture costs the server and the browser while 1,000 drivers move.

    python -m bench.live [--drivers 1000] [--seconds 20] [--browser /usr/bin/chromium]

A server in this process has drivers who all move once a second, a third of them on rides with a track, and as many open
requests as a tenth of them. A browser (of Playwright, or the one named) looks. Printed are the times of the server's
pictures, the size of what is sent, the times between the browser's frames, and how busy its main thread is.
"""

from __future__ import annotations

import argparse
import asyncio
import logging
import math
import random
import statistics
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import uuid4

from django.conf import settings
from django.contrib.auth.hashers import make_password
from django.test import Client
from playwright.async_api import Page, async_playwright

from bench.database import use_database
from bench.report import centile, say
from realtime.server.uvicorn_server import make_server
from rides.geo import GeoPoint
from rides.models import Beacon, Finder, Match, Ride, TrackPoint
from rides.positions import positions
from rides.positions.base import reported_at
from users.models import Driver, Role, User
from users.presence import Presence, presence
from web.live.picture import Painter, Picture

NOW = datetime.now(UTC)
CENTRE = GeoPoint(-6.1754, 106.8272)
REACH = 0.08
TRACK = 300
WARM_UP = 3.0
RNG = random.Random(1)  # noqa: S311

FRAMES = """(seconds) => new Promise((done) => {
  const gaps = [];
  let [last, end] = [performance.now(), performance.now() + seconds * 1000];
  requestAnimationFrame(function next(now) {
    gaps.push(now - last);
    last = now;
    now < end ? requestAnimationFrame(next) : done(gaps.slice(1));
  });
})"""


def somewhere() -> dict[str, float]:
    """Return a place in the town."""
    place = {"latitude": CENTRE.latitude, "longitude": CENTRE.longitude}
    return {name: value + RNG.uniform(-REACH, REACH) for name, value in place.items()}


def journey() -> dict[str, float]:
    """Return the places of a request."""
    return {**somewhere(), **{f"target_{name}": value for name, value in somewhere().items()}}


def people(prefix: str, name: str, count: int, role: Role) -> list[User]:
    """Make users of one role."""
    password = make_password(None)
    users = [
        User(msisdn=f"{prefix}{n:08d}", full_name=f"{name} {n}", role=role, password=password) for n in range(count)
    ]
    return User.objects.bulk_create(users, batch_size=500)


def fill(count: int) -> list[User]:
    """Make the town, and return its drivers."""
    drivers = people("+62812", "Driver", count, Role.DRIVER)
    passengers = people("+62813", "Passenger", count // 2, Role.PASSENGER)
    Driver.objects.bulk_create(
        [Driver(user=user, vehicle_type="motorcycle", vehicle_plate="B 1 X") for user in drivers]
    )
    Beacon.objects.bulk_create([Beacon(driver=user, is_active=True, changed_at=NOW) for user in drivers])
    riding, waiting = count // 3, count // 10
    finders = Finder.objects.bulk_create(
        Finder(passenger=passenger, status="MATCHED" if n < riding else "OPEN", attempts=1, attempt_ends_at=NOW,
               due_at=NOW + timedelta(days=1), created_at=NOW, **journey())
        for n, passenger in enumerate(passengers[: riding + waiting])
    )  # fmt: skip
    pairs = list(zip(finders[:riding], drivers, strict=False))
    matches = Match.objects.bulk_create(
        Match(finder=finder, driver=driver, passenger=finder.passenger, status="ACCEPTED", driver_latitude=-6.17,
              driver_longitude=106.82, distance_km=1, expires_at=NOW, created_at=NOW, **journey())
        for finder, driver in pairs
    )  # fmt: skip
    rides = Ride.objects.bulk_create(
        Ride(match=match, driver=match.driver, passenger=match.passenger, status="ONGOING", rate_per_km=3000,
             unit_km=Decimal(1), created_at=NOW, started_at=NOW)
        for match in matches
    )  # fmt: skip
    TrackPoint.objects.bulk_create([point for ride in rides for point in track(ride)], batch_size=1000)
    return drivers


def track(ride: Ride) -> Iterable[TrackPoint]:
    """Return the points of a wandering ride."""
    at, angle = somewhere(), RNG.uniform(0, math.tau)
    for _ in range(TRACK):
        angle += RNG.uniform(-0.3, 0.3)
        at["latitude"] += 0.0002 * math.sin(angle)
        at["longitude"] += 0.0002 * math.cos(angle)
        yield TrackPoint(ride=ride, timestamp=NOW, accepted=True, **at)


async def move(drivers: list[User]) -> None:
    """Let all of them drive about, a step a second."""
    places = {driver.pk: (somewhere(), RNG.uniform(0, math.tau)) for driver in drivers}
    for number, user_id in enumerate(places, 1):
        presence().note([Presence(connection_id=uuid4(), user_id=user_id, role="driver", session=number)])
    while True:
        for user_id, (at, angle) in places.items():
            turned = angle + RNG.uniform(-0.3, 0.3)
            at["latitude"] += 0.0001 * math.sin(turned)
            at["longitude"] += 0.0001 * math.cos(turned)
            places[user_id] = (at, turned)
            positions().report(user_id, reported_at(GeoPoint(**at), time.time()), time.time(), driver=True)
        await asyncio.sleep(1)


@asynccontextmanager
async def serving(drivers: list[User]) -> AsyncIterator[str]:
    """Serve, and let the drivers move."""
    started: asyncio.Future[str] = asyncio.get_running_loop().create_future()
    server = make_server("127.0.0.1", 0, started.set_result)
    tasks = [asyncio.create_task(server.serve()), asyncio.create_task(move(drivers))]
    try:
        yield await started
    finally:
        server.should_exit = True
        tasks[1].cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def watch_painter() -> list[float]:
    """Return a list that grows by the milliseconds of each picture."""
    times: list[float] = []
    paint = Painter.paint

    def timed(painter: Painter) -> Picture:
        begun = time.perf_counter()
        picture = paint(painter)
        times.append((time.perf_counter() - begun) * 1000)
        return picture

    Painter.paint = timed  # type: ignore[method-assign,assignment]
    return times


async def busy(page: Page, seconds: int) -> tuple[list[float], float, float]:
    """Return the times between frames (ms), and which shares of the time the page works and its scripts run."""
    session = await page.context.new_cdp_session(page)
    await session.send("Performance.enable")

    async def read() -> dict[str, float]:
        metrics: Any = (await session.send("Performance.getMetrics"))["metrics"]
        return {metric["name"]: metric["value"] for metric in metrics}

    before = await read()
    gaps = await page.evaluate(FRAMES, seconds)
    after = await read()
    span = after["Timestamp"] - before["Timestamp"]
    shares = [(after[name] - before[name]) / span for name in ("TaskDuration", "ScriptDuration")]
    return gaps, shares[0], shares[1]


async def look(url: str, cookie: str, times: list[float], options: argparse.Namespace) -> None:
    """Look at the page for a while, and print what it takes."""
    sizes: list[int] = []
    async with async_playwright() as playwright:
        arguments = ["--no-sandbox", "--disable-background-networking"]
        browser = await playwright.chromium.launch(executable_path=options.browser, args=arguments)
        context = await browser.new_context(viewport={"width": 1400, "height": 900})
        await context.add_cookies([{"name": settings.SESSION_COOKIE_NAME, "value": cookie, "url": url}])
        page = await context.new_page()
        page.on("websocket", lambda socket: socket.on("framereceived", lambda text: sizes.append(len(text))))
        await page.goto(f"{url}/live/")
        await page.wait_for_selector('#connection[data-state="live"]')
        await asyncio.sleep(WARM_UP)
        first, times[:] = times[0], []
        gaps, works, scripts = await busy(page, options.seconds)
        if options.screenshot:
            await page.screenshot(path=options.screenshot)
        await browser.close()
    say(f"picture on the server: first {first:.0f} ms, then {spread(times)} ms, {len(times)} of them")
    say(f"sent: snapshot {sizes[0] / 1000:.0f} kB, then {statistics.median(sizes[1:]) / 1000:.0f} kB a frame")
    say(f"between frames in the browser: {spread(gaps)} ms, {len(gaps) / options.seconds:.0f} frames a second")
    say(f"main thread busy {works:.0%}, in scripts {scripts:.0%}")


def spread(values: list[float]) -> str:
    """Return median, 95th percentile and greatest."""
    return f"p50 {centile(values, 50):.1f}, p95 {centile(values, 95):.1f}, max {max(values):.1f}"


async def measure(drivers: list[User], cookie: str, options: argparse.Namespace) -> None:
    """Serve the town, and look at it."""
    times = watch_painter()
    async with serving(drivers) as url:
        await look(url, cookie, times, options)


def main(arguments: Sequence[str]) -> None:
    """Make the town, and look at it."""
    parser = argparse.ArgumentParser(prog="python -m bench.live", description="The live map at size.")
    parser.add_argument("--drivers", type=int, default=1000, help="how many (default: %(default)s)")
    parser.add_argument("--seconds", type=int, default=20, help="how long to look (default: %(default)s)")
    parser.add_argument("--browser", help="the program to look with (default: Playwright's own Chromium)")
    parser.add_argument("--screenshot", help="where to keep a picture of the page")
    options = parser.parse_args(arguments)
    logging.getLogger().setLevel(logging.WARNING)
    with tempfile.TemporaryDirectory(prefix="bench-live-") as folder:
        use_database(Path(folder) / "bench.sqlite3")
        drivers = fill(options.drivers)
        client = Client()
        client.force_login(User.objects.create_superuser("+6281100000001", "x"))
        cookie = client.cookies[settings.SESSION_COOKIE_NAME].value
        say(f"{options.drivers} drivers, {Ride.objects.count()} rides, {TrackPoint.objects.count()} points of tracks")
        asyncio.run(measure(drivers, cookie, options))


if __name__ == "__main__":
    main(sys.argv[1:])
