"""The live map in a real browser."""

from __future__ import annotations

import asyncio
import os
import re
from collections.abc import AsyncIterator
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest
import pytest_asyncio
from axe_playwright_python.async_playwright import Axe
from playwright.async_api import Browser, ConsoleMessage, Page, async_playwright, expect

from devservers.patience import TIMEOUT as PATIENCE
from devservers.web import ServerProcess
from tests.browser.chromium import MISSING, find_browser, launch_options
from tests.e2e.client import PLACE, Client, ride_to_pickup
from tests.e2e.conftest import StartServer, start_server
from tests.e2e.test_live import DRIVER, PASSENGER, PASSWORD, STAFF, cookie_of_staff
from users.phone import masked

__all__ = ["start_server"]

pytestmark = [pytest.mark.e2e, pytest.mark.asyncio(loop_scope="module")]

TIMEOUT = 1000 * PATIENCE
NORTH = 0.0009
"""About 100 m."""

expect.set_options(timeout=TIMEOUT)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def running_browser() -> AsyncIterator[Browser]:
    """A browser that calls nobody by itself."""
    async with async_playwright() as playwright:
        program = find_browser(playwright.chromium.executable_path)
        if program is None:
            (pytest.fail if os.environ.get("CI") else pytest.skip)(MISSING)
        running = await playwright.chromium.launch(**launch_options(program))
        yield running
        await running.close()


@pytest_asyncio.fixture(loop_scope="module")
async def browser(running_browser: Browser) -> AsyncIterator[Browser]:
    """The same browser for all tests; at the end of each its pages are closed."""
    yield running_browser
    for context in running_browser.contexts:
        await context.close()


@pytest.fixture
def server(start_server: StartServer) -> ServerProcess:
    """A server on which tests may drive as fast as they like."""
    return start_server(RIDES_MAX_SPEED_KMH="0", LIVE_INTERVAL="200ms")


async def look(browser: Browser, server: ServerProcess, complaints: list[str]) -> Page:
    """Open the map as staff; what the page complains of is kept."""
    cookie = await asyncio.to_thread(cookie_of_staff, server)
    context = await browser.new_context(viewport={"width": 1400, "height": 900})
    context.set_default_timeout(TIMEOUT)
    await context.add_cookies([{"name": "sessionid", "value": cookie, "url": server.url}])
    page = await context.new_page()

    def note(message: ConsoleMessage) -> None:
        if message.type in ("error", "warning"):
            complaints.append(message.text)

    page.on("console", note)
    page.on("pageerror", lambda error: complaints.append(str(error)))
    await page.goto(f"{server.url}/live/")
    await expect(page.get_by_role("status")).to_have_text("Live")
    return page


async def barriers(page: Page) -> list[str]:
    """What would keep people out of the page as it is now."""
    return [f"{found['id']}: {found['nodes'][0]['html']}" for found in (await Axe().run(page)).response["violations"]]


async def drive(server: ServerProcess) -> tuple[Client, Client]:
    """A ride under way, a hundred metres from its start."""
    driver = await Client.connect(server.url, server.log_in(DRIVER, driver=True))
    passenger = await Client.connect(server.url, server.log_in(PASSENGER))
    ride_id = await ride_to_pickup(driver, passenger)
    await driver.do("location_update", **PLACE)
    assert (await driver.do("ride_start", ride_id=ride_id))["type"] == "ack"
    await driver.do("location_update", latitude=PLACE["latitude"] + NORTH, longitude=PLACE["longitude"])
    return driver, passenger


async def test_staff_logs_in_to_the_map(browser: Browser, server: ServerProcess) -> None:
    """Staff is asked to log in and then sees the map."""
    await asyncio.to_thread(cookie_of_staff, server)
    page = await browser.new_page()
    await page.goto(f"{server.url}/live/")
    await page.get_by_label("Phone number").fill(STAFF)
    await page.get_by_label("Password").fill(PASSWORD)
    await page.get_by_role("button", name="Log in").click()
    await expect(page.get_by_role("status")).to_have_text("Live")
    assert urlsplit(page.url).path == "/live/"


async def test_a_ride_is_shown(browser: Browser, server: ServerProcess) -> None:
    """A ride is shown on the map and in the table, and moves."""
    complaints: list[str] = []
    page = await look(browser, server, complaints)
    people = await drive(server)
    await expect(page.locator('[data-count="riding"]')).to_have_text("1")
    await page.get_by_role("button", name="Rides", exact=True).click()
    row = page.get_by_role("row").filter(has_text=masked(DRIVER))
    await expect(row).to_contain_text("On a ride")
    await expect(row).to_contain_text(re.compile(r"0\.1 km"))
    await row.get_by_role("button").click()
    await expect(page.get_by_role("heading", name=f"{masked(DRIVER)} drives {masked(PASSENGER)}")).to_be_focused()
    for mark in ("Pick-up", "Destination"):
        await expect(page.get_by_role("img", name=mark)).to_be_visible()
    address = await page.get_by_role("link", name="The ride in the admin").get_attribute("href")
    await page.get_by_role("button", name="Close").click()
    await expect(row.get_by_role("button")).to_be_focused()
    assert (await page.request.get(f"{server.url}{address}")).status == 200
    for person in people:
        await person.hang_up()
    await expect(page.locator('[data-figure="connections"]')).to_have_text("0")
    assert complaints == []


async def test_a_driver_is_found(browser: Browser, server: ServerProcess) -> None:
    """A driver is chosen on the map, filtered and found."""
    complaints: list[str] = []
    driver = await Client.connect(server.url, server.log_in(DRIVER, driver=True))
    await driver.do("beacon_update", is_active=True, **PLACE)
    page = await look(browser, server, complaints)
    row = page.get_by_role("row").filter(has_text=masked(DRIVER))
    await expect(row).to_contain_text("Free")
    await page.get_by_role("region", name="Map of the town").click()  # in the middle, where the only driver is
    await expect(page.get_by_role("heading", name=masked(DRIVER))).to_be_visible()
    await page.keyboard.press("Escape")
    await expect(page.get_by_role("heading", name=masked(DRIVER))).to_be_hidden()
    await page.get_by_label("Free").uncheck()
    await expect(row).to_be_hidden()
    await page.get_by_label("Free").check()
    await page.get_by_label("Find").fill("b 9999")
    await expect(row).to_be_hidden()
    await page.get_by_label("Find").fill("b 1234")
    await expect(row).to_be_visible()
    await page.get_by_label("Find").fill(DRIVER[-4:])
    await expect(row).to_be_visible()
    await driver.hang_up()
    await expect(row).to_contain_text("Away")
    assert complaints == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_the_map_is_accessible(browser: Browser, server: ServerProcess, scheme: str, tmp_path: Path) -> None:
    """The map has no violations of WCAG in light, dark, wide and narrow."""
    people = await drive(server)
    page = await look(browser, server, [])
    await page.emulate_media(color_scheme="dark" if scheme == "dark" else "light", reduced_motion="reduce")
    await page.get_by_role("button", name="Rides", exact=True).click()
    await page.get_by_role("row").filter(has_text=masked(DRIVER)).get_by_role("button").click()
    await page.screenshot(path=tmp_path / "wide.png")
    assert await barriers(page) == []
    await page.set_viewport_size({"width": 360, "height": 740})
    await expect(page.get_by_role("table")).to_be_hidden()
    assert await barriers(page) == []
    await page.get_by_role("button", name="Table").click()
    await expect(page.get_by_role("table")).to_be_visible()
    await expect(page.get_by_role("region", name="Map of the town")).to_be_hidden()
    await page.screenshot(path=tmp_path / "narrow.png", full_page=True)
    assert await barriers(page) == []
    assert await page.evaluate("document.documentElement.scrollWidth") <= 360
    for person in people:
        await person.hang_up()


async def test_the_map_moves_by_keyboard(browser: Browser, server: ServerProcess) -> None:
    """The map is moved by keyboard and names its source."""
    page = await look(browser, server, [])
    place = page.locator(".map-place", has_text="Monas")
    before = await place.bounding_box()
    await page.get_by_role("region", name="Map of the town").focus()
    await page.keyboard.press("ArrowRight")
    await expect(page.get_by_role("link", name="Natural Earth")).to_be_visible()
    await expect(page.locator("path.map-city")).to_be_attached()
    async with asyncio.timeout(TIMEOUT / 1000):
        while await place.bounding_box() == before:
            await asyncio.sleep(0.05)


async def test_tiles_come_from_the_setting(browser: Browser, start_server: StartServer) -> None:
    """Tiles come from the address that the operator sets."""
    server = start_server(MAP_TILES_URL="http://127.0.0.1:9/{z}/{x}/{y}.png", MAP_TILES_ATTRIBUTION="Tiles: us")
    page = await look(browser, server, [])
    source = await page.locator("img.leaflet-tile").first.get_attribute("src")
    assert source is not None
    assert re.fullmatch(r"http://127\.0\.0\.1:9/\d+/\d+/\d+\.png", source)
    await expect(page.get_by_text("Tiles: us")).to_be_visible()


async def test_a_lost_connection_is_restored(browser: Browser, start_server: StartServer) -> None:
    """A lost connection is reported and made again."""
    server = start_server()
    page = await look(browser, server, [])
    port = str(urlsplit(server.url).port)
    await asyncio.to_thread(server.stop)
    await expect(page.get_by_role("status")).to_have_text(re.compile("Connection lost; next try in"))
    again = await asyncio.to_thread(start_server, "manage.py", "serve", "--port", port)
    await expect(page.get_by_role("status")).to_have_text("Live")
    assert httpx.get(f"{again.url}/health/live").status_code == 200


async def test_former_staff_is_told(browser: Browser, server: ServerProcess) -> None:
    """Whoever is staff no longer is told so."""
    page = await look(browser, server, [])
    demote = "from users.models import User; User.objects.update(is_staff=False)"
    await asyncio.to_thread(server.manage, "shell", "-c", demote)
    await expect(page.get_by_role("status")).to_have_text("You are no longer logged in as staff. Log in")
    await expect(page.get_by_role("link", name="Log in")).to_have_attribute("href", "/admin/login/?next=/live/")
