"""Web Push in a real browser, as far as a machine without the Internet goes.

The subscription needs the push service of the browser's maker. So its refusal is looked at here, and the worker gets
its pushes from the browser's own tools; `tests/rides/push/test_webpush.py` decrypts what the server sends.
"""

from __future__ import annotations

import json
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import CDPSession, Page, expect
from py_vapid import Vapid

from devservers.patience import until_true
from devservers.web import ServerProcess
from tests.browser.conftest import OpenPage
from tests.browser.phones import log_in
from tests.e2e.conftest import StartServer

pytestmark = pytest.mark.e2e
EXPIRY = {"expires_at": "2026-01-31T12:00:30Z"}
RECORD = """() => {
  self.shown = [];
  self.registration.showNotification = async (title, { body }) => { self.shown.push(`${title}: ${body}`); };
}"""
"""In the service worker: keep what is shown. A browser without a window has nowhere to show it."""


@pytest.fixture
def pushing(start_server: StartServer, tmp_path: Path) -> ServerProcess:
    """A demo that can push to browsers."""
    vapid = Vapid()
    vapid.generate_keys()
    vapid.save_key(str(tmp_path / "key.pem"))
    return start_server(
        DEMO="true",
        PUSH_BACKEND="rides.push.webpush.WebPush",
        VAPID_PRIVATE_KEY=str(tmp_path / "key.pem"),
        VAPID_SUBJECT="mailto:ops@example.com",
    )


def registered(page: Page) -> tuple[CDPSession, str]:
    """Have the worker installed; return the browser's tools and the id of the registration."""
    tools = page.context.new_cdp_session(page)
    found: list[str] = []
    tools.on(
        "ServiceWorker.workerRegistrationUpdated",
        lambda event: found.extend(one["registrationId"] for one in event["registrations"]),
    )
    tools.send("ServiceWorker.enable")
    page.evaluate("async () => { await navigator.serviceWorker.register('/demo/worker.js'); }")
    active = "async () => Boolean((await navigator.serviceWorker.getRegistration('/demo/'))?.active)"
    until_true(lambda: page.evaluate(active))
    assert found
    return tools, found[-1]


@pytest.mark.parametrize(
    ("data", "body"),
    [
        (
            json.dumps({"type": "match_proposal", "expires_at": "2026-01-31T12:00:30Z"}),
            "A passenger waits for your answer.",
        ),
        (json.dumps({"type": "match_confirm", "expires_at": "2026-01-31T12:00:30Z"}), "A driver has accepted."),
        (json.dumps({"type": "of_a_newer_server"}), "Something has happened."),
        ("no JSON", "Something has happened."),
        ("null", "Something has happened."),
    ],
)
def test_a_push_is_shown(demo: ServerProcess, open_page: OpenPage, data: str, body: str) -> None:
    """Whatever comes: a browser takes the permission away from pages that get pushes and show nothing."""
    page = open_page(demo.url, permissions=["notifications"])
    tools, registration = registered(page)
    parts = urlsplit(demo.url)
    origin = f"{parts.scheme}://{parts.netloc}"
    [worker] = page.context.service_workers
    worker.evaluate(RECORD)
    tools.send("ServiceWorker.deliverPushMessage", {"origin": origin, "registrationId": registration, "data": data})
    until_true(lambda: worker.evaluate("self.shown.length"))
    assert worker.evaluate("self.shown") == [f"NebengJek: {body}"]


def test_a_push_service_that_is_not_there_is_explained(pushing: ServerProcess, open_page: OpenPage) -> None:
    """The phone works on without it."""
    page = open_page(pushing.url, permissions=["notifications"], patient=True)
    driver = log_in(page, "driver")
    driver.get_by_role("button", name="Wake this phone by push").click()
    expect(driver.locator(".problem")).to_contain_text("The browser's push service cannot be reached: ")
    driver.get_by_role("button", name="Go online").click()
    expect(driver.get_by_role("button", name="Go offline")).to_be_visible()


def test_a_refused_permission_is_explained(pushing: ServerProcess, open_page: OpenPage) -> None:
    """It is the person's to give."""
    page = open_page(pushing.url, patient=True)
    driver = log_in(page, "driver")
    driver.get_by_role("button", name="Wake this phone by push").click()
    expect(driver.locator(".problem")).to_have_text("Notifications are not allowed on this page.")


def test_the_device_is_registered(pushing: ServerProcess, open_page: OpenPage) -> None:
    """With a push service that answers (the test puts one in its place) the server knows the address and the keys."""
    page = open_page(pushing.url, permissions=["notifications"])
    driver = log_in(page, "driver")
    page.evaluate(
        """() => { PushManager.prototype.subscribe = async (options) => {
          globalThis.asked = options;
          return { toJSON: () => ({ endpoint: "https://fcm.googleapis.com/fcm/send/x", keys: {
            p256dh: "BNcRdreALRFXTkOOUHK1EtK2wtaz5Ry4YfYCA_0QTpQtUbVlUls0VJXg7A8u-Ts1XbjhazAkj7I99e8QcYP7DkM",
            auth: "tBHItJI5svbpez7KI4CCXg" } }) };
        }; }"""
    )
    driver.get_by_role("button", name="Wake this phone by push").click()
    expect(driver.locator("[data-part=push]")).to_have_text("This browser is woken when the phone has no connection.")
    access = page.evaluate("JSON.parse(sessionStorage.getItem('nebengjek.demo.driver')).access")
    known = pushing.get("/api/me/devices/", access).json()
    assert [one["kind"] for one in known["devices"]] == ["webpush"]
    asked = page.evaluate("asked")
    assert asked == {"userVisibleOnly": True, "applicationServerKey": known["application_server_key"]}


def test_without_a_key_it_says_so(demo: ServerProcess, open_page: OpenPage) -> None:
    """The default pushes to the console only."""
    page = open_page(demo.url)
    driver = log_in(page, "driver")
    driver.get_by_role("button", name="Wake this phone by push").click()
    expect(driver.locator(".problem")).to_contain_text("This server has no key for Web Push")
