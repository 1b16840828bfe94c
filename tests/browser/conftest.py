"""A real browser that looks at real servers.

Playwright's synchronous interface keeps an event loop running in this thread for as long as it is started. So it lives
for this folder, in which no test is a coroutine; `run` takes care of the coroutines of sockets, in a thread of its own.
"""

from __future__ import annotations

import asyncio
import os
import re
import shutil
import threading
from collections.abc import Callable, Coroutine, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, Page, Route, ViewportSize, expect, sync_playwright

from devservers.patience import TIMEOUT as PATIENCE
from devservers.web import ServerProcess
from tests.browser.chromium import MISSING, find_browser, launch_options
from tests.browser.looking import Complaints
from tests.e2e.conftest import StartServer, start_server

__all__ = ["start_server"]

TIMEOUT = 1000 * PATIENCE
"""Milliseconds that a page may take for what is waited for."""

NARROW: ViewportSize = {"width": 360, "height": 740}
WIDE: ViewportSize = {"width": 1280, "height": 800}

OpenPage = Callable[..., Page]
Run = Callable[[Coroutine[Any, Any, Any]], Any]


def pytest_itemcollected(item: pytest.Item) -> None:
    """Mark what needs a browser."""
    if "browser" in getattr(item, "fixturenames", ()):
        item.add_marker("browser")


@pytest.fixture(scope="package")
def browser() -> Iterator[Browser]:
    """A browser that calls nobody by itself; where there is none its tests are skipped, but not in CI."""
    expect.set_options(timeout=TIMEOUT)
    with sync_playwright() as playwright:
        program = find_browser(playwright.chromium.executable_path)
        if program is None:
            (pytest.fail if os.environ.get("CI") else pytest.skip)(MISSING)
        running = playwright.chromium.launch(**launch_options(program))
        yield running
        running.close()


@pytest.fixture
def open_page(browser: Browser) -> Iterator[OpenPage]:
    """Open pages, each in a browser without memories; at the end none may have complained.

    `dark` and `narrow` are ways to look, `patient` pages may complain, the bots of `hasty` pages hardly pause; other
    options are those of `new_context`.
    """
    contexts = []
    complaints = Complaints()

    def open_page(
        url: str, *, patient: bool = False, dark: bool = False, narrow: bool = False, hasty: bool = False, **more: Any
    ) -> Page:
        looks = {"color_scheme": "dark" if dark else "light", "viewport": NARROW if narrow else WIDE}
        context = browser.new_context(**{**looks, "base_url": url, **more})
        contexts.append(context)
        context.set_default_timeout(TIMEOUT)
        if not patient:
            complaints.watch(context, urlsplit(url).netloc)
        if hasty:
            context.route("**/demo/bot*.js", _without_pauses)
        page = context.new_page()
        page.goto(url)
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert complaints.found == []


def _without_pauses(route: Route) -> None:
    """Answer with the script of the bots, whose pauses, made to be looked at, are a fifth as long."""
    script, count = re.subn(r"(?m)^(const (?:PAUSE|LOOK) = )(\d+);$", _a_fifth, route.fetch().text())
    assert count == 2
    route.fulfill(content_type="text/javascript", body=script)


def _a_fifth(pause: re.Match[str]) -> str:
    return f"{pause[1]}{int(pause[2]) // 5};"


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory, template_database: Path) -> Iterator[ServerProcess]:
    """One server for all tests of a process that only look, or bring people of their own; nobody restarts it."""
    server = ServerProcess(tmp_path_factory.mktemp("site"), RIDES_MAX_SPEED_KMH="0")
    shutil.copy(template_database, server.database)
    yield server.start()
    server.stop()


@pytest.fixture
def demo(start_server: StartServer) -> ServerProcess:
    """A server with the demo, and the limits of the real one."""
    return start_server(DEMO="true", OTP_MAX_PER_HOUR="3", WS_COMMAND_RATE="10", WS_COSTLY_RATE="30")


@pytest.fixture
def run() -> Iterator[Run]:
    """Run a coroutine to its end in the event loop of another thread, where its sockets live until the test ends."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    yield lambda coroutine: asyncio.run_coroutine_threadsafe(coroutine, loop).result(TIMEOUT / 1000)
    asyncio.run_coroutine_threadsafe(_end_tasks(), loop).result(TIMEOUT / 1000)
    loop.call_soon_threadsafe(loop.stop)
    thread.join()
    loop.close()


async def _end_tasks() -> None:
    """Let nothing that was left open outlive its loop."""
    others = asyncio.all_tasks() - {asyncio.current_task()}
    for task in others:
        task.cancel()
    await asyncio.gather(*others, return_exceptions=True)
