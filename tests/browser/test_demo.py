"""The page with two phones, in a real browser and on a real server."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Locator, Page, expect

from tests.browser.conftest import OpenPage
from tests.e2e.conftest import StartServer
from tests.e2e.server import ServerProcess

pytestmark = pytest.mark.e2e

RIDE = 90_000
"""Milliseconds for a whole ride."""

GAMBIR = {"latitude": -6.1767, "longitude": 106.8306}
NEAR_GAMBIR = {"latitude": -6.1785, "longitude": 106.8306}
SHORT_RIDE = {
    "driver": {"place": GAMBIR, "speed": 120},
    "passenger": {"pickup": GAMBIR, "target": NEAR_GAMBIR},
}


@pytest.fixture
def server(start_server: StartServer) -> ServerProcess:
    """A server with the demo, and the limits of the real one."""
    return start_server(DEMO="true", OTP_MAX_PER_HOUR="3", WS_COMMAND_RATE="10", WS_COSTLY_RATE="30")


def phone(page: Page, role: str) -> Locator:
    """One of the two phones."""
    return page.locator(f'.phone[data-role="{role}"]')


def begin_with(page: Page, people: dict[str, Any]) -> None:
    """Let the phones remember something, as if it had been chosen before."""
    script = "([role, values]) => sessionStorage.setItem(`nebengjek.demo.${role}`, JSON.stringify(values))"
    for role, values in people.items():
        page.evaluate(script, [role, values])
    page.reload()


def log_in(page: Page, role: str) -> Locator:
    """Log a phone in by clicking."""
    person = phone(page, role)
    person.get_by_role("button", name="Send me a code").click()
    person.get_by_role("button", name="Log in").click()
    if role == "driver":
        person.get_by_role("button", name="Register").click()
    expect(person.locator(".network")).to_have_text("Connected")
    return person


def headline(page: Page, role: str) -> Locator:
    """What a phone says about its state."""
    return phone(page, role).locator(".headline")


def remembered(page: Page, role: str) -> dict[str, Any]:
    """What a phone remembers."""
    values: dict[str, Any] = json.loads(page.evaluate(f"sessionStorage.getItem('nebengjek.demo.{role}')"))
    return values


def logged(page: Page, role: str) -> list[tuple[int, str]]:
    """The numbers and types of the notifications of a phone in the log, in the order in which they came."""
    script = "items => items.map(({ dataset }) => [Number(dataset.seq), dataset.type]).reverse()"
    frames = page.locator(f'.frame-list li[data-phone="{role}"][data-direction="<-"]:not([data-seq=""])')
    return [(seq, kind) for seq, kind in frames.evaluate_all(script)]


def published(server: ServerProcess, user_id: str) -> list[tuple[int, str]]:
    """What the server has had to tell a user, with the numbers that this must have."""
    query = "SELECT type FROM events_outboxevent WHERE audience LIKE ? AND type != '' ORDER BY id"
    with closing(sqlite3.connect(server.folder / "e2e.sqlite3")) as database:
        types = database.execute(query, [f'%"{user_id}"%']).fetchall()
    return [(seq, kind) for seq, (kind,) in enumerate(types, 1)]


def assert_nothing_is_missed_or_doubled(page: Page, server: ServerProcess) -> None:
    """Compare what the log shows with what the server has had to say."""
    for role in ("driver", "passenger"):
        told = published(server, remembered(page, role)["userId"])
        assert "ride_completed" in dict(told).values()
        assert logged(page, role) == told


def watch(page: Page) -> None:
    """Let the bots take a ride."""
    page.get_by_role("button", name="Watch a ride").click()


def expect_to_be_paid(page: Page) -> None:
    """Wait for the end of the ride on both phones."""
    for role in ("driver", "passenger"):
        expect(headline(page, role)).to_have_text("The ride is paid. Thank you!", timeout=RIDE)


def test_two_people_take_a_ride_by_clicking(server: ServerProcess, open_page: OpenPage) -> None:
    page = open_page(server.url)
    driver, passenger = log_in(page, "driver"), log_in(page, "passenger")
    driver.get_by_role("combobox", name="You are at").select_option("Gambir")
    driver.get_by_role("button", name="Go online").click()
    expect(headline(page, "driver")).to_have_text("You are online and wait for passengers.")
    passenger.get_by_role("combobox", name="Destination").select_option("Istiqlal")
    passenger.get_by_role("button", name="Find a driver").click()

    expect(driver.locator(".proposals")).to_contain_text("The passenger beside you")
    expect(driver.locator(".countdown")).to_contain_text("s left")
    driver.get_by_role("button", name="Accept").click()
    expect(passenger.locator(".proposals")).to_contain_text("The driver accepts.")
    passenger.get_by_role("button", name="Accept").click()
    expect(headline(page, "passenger")).to_have_text("Your driver is on his way.")
    expect(passenger.get_by_role("button", name="Cancel")).to_be_enabled()
    driver.get_by_role("button", name="Start the ride").click()

    expect(headline(page, "passenger")).to_have_text("You are on your way.")
    driver.get_by_role("slider").fill("180")
    driver.get_by_role("button", name="Drive", exact=True).click()
    expect(passenger.locator("[data-part=coming]")).to_contain_text("m to Istiqlal")
    expect(headline(page, "driver")).to_have_text("You are at the destination.", timeout=RIDE)
    driver.get_by_role("combobox", name="Fare").select_option("half")
    driver.get_by_role("button", name="We have arrived").click()

    expect(passenger.get_by_alt_text("QR code of the payment")).not_to_have_js_property("naturalWidth", 0)
    passenger.get_by_role("button", name="Refuse").click()
    expect(headline(page, "driver")).to_have_text("The passenger refused to pay.")
    passenger.get_by_role("button", name="Pay", exact=True).click()
    expect_to_be_paid(page)
    (ride,) = server.get("/api/rides/", remembered(page, "passenger")["access"]).json()["results"]
    assert 0.7 < ride["distance_km"] < 1.1
    assert ride["adjusted_cost"] == ride["total_cost"] // 2 > 0
    assert f"{ride['adjusted_cost']:,}".replace(",", ".") in passenger.locator(".bill:visible").inner_text()
    assert_nothing_is_missed_or_doubled(page, server)
    passenger.get_by_role("button", name="Again").click()
    expect(passenger.get_by_role("button", name="Find a driver")).to_be_enabled()


def test_a_ride_can_be_cancelled_and_a_proposal_declined(server: ServerProcess, open_page: OpenPage) -> None:
    page = open_page(server.url)
    begin_with(page, SHORT_RIDE)
    driver, passenger = log_in(page, "driver"), log_in(page, "passenger")
    driver.get_by_role("button", name="Go online").click()
    expect(driver.get_by_role("button", name="Go offline")).to_be_visible()
    passenger.get_by_role("button", name="Find a driver").click()
    driver.get_by_role("button", name="Decline").click()
    expect(driver.locator(".proposals li")).to_have_count(0)
    passenger.get_by_role("button", name="Stop looking").click()
    passenger.get_by_role("button", name="Find a driver").click()
    for person in (driver, passenger):
        person.get_by_role("button", name="Accept").click()
    passenger.get_by_role("button", name="Cancel").click()
    for role in ("driver", "passenger"):
        expect(headline(page, role)).to_have_text("The ride was cancelled.")


def test_one_button_shows_a_whole_ride(server: ServerProcess, open_page: OpenPage) -> None:
    page = open_page(server.url)
    watch(page)
    expect_to_be_paid(page)
    assert_nothing_is_missed_or_doubled(page, server)
    for role in ("driver", "passenger"):
        expect(phone(page, role).get_by_role("switch", name="Bot")).not_to_be_checked()


@pytest.mark.parametrize("role", ["passenger", "driver"])
def test_a_phone_without_a_network_misses_nothing(server: ServerProcess, open_page: OpenPage, role: str) -> None:
    page = open_page(server.url)
    begin_with(page, SHORT_RIDE)
    watch(page)
    other = "driver" if role == "passenger" else "passenger"
    cut = phone(page, role).get_by_role("switch", name="Cut the network")
    expect(phone(page, "passenger").locator(".proposals")).to_contain_text("The driver accepts.")
    cut.check()
    expect(phone(page, role).locator(".network")).to_contain_text("No network")
    phone(page, "passenger").get_by_role("switch", name="Bot").uncheck()
    phone(page, "passenger").get_by_role("button", name="Accept").click()
    if role == "passenger":  # what he says waits until the network is back
        expect(phone(page, role).locator(".network")).to_have_text("No network · 1 command waits")
    else:  # the other side goes on without him
        expect(headline(page, other)).to_have_text("Your driver is on his way.")
    phone(page, "passenger").get_by_role("switch", name="Bot").check()
    cut.uncheck()
    expect(headline(page, "passenger")).to_have_text("The ride is paid. Thank you!", timeout=RIDE)
    assert_nothing_is_missed_or_doubled(page, server)
    if role == "driver":
        resumed = page.locator('.frame-list li[data-phone="driver"][data-resumed]')
        expect(resumed.filter(has_text="ride_pickup")).to_contain_text("missed, resumed")


def test_a_reload_in_the_middle_goes_on_where_it_was(server: ServerProcess, open_page: OpenPage) -> None:
    page = open_page(server.url)
    begin_with(page, SHORT_RIDE)
    watch(page)
    expect(headline(page, "passenger")).to_have_text("You are on your way.", timeout=RIDE)
    page.reload()
    expect(headline(page, "passenger")).to_have_text("You are on your way.", timeout=RIDE)
    expect_to_be_paid(page)


def test_a_second_tab_takes_over_and_the_first_says_so(server: ServerProcess, open_page: OpenPage) -> None:
    page = open_page(server.url)
    log_in(page, "driver")
    log_in(page, "passenger")
    page.get_by_text("What you see").click()
    with page.expect_popup() as popup:
        page.get_by_role("link", name="in a second tab").click()
    second = popup.value
    for role in ("driver", "passenger"):
        expect(phone(second, role).locator(".network")).to_have_text("Connected")
        expect(phone(page, role)).to_contain_text("In use elsewhere (4409)")
    phone(page, "driver").get_by_role("button", name="Use it here again").click()
    expect(phone(page, "driver").locator(".network")).to_have_text("Connected")
    expect(phone(second, "driver")).to_contain_text("In use elsewhere (4409)")
    expect(phone(second, "passenger").locator(".network")).to_have_text("Connected")


def test_nobody_is_locked_out_by_the_limit_of_codes(server: ServerProcess, open_page: OpenPage) -> None:
    page = open_page(server.url)
    seen = set()
    for _ in range(5):
        log_in(page, "passenger")
        seen.add(remembered(page, "passenger")["number"])
        phone(page, "passenger").get_by_role("button", name="New person").click()
        expect(phone(page, "passenger").get_by_label("Phone number")).to_be_visible()
    assert len(seen) == 5


def test_the_log_is_filtered_paused_and_cleared(server: ServerProcess, open_page: OpenPage) -> None:
    page = open_page(server.url)
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
    page.get_by_role("button", name="Clear").click()
    expect(frames).to_have_count(0)


def test_the_keyboard_alone_is_enough(server: ServerProcess, open_page: OpenPage) -> None:
    page = open_page(server.url)
    phone(page, "driver").get_by_label("Phone number").focus()
    page.keyboard.press("Enter")
    expect(phone(page, "driver").get_by_role("button", name="Log in")).to_be_visible()
    expect(page.locator(":focus")).to_have_attribute("name", "code")
    page.keyboard.press("Enter")
    expect(page.locator(":focus")).to_have_attribute("name", "vehicle_plate")
    page.keyboard.press("Enter")
    online = phone(page, "driver").get_by_role("button", name="Go online")
    expect(online).to_be_focused()
    page.keyboard.press("Enter")
    expect(headline(page, "driver")).to_have_text("You are online and wait for passengers.")


@pytest.mark.parametrize(("scheme", "width"), [("light", 1440), ("dark", 900), ("light", 360)])
def test_nobody_is_kept_out(server: ServerProcess, open_page: OpenPage, scheme: str, width: int) -> None:
    page = open_page(server.url, color_scheme=scheme, viewport={"width": width, "height": 900}, reduced_motion="reduce")
    begin_with(page, SHORT_RIDE)
    page.get_by_text("What you see").click()
    for moment in ("logged out", "You are on your way.", "paid"):
        if moment == "You are on your way.":
            watch(page)
            expect(headline(page, "passenger")).to_have_text(moment, timeout=RIDE)
        elif moment == "paid":
            expect_to_be_paid(page)
        violations = Axe().run(page).response["violations"]
        assert [(one["id"], [node["target"] for node in one["nodes"]]) for one in violations] == [], moment
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), moment


def test_drivers_of_the_town_come_too(start_server: StartServer, open_page: OpenPage) -> None:
    server = start_server("manage.py", "serve", "--demo", "--port", "0")
    page = open_page(server.url)
    begin_with(page, {"passenger": {"pickup": GAMBIR, "target": NEAR_GAMBIR}})
    passenger = log_in(page, "passenger")
    passenger.get_by_role("switch", name="Bot").check()
    expect(headline(page, "passenger")).to_have_text("Your driver is on his way.", timeout=RIDE)
    expect(passenger.locator("[data-part=coming]")).to_contain_text("A driver of the town")
