"""The page around the phones: logins, the log, the keyboard, and whom it keeps out."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from devservers.web import ServerProcess
from tests.browser.conftest import OpenPage
from tests.browser.looking import EVERYTHING, accessible
from tests.browser.phones import (
    GAMBIR,
    NEAR_GAMBIR,
    RIDE,
    SHORT_RIDE,
    begin_with,
    expect_to_be_paid,
    headline,
    log_in,
    phone,
    remembered,
    watch,
)
from tests.e2e.conftest import StartServer

pytestmark = pytest.mark.e2e


def test_new_people_get_codes(demo: ServerProcess, open_page: OpenPage) -> None:
    """A new person has a new number, so the hourly limit of codes locks nobody out."""
    page = open_page(demo.url)
    seen = set()
    for _ in range(5):
        log_in(page, "passenger")
        seen.add(remembered(page, "passenger")["number"])
        phone(page, "passenger").get_by_role("button", name="New person").click()
        expect(phone(page, "passenger").get_by_label("Phone number")).to_be_visible()
    assert len(seen) == 5


def test_the_log_is_controlled(demo: ServerProcess, open_page: OpenPage) -> None:
    """The log of frames is filtered, paused and cleared."""
    page = open_page(demo.url)
    log_in(page, "driver")
    frames = page.locator(".frame-list li")
    expect(frames.filter(has_text="session_ready")).to_have_count(1)
    page.get_by_role("button", name="Pause").click()
    log_in(page, "passenger")
    expect(frames).to_have_count(1)
    page.get_by_role("button", name="Pause").click()
    expect(frames).to_have_count(2)
    log = page.get_by_role("region", name="Frames")
    log.get_by_label("Driver").uncheck()
    expect(page.locator(".frame-list li:visible")).to_have_count(1)
    phone(page, "passenger").get_by_role("button", name="Find a driver").click()
    log.get_by_label("Type").select_option("finder_update")
    expect(page.locator(".frame-list li:visible")).to_have_count(2)
    first = page.locator(".frame-list li:visible").first
    first.locator("summary").click()
    expect(first.locator("pre")).to_contain_text('"is_active": true')
    page.get_by_role("button", name="Pause").click()  # what still comes waits
    page.get_by_role("button", name="Clear").click()
    expect(frames).to_have_count(0)


def test_the_keyboard_alone_is_enough(demo: ServerProcess, open_page: OpenPage) -> None:
    """A driver logs in, registers and goes online with the keyboard."""
    page = open_page(demo.url)
    phone(page, "driver").get_by_label("Phone number").focus()
    page.keyboard.press("Enter")
    expect(phone(page, "driver").get_by_role("button", name="Log in")).to_be_visible()
    expect(page.locator(":focus")).to_have_attribute("name", "code")
    page.keyboard.press("Enter")
    expect(page.locator(":focus")).to_have_attribute("name", "vehicle_plate")
    page.keyboard.press("Enter")
    online = phone(page, "driver").get_by_role("button", name="Go online")
    expect(online).to_be_focused()
    expect(online).not_to_have_attribute("aria-disabled", "true")
    page.keyboard.press("Enter")
    expect(headline(page, "driver")).to_have_text("You are online and wait for passengers.")


@pytest.mark.parametrize(("scheme", "width"), [("light", 1440), ("dark", 900), ("light", 360)])
def test_the_demo_is_accessible(demo: ServerProcess, open_page: OpenPage, scheme: str, width: int) -> None:
    """The page has no violations of WCAG in light, dark, wide and narrow."""
    size = {"width": width, "height": 900}
    page = open_page(demo.url, hasty=True, color_scheme=scheme, viewport=size, reduced_motion="reduce")
    begin_with(page, SHORT_RIDE)
    page.get_by_text("What you see").click()
    for moment in ("logged out", "You are on your way.", "paid"):
        if moment == "You are on your way.":
            watch(page)
            expect(headline(page, "passenger")).to_have_text(moment, timeout=RIDE)
        elif moment == "paid":
            expect_to_be_paid(page)
        accessible(page, rules=EVERYTHING)
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), moment


def test_drivers_of_the_town_come(start_server: StartServer, open_page: OpenPage) -> None:
    """On `serve --demo` a passenger of the page gets a driver of the town."""
    server = start_server("manage.py", "serve", "--demo", "--port", "0")
    page = open_page(server.url)
    begin_with(page, {"passenger": {"pickup": GAMBIR, "target": NEAR_GAMBIR}})
    passenger = log_in(page, "passenger")
    passenger.get_by_role("switch", name="Bot").check()
    expect(headline(page, "passenger")).to_have_text("Your driver is on the way.", timeout=RIDE)
    expect(passenger.locator("[data-part=coming]")).to_contain_text("A driver of the town")
