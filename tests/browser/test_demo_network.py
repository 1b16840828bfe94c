"""Phones that lose their network, are reloaded, or get a second tab."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from devservers.web import ServerProcess
from tests.browser.conftest import OpenPage
from tests.browser.phones import (
    RIDE,
    SHORT_RIDE,
    assert_nothing_is_missed_or_doubled,
    begin_with,
    expect_to_be_paid,
    headline,
    log_in,
    phone,
    watch,
)

pytestmark = pytest.mark.e2e


@pytest.mark.parametrize("role", ["passenger", "driver"])
def test_offline_phones_miss_nothing(demo: ServerProcess, open_page: OpenPage, role: str) -> None:
    """A phone that was offline gets everything once and in order."""
    page = open_page(demo.url, reduced_motion="reduce")
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
        expect(headline(page, other)).to_have_text("Your driver is on the way.")
    phone(page, "passenger").get_by_role("switch", name="Bot").check()
    cut.uncheck()
    expect(headline(page, "passenger")).to_have_text("The ride is paid. Thank you!", timeout=RIDE)
    assert_nothing_is_missed_or_doubled(page, demo)
    if role == "driver":
        resumed = page.locator('.frame-list li[data-phone="driver"][data-resumed]')
        expect(resumed.filter(has_text="ride_pickup")).to_contain_text("missed, resumed")


def test_a_reload_resumes(demo: ServerProcess, open_page: OpenPage) -> None:
    """After a reload the page goes on where it was."""
    page = open_page(demo.url, hasty=True, reduced_motion="reduce")
    begin_with(page, SHORT_RIDE)
    watch(page)
    expect(headline(page, "passenger")).to_have_text("You are on your way.", timeout=RIDE)
    page.reload()
    expect(headline(page, "passenger")).to_have_text("You are on your way.", timeout=RIDE)
    expect_to_be_paid(page)


def test_a_second_tab_takes_over(demo: ServerProcess, open_page: OpenPage) -> None:
    """A second tab takes over, and the first says so."""
    page = open_page(demo.url)
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
