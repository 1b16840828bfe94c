"""The pictures of the documentation, taken of a town that lives: `make screenshots` writes `docs/images/`.

A picture is a function that brings a page to where it is worth looking at, and a line in `PICTURES`.
"""

from __future__ import annotations

import re
import sqlite3
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from playwright.sync_api import Browser, Page, ViewportSize, expect, sync_playwright

from devservers.web import ServerProcess
from nebengjek.settings import BASE_DIR
from tests.browser.chromium import MISSING, find_browser, launch_options

FOLDER = BASE_DIR / "docs" / "images"
MOST_BYTES = 250_000
TIMEOUT = 180_000
WIDE: ViewportSize = {"width": 1280, "height": 800}
NARROW: ViewportSize = {"width": 390, "height": 780}

Show = Callable[[Page], None]


def demo(page: Page) -> None:
    """The two phones in the middle of a ride."""
    page.goto("/")
    page.get_by_role("button", name="Watch a ride").click()
    expect(page.get_by_text("You are on your way.")).to_be_visible()
    page.wait_for_timeout(6000)  # the driver gets somewhere


def demo_dark(page: Page) -> None:
    """A phone on a phone, at night."""
    page.emulate_media(color_scheme="dark")
    demo(page)
    page.get_by_role("heading", name="Driver").scroll_into_view_if_needed()


def live(page: Page) -> None:
    """The town at work."""
    page.goto("/live/")
    expect(page.locator('[data-count="riding"]')).not_to_have_text("0")


def admin(page: Page) -> None:
    """The start page."""
    page.goto("/admin/")


def admin_ride(page: Page) -> None:
    """A ride that is paid, with its track and its time line."""
    page.goto("/admin/rides/ride/?status__exact=COMPLETED")
    page.locator("#result_list tbody tr").first.get_by_role("link").first.click()
    picture = page.locator(".leaflet-container")
    expect(picture).to_be_visible()
    picture.evaluate("element => element.scrollIntoView()")


def admin_search(page: Page) -> None:
    """Why a search brought a driver: one that asked more than once."""
    page.goto("/admin/rides/finder/?status__exact=MATCHED")
    rows = page.locator("#result_list tbody tr")
    several = rows.filter(has=page.locator(".field-attempts", has_text=re.compile("^[23]$")))
    (several if several.count() else rows).first.get_by_role("link").first.click()
    page.locator(".explanation").scroll_into_view_if_needed()


def admin_person(page: Page) -> None:
    """A driver who has driven, with what support can do."""
    page.goto("/admin/rides/ride/?status__exact=COMPLETED")
    page.locator("#result_list tbody tr").first.get_by_role("link").first.click()
    page.locator(".field-driver a").click()
    expect(page.get_by_role("heading", name="Last rides")).to_be_visible()


def docs(page: Page) -> None:
    """The contract."""
    page.goto("/docs/#command-ride_start")


PICTURES: dict[str, tuple[Show, ViewportSize]] = {
    "demo": (demo, WIDE),
    "live": (live, WIDE),
    "admin": (admin, WIDE),
    "admin-ride": (admin_ride, WIDE),
    "admin-search": (admin_search, WIDE),
    "admin-person": (admin_person, WIDE),
    "docs": (docs, WIDE),
    "demo-dark": (demo_dark, NARROW),  # the last, since it stays dark
}


@contextmanager
def town(folder: Path) -> Iterator[tuple[ServerProcess, list[str]]]:
    """Serve the town on a fresh database; with the number and the password of its staff."""
    server = ServerProcess(folder, "manage.py", "serve", "--demo", "--port", "0", RIDES_MAX_SPEED_KMH="0")
    server.migrate()
    server.start()
    staff = server.wait_for(r"Staff: \S+ with (\S+ and \S+)")
    try:
        wait_until_it_lives(server)
        yield server, staff.split(" and ")
    finally:
        server.stop()


def wait_until_it_lives(server: ServerProcess) -> None:
    """Let a few rides be over, taken faster than those of the town, and wait for one that is under way."""
    done = server.manage("simulate", "--rides", "8", "--speed", "20", "--url", server.url)
    assert done.returncode == 0, done.stderr
    deadline = time.monotonic() + TIMEOUT / 1000
    with closing(sqlite3.connect(server.database)) as database:
        while time.monotonic() < deadline:
            if database.execute("SELECT 1 FROM rides_ride WHERE status = 'ONGOING'").fetchone():
                return
            time.sleep(0.5)
    raise AssertionError("".join(server.output))


def log_in(page: Page, number: str, password: str) -> None:
    """Log in to the admin."""
    page.goto("/admin/login/")
    page.get_by_label("Phone number").fill(number)
    page.get_by_label("Password").fill(password)
    page.get_by_role("button", name="Log in").click()
    page.wait_for_url("**/admin/")


def take(browser: Browser, url: str, account: list[str], names: list[str]) -> None:
    """Take the pictures of these names."""
    with browser.new_context(base_url=url, viewport=WIDE, reduced_motion="reduce") as context:
        context.set_default_timeout(TIMEOUT)
        page = context.new_page()
        log_in(page, *account)
        for name in names:
            show, size = PICTURES[name]
            page.set_viewport_size(size)
            show(page)
            picture = page.screenshot(path=FOLDER / f"{name}.png", animations="disabled")
            assert len(picture) <= MOST_BYTES, f"{name}.png has {len(picture)} bytes; the limit is {MOST_BYTES}."
            sys.stdout.write(f"{FOLDER / name}.png ({len(picture) // 1000} kB)\n")


def main(names: list[str]) -> None:
    """Take the pictures of these names, or all."""
    FOLDER.mkdir(exist_ok=True)
    expect.set_options(timeout=TIMEOUT)
    with TemporaryDirectory() as folder, town(Path(folder)) as (server, account), sync_playwright() as playwright:
        program = find_browser(playwright.chromium.executable_path) or sys.exit(MISSING)
        with playwright.chromium.launch(**launch_options(program)) as browser:
            take(browser, server.url, account, names or list(PICTURES))


if __name__ == "__main__":
    main(sys.argv[1:])
