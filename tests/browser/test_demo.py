"""Rides on the page with two phones, in a real browser and on a real server."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import expect

from devservers.web import ServerProcess
from tests.browser.conftest import OpenPage
from tests.browser.phones import (
    NEAR_GAMBIR,
    RIDE,
    SHORT_RIDE,
    assert_nothing_is_missed_or_doubled,
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

BOSS = "from users.models import User; User.objects.create_superuser('+6281200000099', 'a long password')"


def test_a_ride_by_clicking(demo: ServerProcess, open_page: OpenPage) -> None:
    """Driver and passenger take and pay a ride by clicking."""
    page = open_page(demo.url)
    driver, passenger = log_in(page, "driver"), log_in(page, "passenger")
    driver.get_by_role("combobox", name="You are at").select_option("Gambir")
    driver.get_by_role("button", name="Go online").click()
    expect(headline(page, "driver")).to_have_text("You are online and wait for passengers.")
    passenger.get_by_role("combobox", name="Destination").select_option("Istiqlal")
    expect(passenger.locator("[data-part=quote]")).to_have_text(re.compile(r"^Rp\s[34]\.\d{3} for 1\.\d\d km$"))
    passenger.get_by_role("button", name="Find a driver").click()

    expect(driver.locator(".proposals")).to_contain_text("The passenger beside you")
    expect(driver.locator(".countdown")).to_contain_text("s left")
    driver.get_by_role("button", name="Accept").click()
    expect(passenger.locator(".proposals")).to_contain_text("The driver accepts.")
    passenger.get_by_role("button", name="Accept").click()
    expect(headline(page, "passenger")).to_have_text("Your driver is on the way.")
    expect(passenger.get_by_role("button", name="Cancel")).to_be_enabled()
    expect(passenger.locator("[data-part=card]")).to_have_text(re.compile(r"^Ratna · Motorcycle · B \d{4} NJ$"))
    expect(driver.locator("[data-part=card]")).to_have_text("Budi")
    driver.get_by_role("button", name="Start the ride").click()

    expect(headline(page, "passenger")).to_have_text("You are on your way.")
    driver.get_by_role("slider").fill("180")
    driver.get_by_role("button", name="Drive", exact=True).click()
    expect(passenger.locator("[data-part=coming]")).to_contain_text("m to Istiqlal")
    expect(headline(page, "driver")).to_have_text("You are at the destination.", timeout=RIDE)
    driver.get_by_role("combobox", name="Fare").select_option("half")
    driver.get_by_role("button", name="We have arrived").click()

    for person in (driver, passenger):
        expect(person.locator(".bill:visible")).to_contain_text("Times 0.5, by the driver")
    expect(passenger.get_by_alt_text("QR code of the payment")).not_to_have_js_property("naturalWidth", 0)
    passenger.get_by_role("button", name="Refuse").click()
    expect(headline(page, "driver")).to_have_text("The passenger refused to pay.")
    passenger.get_by_role("button", name="Pay", exact=True).click()
    expect_to_be_paid(page)
    (ride,) = demo.get("/api/rides/", remembered(page, "passenger")["access"]).json()["results"]
    assert 0.7 < ride["distance_km"] < 1.1
    assert ride["adjusted_cost"] == ride["total_cost"] // 2 > 0
    assert f"{ride['adjusted_cost']:,}".replace(",", ".") in passenger.locator(".bill:visible").inner_text()
    assert_nothing_is_missed_or_doubled(page, demo)
    passenger.get_by_role("button", name="5 of 5 stars").click()
    expect(passenger.locator("[data-part=said]")).to_contain_text("Thank you")
    passenger.get_by_role("button", name="1 of 5 stars").click()
    expect(passenger.locator("[data-part=problem]")).to_have_text("You have rated this ride already.")
    driver.get_by_role("button", name="Block this person").click()
    expect(driver.locator("[data-part=said]")).to_contain_text("no offers with each other")
    passenger.get_by_role("button", name="Again").click()
    expect(passenger.get_by_role("button", name="Find a driver")).to_be_enabled()


def test_rides_and_offers_are_refused(demo: ServerProcess, open_page: OpenPage) -> None:
    """An offer can be declined and a ride cancelled."""
    page = open_page(demo.url)
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


def test_one_button_shows_a_ride(demo: ServerProcess, open_page: OpenPage) -> None:
    """The button "Watch a ride" lets the bots take a whole ride, from the way to the pick-up on."""
    page = open_page(demo.url, hasty=True, reduced_motion="reduce")
    begin_with(page, {"driver": {"place": NEAR_GAMBIR}, "passenger": {"target": NEAR_GAMBIR}})
    watch(page)
    expect_to_be_paid(page)
    assert_nothing_is_missed_or_doubled(page, demo)
    for role in ("driver", "passenger"):
        expect(phone(page, role).get_by_role("switch", name="Bot")).not_to_be_checked()


def test_one_press_and_a_pin(start_server: StartServer, open_page: OpenPage) -> None:
    """With auto-accept the driver's yes makes the ride; it starts with the PIN that only the passenger is shown."""
    page = open_page(start_server(DEMO="true", RIDE_PIN="true").url)
    driver, passenger = log_in(page, "driver"), log_in(page, "passenger")
    driver.get_by_role("combobox", name="You are at").select_option("Gambir")
    driver.get_by_role("button", name="Go online").click()
    passenger.get_by_role("switch", name="Take the first driver who accepts").check()
    passenger.get_by_role("button", name="Find a driver").click()
    driver.get_by_role("button", name="Accept").click()
    expect(headline(page, "passenger")).to_have_text("Your driver is on the way.")
    shown = passenger.locator("[data-part=pin]")
    expect(shown).to_have_text(re.compile(r"^Your PIN for the driver: \d{4}$"))
    pin = str(shown.text_content())[-4:]
    driver.get_by_role("textbox", name="PIN of the passenger").fill(f"{(int(pin) + 1) % 10_000:04}")
    driver.get_by_role("button", name="Start the ride").click()
    expect(driver.locator(".problem")).to_have_text("This is not the PIN of your passenger.")
    driver.get_by_role("textbox", name="PIN of the passenger").fill(pin)
    driver.get_by_role("button", name="Start the ride").click()
    expect(headline(page, "passenger")).to_have_text("You are on your way.")
    expect(shown).to_be_empty()


def test_people_say_who_they_are(demo: ServerProcess, open_page: OpenPage) -> None:
    """In any script; marks of direction are taken out."""
    page = open_page(demo.url)
    for role, name in (("driver", "ราตรี"), ("passenger", "Siti\u202e")):
        person = phone(page, role)
        person.get_by_role("button", name="Send me a code").click()
        person.get_by_role("textbox", name="Your name").fill(name)
        person.get_by_role("button", name="Log in").click()
    phone(page, "driver").get_by_role("button", name="Register").click()
    for role, name in (("driver", "ราตรี"), ("passenger", "Siti")):
        expect(phone(page, role).locator(".network")).to_have_text("Connected")
        assert demo.get("/api/me/", remembered(page, role)["access"]).json()["full_name"] == name


def test_a_driver_waits_for_approval(start_server: StartServer, open_page: OpenPage) -> None:
    """With DRIVER_APPROVAL the phone says so, until support has said yes on the person's page."""
    server = start_server(DEMO="true", DRIVER_APPROVAL="true")
    page = open_page(server.url)
    driver = log_in(page, "driver")
    driver.get_by_role("button", name="Go online").click()
    expect(driver.locator(".problem")).to_have_text("Your registration waits for approval.")
    server.manage("shell", "-c", BOSS)
    desk = open_page(f"{server.url}/admin/")
    desk.get_by_label("Phone number").fill("+6281200000099")
    desk.get_by_label("Password").fill("a long password")
    desk.get_by_role("button", name="Log in").click()
    desk.get_by_role("link", name="drivers wait for approval").click()
    desk.locator("#result_list tbody th a").click()
    desk.get_by_role("link", name="The person").click()
    desk.get_by_role("button", name="Approve as a driver …").click()
    desk.get_by_role("button", name="Yes: Approve drivers").click()
    expect(desk.locator(".messagelist")).to_contain_text("Approved: 1 of 1 drivers.")
    expect(desk.get_by_role("button", name="Approve as a driver …")).to_have_count(0)
    driver.get_by_role("button", name="Go online").click()
    expect(headline(page, "driver")).to_have_text("You are online and wait for passengers.")
