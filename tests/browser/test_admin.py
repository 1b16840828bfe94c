"""Support staff at work in the admin, in a real browser: it finds, understands and helps."""

from __future__ import annotations

import itertools
import re
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from devservers.web import ServerProcess
from tests.browser.conftest import OpenPage, Run
from tests.browser.looking import accessible
from tests.e2e.client import PLACE, Client, ride_to_pickup
from users.phone import masked

PASSWORD = "a long password"
NORTH = 0.0009
"""About 100 m."""

numbers = itertools.count(70)
"""The last digits of people whom no other test knows."""


def number() -> str:
    return f"+628123000{next(numbers):04d}"


@pytest.fixture(scope="module")
def clerk(site: ServerProcess) -> str:
    """The phone number of somebody who has the support role."""
    msisdn = number()
    code = (
        "from django.core.management import call_command; "
        f"call_command('support', '{msisdn}'); "
        f"u = User.objects.get(msisdn='{msisdn}'); u.set_password('{PASSWORD}'); u.save()"
    )
    done = site.manage("shell", "--verbosity", "0", "-c", code)
    assert done.returncode == 0, done.stderr
    return msisdn


sessions: dict[str, Any] = {}
"""What the browser of a clerk remembers of a login, by the number: a login costs half a second of processor."""


def log_in(open_page: OpenPage, site: ServerProcess, clerk: str, **looks: bool) -> Page:
    """Open the admin as support does: with a password when it is the first time, later still logged in."""
    if clerk in sessions:
        page = open_page(f"{site.url}/admin/", storage_state=sessions[clerk], **looks)
    else:
        page = open_page(f"{site.url}/admin/", **looks)
        page.get_by_label("Phone number").fill(clerk)
        page.get_by_label("Password").fill(PASSWORD)
        page.get_by_role("button", name="Log in").click()
    expect(page.get_by_role("heading", name="Today", exact=True)).to_be_visible()
    sessions[clerk] = page.context.storage_state()
    return page


async def drive(site: ServerProcess, driver_token: str, passenger_token: str) -> tuple[Client, Client, str]:
    """A ride a hundred metres from its start, with a point that does not count."""
    driver = await Client.connect(site.url, driver_token)
    passenger = await Client.connect(site.url, passenger_token)
    ride_id = await ride_to_pickup(driver, passenger)
    await driver.do("location_update", **PLACE)
    assert (await driver.do("ride_start", ride_id=ride_id))["type"] == "ack"
    latitude, longitude = PLACE["latitude"], PLACE["longitude"]
    await driver.do("location_update", latitude=latitude + NORTH, longitude=longitude)
    await driver.do("location_update", latitude=latitude, longitude=longitude + NORTH, accuracy=90)
    await driver.do("location_update", latitude=latitude + 2 * NORTH, longitude=longitude)
    return driver, passenger, ride_id


def ride_of(site: ServerProcess, run: Run) -> tuple[Client, Client, str, str]:
    """Let two new people be on a ride; with its id and the number of the passenger."""
    driver, passenger = number(), number()
    people = run(drive(site, site.log_in(driver, driver=True), site.log_in(passenger)))
    return (*people, passenger)


def test_support_cancels_a_ride(open_page: OpenPage, site: ServerProcess, clerk: str, run: Run) -> None:
    """Support finds a ride by a phone number, reads its time line and cancels it with a reason."""
    driver, passenger, ride_id, msisdn = ride_of(site, run)
    page = log_in(open_page, site, clerk)
    expect(page.locator('[data-figure="ONGOING"]')).not_to_have_text("0")
    expect(page.locator('[data-figure="connected-driver"]')).not_to_have_text("0")
    page.get_by_role("link", name="Ongoing").click()
    page.goto("/admin/rides/ride/")
    page.locator("#searchbar").fill(msisdn.replace("+62", "0"))
    page.get_by_role("button", name="Search").click()
    expect(page.locator("#result_list tbody tr")).to_have_count(1)
    page.locator("#result_list tbody th a").click()
    region = page.get_by_role("region", name="The track of the ride")
    for place in ("Pick-up", "Destination", "Where the track ends"):
        expect(region.get_by_role("img", name=place)).to_be_visible()
    expect(region.locator(".map-track")).to_have_count(1)
    region.locator(".ride-map-refused").hover()
    expect(page.get_by_role("tooltip")).to_contain_text("inaccurate")
    expect(page.get_by_text("ride.started, handed to the event bus after")).to_be_visible()
    page.goto(f"/admin/rides/ride/?q={ride_id}")
    page.locator("input.action-select").check()
    page.get_by_label("Action:").select_option("cancel")
    page.get_by_role("button", name="Run").or_(page.get_by_role("button", name="Go")).click()
    expect(page.get_by_text("driver and passenger are notified")).to_be_visible()
    expect(page.get_by_role("listitem").filter(has_text=ride_id)).to_be_visible()
    page.get_by_label("Reason").fill("The chain is broken.")
    page.get_by_role("button", name="Yes: Cancel rides").click()
    expect(page.get_by_text(f"Ride {ride_id} is cancelled.")).to_be_visible()
    for person in (driver, passenger):
        told = run(person.data_of("ride_cancelled"))
        assert (told["cancelled_by"], told["reason"]) == ("staff", "The chain is broken.")
        run(person.hang_up())
    page.goto(f"/admin/rides/ride/{ride_id}/history/")
    expect(page.get_by_text("Cancelled by support: The chain is broken.")).to_be_visible()


def end(page: Page, msisdn: str, action: str, label: str) -> None:
    """Find somebody among the live connections, choose what to do, and say yes."""
    page.goto("/admin/")
    page.get_by_role("link", name="Live connections").first.click()
    page.get_by_label("Phone number, name or user id").fill(msisdn)
    page.get_by_role("button", name="Search").click()
    expect(page.get_by_text("1 connection, over all processes.")).to_be_visible()
    page.get_by_label(f"Choose {masked(msisdn)}").check()
    page.get_by_label("Of the chosen ones:").select_option(action)
    page.get_by_role("button", name="Go").click()
    expect(page.get_by_role("listitem").filter(has_text=masked(msisdn))).to_be_visible()
    page.get_by_role("button", name=f"Yes: {label}").click()


def test_support_disconnects_somebody(open_page: OpenPage, site: ServerProcess, clerk: str, run: Run) -> None:
    """Support sees who is connected and ends the connection."""
    msisdn = number()
    client = run(Client.connect(site.url, site.log_in(msisdn)))
    run(client.data_of("session_ready"))
    page = log_in(open_page, site, clerk)
    end(page, msisdn, "disconnect", "Disconnect")
    expect(page.get_by_text("Disconnected by support: 1 of 1.")).to_be_visible()
    assert run(client.data_of("server_restarting")) == {"reconnect_after": 0}
    assert run(client.closed_with()) == 1012
    page.reload()
    expect(page.get_by_text("Nobody is connected.")).to_be_visible()


def test_support_switches_a_beacon_off(open_page: OpenPage, site: ServerProcess, clerk: str, run: Run) -> None:
    """A driver is notified when support switches the beacon off, and closed when logged out."""
    msisdn = number()
    token = site.log_in(msisdn, driver=True)
    client = run(Client.connect(site.url, token))
    run(client.do("beacon_update", is_active=True, **PLACE))
    assert run(client.data_of("beacon_update"))["is_active"] is True
    page = log_in(open_page, site, clerk)
    end(page, msisdn, "beacon_off", "Switch the beacon off")
    expect(page.get_by_text("Beacon switched off by support: 1 of 1.")).to_be_visible()
    assert run(client.data_of("beacon_update"))["is_active"] is False
    end(page, msisdn, "log_out", "Log out everywhere")
    expect(page.get_by_text("Logged out everywhere by support: 1 of 1.")).to_be_visible()
    assert run(client.closed_with()) == 4401
    assert site.get("/api/me/", token).status_code == 401


def test_support_is_refused_rights(open_page: OpenPage, site: ServerProcess, clerk: str) -> None:
    """Support can change neither payments nor staff nor permissions."""
    page = log_in(open_page, site, clerk)
    for path in ("rides/payment/add/", "auth/group/", "auth/group/add/", "users/user/add/", "rides/ride/add/"):
        assert page.request.get(f"{site.url}/admin/{path}").status == 403, path
    page.goto("/admin/users/user/?q=" + clerk.removeprefix("+"))
    page.locator("#result_list tbody th a").click()
    expect(page.get_by_role("link", name="Close")).to_be_visible()
    expect(page.get_by_role("button", name="Save")).to_have_count(0)
    expect(page.locator("#content-main input:visible, #content-main select:visible")).to_have_count(0)


@pytest.mark.parametrize("looks", [{}, {"dark": True}, {"narrow": True}, {"narrow": True, "dark": True}])
def test_the_admin_is_accessible(
    open_page: OpenPage, site: ServerProcess, clerk: str, run: Run, looks: dict[str, bool]
) -> None:
    """Pages of the admin have no violations of WCAG in light, dark, wide and narrow."""
    driver, passenger, ride_id, msisdn = ride_of(site, run)
    page = log_in(open_page, site, clerk, **looks)

    def look(name: str, *ours: str) -> None:
        for part in ours:
            accessible(page, within=part)
        width = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
        assert width <= 0, f"{name} is {width} px too wide"

    look("start", ".figures", "#header")
    page.goto(f"/admin/rides/ride/{ride_id}/change/")
    expect(page.get_by_role("img", name="Pick-up")).to_be_visible()
    look("ride", ".ride-map")
    page.goto(f"/admin/realtime/liveconnection/?q={msisdn.removeprefix('+')}")
    look("connections", "main")
    page.get_by_role("checkbox").check()
    page.get_by_label("Of the chosen ones:").select_option("log_out")
    page.get_by_role("button", name="Go").click()
    expect(page.get_by_role("button", name=re.compile("Yes"))).to_be_visible()
    look("confirm", "main")
    page.goto(f"/admin/rides/ride/?q={ride_id}")
    look("list", "#header", "#result_list")
    page.locator("input.action-select").check()
    page.get_by_label("Action:").select_option("cancel")
    page.get_by_role("button", name="Run").or_(page.get_by_role("button", name="Go")).click()
    expect(page.get_by_label("Reason")).to_be_visible()
    look("cancel", "main")
    for person in (driver, passenger):
        run(person.hang_up())
