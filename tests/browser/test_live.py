"""The live map in a real browser."""

from __future__ import annotations

import re
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest
from playwright.sync_api import Page, expect

from devservers.patience import until_true
from devservers.web import ServerProcess
from tests.browser.conftest import OpenPage, Run
from tests.browser.looking import EVERYTHING, accessible
from tests.e2e.client import PLACE, Client, ride_to_pickup
from tests.e2e.conftest import StartServer, servers_on
from tests.e2e.test_live import DRIVER, PASSENGER, PASSWORD, STAFF, cookie_of_staff
from users.phone import masked

pytestmark = pytest.mark.e2e

NORTH = 0.0009
"""About 100 m."""


@pytest.fixture(scope="module")
def staffed_database(template_database: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database with a member of staff who is logged in to the admin: to make one costs 1.5 s of processor."""
    server = ServerProcess(tmp_path_factory.mktemp("staff"))
    shutil.copy(template_database, server.database)
    server.start()
    cookie_of_staff(server)
    server.stop()
    with closing(sqlite3.connect(server.database)) as database:
        database.execute("PRAGMA wal_checkpoint(TRUNCATE)")  # only this one file is copied
    return server.database


@pytest.fixture
def start_server(tmp_path: Path, staffed_database: Path) -> Iterator[StartServer]:
    """Start servers on one copy of that database."""
    yield from servers_on(tmp_path, staffed_database)


@pytest.fixture
def server(start_server: StartServer) -> ServerProcess:
    """A server on which tests may drive as fast as they like."""
    return start_server(RIDES_MAX_SPEED_KMH="0", LIVE_INTERVAL="200ms")


def cookie_of(server: ServerProcess) -> str:
    """Return the cookie of the member of staff, who is logged in."""
    with closing(sqlite3.connect(server.database)) as database:
        ((cookie,),) = database.execute("SELECT session_key FROM django_session").fetchall()
    return str(cookie)


def look(open_page: OpenPage, server: ServerProcess, **more: Any) -> Page:
    """Open the map as staff."""
    cookie = {"name": "sessionid", "value": cookie_of(server), "domain": "127.0.0.1", "path": "/", "expires": -1}
    state = {"cookies": [{**cookie, "httpOnly": True, "secure": False, "sameSite": "Lax"}], "origins": []}
    page = open_page(f"{server.url}/live/", storage_state=state, viewport={"width": 1400, "height": 900}, **more)
    expect(page.get_by_role("status")).to_have_text("Live")
    return page


async def drive(server: ServerProcess, driver_token: str, passenger_token: str) -> tuple[Client, Client]:
    """A ride under way, a hundred metres from its start."""
    driver = await Client.connect(server.url, driver_token)
    passenger = await Client.connect(server.url, passenger_token)
    ride_id = await ride_to_pickup(driver, passenger)
    await driver.do("location_update", **PLACE)
    assert (await driver.do("ride_start", ride_id=ride_id))["type"] == "ack"
    await driver.do("location_update", latitude=PLACE["latitude"] + NORTH, longitude=PLACE["longitude"])
    return driver, passenger


def ride_of(server: ServerProcess, run: Run) -> tuple[Client, Client]:
    """Let two people be on a ride."""
    people: tuple[Client, Client] = run(drive(server, server.log_in(DRIVER, driver=True), server.log_in(PASSENGER)))
    return people


def test_staff_logs_in_to_the_map(server: ServerProcess, open_page: OpenPage) -> None:
    """Staff is asked to log in and then sees the map."""
    page = open_page(f"{server.url}/live/")
    page.get_by_label("Phone number").fill(STAFF)
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Log in").click()
    expect(page.get_by_role("status")).to_have_text("Live")
    assert urlsplit(page.url).path == "/live/"


def test_a_ride_is_shown(server: ServerProcess, open_page: OpenPage, run: Run) -> None:
    """A ride is shown on the map and in the table, and moves."""
    page = look(open_page, server)
    people = ride_of(server, run)
    expect(page.locator('[data-count="riding"]')).to_have_text("1")
    page.get_by_role("button", name="Rides", exact=True).click()
    row = page.get_by_role("row").filter(has_text=masked(DRIVER))
    expect(row).to_contain_text("On a ride")
    expect(row).to_contain_text(re.compile(r"0\.1 km"))
    row.get_by_role("button").click()
    expect(page.get_by_role("heading", name=f"{masked(DRIVER)} drives {masked(PASSENGER)}")).to_be_focused()
    for mark in ("Pick-up", "Destination"):
        expect(page.get_by_role("img", name=mark)).to_be_visible()
    address = page.get_by_role("link", name="The ride in the admin").get_attribute("href")
    page.get_by_role("button", name="Close").click()
    expect(row.get_by_role("button")).to_be_focused()
    assert page.request.get(f"{server.url}{address}").status == 200
    for person in people:
        run(person.hang_up())
    expect(page.locator('[data-figure="connections"]')).to_have_text("0")


def test_a_driver_is_found(server: ServerProcess, open_page: OpenPage, run: Run) -> None:
    """A driver is chosen on the map, filtered and found."""
    driver = run(Client.connect(server.url, server.log_in(DRIVER, driver=True)))
    run(driver.do("beacon_update", is_active=True, **PLACE))
    page = look(open_page, server)
    row = page.get_by_role("row").filter(has_text=masked(DRIVER))
    expect(row).to_contain_text("Free")
    page.get_by_role("region", name="Map of the town").click()  # in the middle, where the only driver is
    expect(page.get_by_role("heading", name=masked(DRIVER))).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.get_by_role("heading", name=masked(DRIVER))).to_be_hidden()
    page.get_by_label("Free").uncheck()
    expect(row).to_be_hidden()
    page.get_by_label("Free").check()
    page.get_by_label("Find").fill("b 9999")
    expect(row).to_be_hidden()
    page.get_by_label("Find").fill("b 1234")
    expect(row).to_be_visible()
    page.get_by_label("Find").fill(DRIVER[-4:])
    expect(row).to_be_visible()
    run(driver.hang_up())
    expect(row).to_contain_text("Away")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_map_is_accessible(
    server: ServerProcess, open_page: OpenPage, run: Run, scheme: str, tmp_path: Path
) -> None:
    """The map has no violations of WCAG in light, dark, wide and narrow."""
    people = ride_of(server, run)
    page = look(open_page, server)
    page.emulate_media(color_scheme="dark" if scheme == "dark" else "light", reduced_motion="reduce")
    page.get_by_role("button", name="Rides", exact=True).click()
    page.get_by_role("row").filter(has_text=masked(DRIVER)).get_by_role("button").click()
    page.screenshot(path=tmp_path / "wide.png")
    accessible(page, rules=EVERYTHING)
    page.set_viewport_size({"width": 360, "height": 740})
    expect(page.get_by_role("table")).to_be_hidden()
    accessible(page, rules=EVERYTHING)
    page.get_by_role("button", name="Table").click()
    expect(page.get_by_role("table")).to_be_visible()
    expect(page.get_by_role("region", name="Map of the town")).to_be_hidden()
    page.screenshot(path=tmp_path / "narrow.png", full_page=True)
    accessible(page, rules=EVERYTHING)
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
    for person in people:
        run(person.hang_up())


def test_the_map_moves_by_keyboard(server: ServerProcess, open_page: OpenPage) -> None:
    """The map is moved by keyboard and names its source."""
    page = look(open_page, server)
    place = page.locator(".map-place", has_text="Monas")
    before = place.bounding_box()
    page.get_by_role("region", name="Map of the town").focus()
    page.keyboard.press("ArrowRight")
    expect(page.get_by_role("link", name="Natural Earth")).to_be_visible()
    expect(page.locator("path.map-city")).to_be_attached()
    until_true(lambda: place.bounding_box() != before)


def test_tiles_come_from_the_setting(start_server: StartServer, open_page: OpenPage) -> None:
    """Tiles come from the address that the operator sets."""
    server = start_server(MAP_TILES_URL="http://127.0.0.1:9/{z}/{x}/{y}.png", MAP_TILES_ATTRIBUTION="Tiles: us")
    page = look(open_page, server, patient=True)
    source = page.locator("img.leaflet-tile").first.get_attribute("src")
    assert source is not None
    assert re.fullmatch(r"http://127\.0\.0\.1:9/\d+/\d+/\d+\.png", source)
    expect(page.get_by_text("Tiles: us")).to_be_visible()


def test_a_lost_connection_is_restored(start_server: StartServer, open_page: OpenPage) -> None:
    """A lost connection is reported and made again."""
    server = start_server()
    page = look(open_page, server, patient=True)
    port = str(urlsplit(server.url).port)
    server.stop()
    expect(page.get_by_role("status")).to_have_text(re.compile("Connection lost; next try in"))
    again = start_server("manage.py", "serve", "--port", port)
    expect(page.get_by_role("status")).to_have_text("Live")
    assert httpx.get(f"{again.url}/health/live").status_code == 200


def test_former_staff_is_told(server: ServerProcess, open_page: OpenPage) -> None:
    """Whoever is staff no longer is told so."""
    page = look(open_page, server)
    demote = "from users.models import User; User.objects.update(is_staff=False)"
    server.manage("shell", "-c", demote)
    expect(page.get_by_role("status")).to_have_text("You are no longer logged in as staff. Log in")
    expect(page.get_by_role("link", name="Log in")).to_have_attribute("href", "/admin/login/?next=/live/")
