"""The pages of the documents, in a real browser and on a real server."""

from __future__ import annotations

from typing import Any

import pytest
from playwright.sync_api import Page, expect

from devservers.web import ServerProcess
from tests.browser.conftest import OpenPage
from tests.browser.looking import EVERYTHING, accessible
from tests.e2e.conftest import StartServer

pytestmark = pytest.mark.e2e
PHONE: dict[str, Any] = {"viewport": {"width": 360, "height": 740}}
READERS: tuple[dict[str, Any], ...] = ({}, {"color_scheme": "dark"}, PHONE)


@pytest.fixture
def server(start_server: StartServer) -> ServerProcess:
    """A server as anybody may run it."""
    return start_server()


def fits(page: Page) -> bool:
    """Whether nobody has to scroll sideways."""
    return bool(page.evaluate("document.documentElement.scrollWidth <= innerWidth"))


def test_the_protocol_is_accessible(server: ServerProcess, open_page: OpenPage) -> None:
    """The protocol page has no violations of WCAG."""
    for reader in READERS:
        page = open_page(f"{server.url}/docs/", **reader)
        assert fits(page)
        accessible(page, rules=EVERYTHING)


def test_messages_are_found(server: ServerProcess, open_page: OpenPage) -> None:
    """A message is found by keyboard, and tables stay tables on a phone."""
    page = open_page(f"{server.url}/docs/")
    page.get_by_role("navigation", name="Contents").get_by_role("link", name="ride_arrived").last.focus()
    page.keyboard.press("Enter")
    expect(page.locator("#message-ride_arrived")).to_be_in_viewport()
    section = page.locator("article[aria-labelledby=message-ride_arrived]")
    expect(section.get_by_role("table")).to_contain_text("data.adjusted_cost")
    expect(section.get_by_text('"status": "ARRIVED"')).to_be_visible()
    page = open_page(f"{server.url}/docs/#command-location_update", **PHONE)
    section = page.locator("article[aria-labelledby=command-location_update]")
    row = section.get_by_role("row").filter(has_text="data.latitude")
    expect(row.get_by_role("cell").nth(1)).to_have_text("-90 to 90")


def test_rest_calls_can_be_tried(server: ServerProcess, open_page: OpenPage) -> None:
    """The REST page shows the calls and lets a reader try them."""
    for reader in READERS:
        page = open_page(f"{server.url}/api/docs/", **reader)
        call = page.locator("#operations-login-requestCode")
        call.locator(".opblock-summary-control").click()
        call.get_by_role("button", name="Try it out").click()
        call.get_by_role("button", name="Execute").click()
        expect(call.locator(".live-responses-table .response-col_status").last).to_contain_text("202")
        assert fits(page)
