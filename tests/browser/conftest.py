"""A real browser that looks at real servers."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, Error, Page, Playwright, expect, sync_playwright

from tests.e2e.conftest import start_server

__all__ = ["start_server"]

PROGRAMS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
QUIET = ("--disable-background-networking", "--disable-component-update", "--disable-sync")
TIMEOUT = 30_000
"""Milliseconds that a page may take for what is waited for."""

OpenPage = Callable[..., Page]


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """The machine's Chromium, or that of Playwright."""
    expect.set_options(timeout=TIMEOUT)
    with sync_playwright() as playwright:
        browser = launch(playwright)
        yield browser
        browser.close()


def launch(playwright: Playwright) -> Browser:
    """Start a browser; without one the tests of pages cannot be run."""
    program = next((path for name in PROGRAMS if (path := shutil.which(name))), None)
    sandbox = ("--no-sandbox",) if os.geteuid() == 0 else ()
    try:
        return playwright.chromium.launch(executable_path=program, args=[*QUIET, *sandbox])
    except Error as exc:
        pytest.skip(f"No Chromium: install one, or run `playwright install chromium`. {exc.message.splitlines()[0]}")


@pytest.fixture
def open_page(browser: Browser) -> Iterator[OpenPage]:
    """Open pages, each in a browser without memories; at the end none may have complained on its console."""
    contexts = []
    complaints: list[str] = []

    def open_page(url: str, *, patient: bool = False, **options: Any) -> Page:
        context = browser.new_context(**options)
        contexts.append(context)
        context.set_default_timeout(TIMEOUT)
        if not patient:
            context.on("console", lambda message: complain(message.type, message.text))
            context.on("weberror", lambda error: complaints.append(str(error.error)))
        page = context.new_page()
        page.goto(url)
        return page

    def complain(kind: str, text: str) -> None:
        if kind in ("error", "warning"):
            complaints.append(f"{kind}: {text}")

    yield open_page
    for context in contexts:
        context.close()
    assert complaints == []
