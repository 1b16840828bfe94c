"""Every page of the admin as a whole, in a real browser: nobody is kept out, and nothing complains."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from devservers.web import ServerProcess
from tests.browser.conftest import OpenPage, Run
from tests.browser.looking import accessible
from tests.browser.test_admin import clerk, log_in, ride_of

__all__ = ["clerk"]

PAGES = (
    "", "rides/", "rides/ride/", "rides/match/", "rides/finder/", "rides/candidate/", "rides/beacon/", "rides/payment/",
    "users/user/", "users/driver/", "events/outboxevent/", "events/deadletter/", "realtime/liveconnection/",
    "password_change/",
)  # fmt: skip


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_support_pages_are_accessible(
    open_page: OpenPage, site: ServerProcess, clerk: str, run: Run, dark: bool
) -> None:
    """Every page that support sees has no violations of WCAG."""
    driver, passenger, ride_id, _ = ride_of(site, run)
    page = log_in(open_page, site, clerk, dark=dark)
    for path in (*PAGES, f"rides/ride/{ride_id}/change/", f"rides/ride/{ride_id}/history/"):
        page.goto(f"/admin/{path}")
        page.wait_for_load_state("networkidle")
        accessible(page)
    for client in (driver, passenger):
        run(client.hang_up())


def test_a_ride_page_cancels(open_page: OpenPage, site: ServerProcess, clerk: str, run: Run) -> None:
    """A ride is cancelled from its own page, and the passenger is notified."""
    driver, passenger, ride_id, _ = ride_of(site, run)
    page = log_in(open_page, site, clerk)
    page.goto(f"/admin/rides/ride/{ride_id}/change/")
    page.get_by_role("button", name="Cancel this ride").click()
    page.get_by_label("Reason").fill("The chain is broken.")
    page.get_by_role("button", name="Yes: Cancel rides").click()
    expect(page.get_by_text(f"Ride {ride_id} is cancelled.")).to_be_visible()
    assert run(passenger.data_of("ride_cancelled"))["reason"] == "The chain is broken."
    page.goto(f"/admin/rides/ride/{ride_id}/change/")
    expect(page.get_by_text("ride.cancelled, ")).to_be_visible()
    expect(page.get_by_role("button", name="Cancel this ride")).to_have_count(0)
    for client in (driver, passenger):
        run(client.hang_up())


def test_log_out_everywhere(open_page: OpenPage, site: ServerProcess, clerk: str, run: Run) -> None:
    """The action "Log out everywhere" closes the sockets of the chosen users with 4401."""
    driver, passenger, _, msisdn = ride_of(site, run)
    page = log_in(open_page, site, clerk)
    page.goto("/admin/users/user/")
    page.get_by_role("textbox", name="Search").fill(msisdn)
    page.get_by_role("button", name="Search").click()
    page.get_by_role("row").filter(has_text=msisdn).get_by_role("checkbox").check()
    page.get_by_label("Action:").select_option("log_out")
    page.get_by_role("button", name="Go").or_(page.get_by_role("button", name="Run")).click()
    page.get_by_role("button", name="Yes: Log out everywhere").click()
    expect(page.get_by_text("Logged out everywhere: 1 of 1 users.")).to_be_visible()
    assert run(passenger.closed_with()) == 4401
    run(driver.hang_up())
