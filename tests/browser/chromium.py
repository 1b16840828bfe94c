"""The browser of the tests: which one, how it is started, and `python -m tests.browser.chromium` to get one."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

from playwright.sync_api import sync_playwright

PROGRAMS = ("chromium-headless-shell", "chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
"""The first draws the page alone, without the window around it, so its tests take less processor."""

MISSING = "There is no Chromium: run `make browser`, or name one in the environment variable CHROMIUM."

QUIET = (
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-default-apps",
    "--disable-sync",
    "--no-first-run",
)
"""What keeps a browser from calling anybody by itself."""


def find_browser(own: str) -> str | None:
    """Return the program: the one named in CHROMIUM, the machine's, or `own`, where Playwright keeps what it gets."""
    if named := os.environ.get("CHROMIUM"):
        return named
    found = next(filter(None, map(shutil.which, PROGRAMS)), None)
    return found or (own if Path(own).exists() else None)


def launch_options(program: str) -> dict[str, Any]:
    """Return what Playwright's `launch` takes; Chromium has no sandbox for root."""
    sandbox = ("--no-sandbox",) if os.geteuid() == 0 else ()
    return {"executable_path": program, "args": [*QUIET, *sandbox]}


def get_one() -> str | None:
    """Return the browser, got from where it can be got when there is none yet."""
    for get in (_nowhere, _from_playwright, _from_debian):
        get()
        with sync_playwright() as playwright:
            if found := find_browser(playwright.chromium.executable_path):
                return found
    return None


def _nowhere() -> None:
    """Get nothing: there may be one."""


def _from_playwright() -> None:
    """Get Playwright's own, for this user; root can add the libraries that it needs."""
    playwright = (sys.executable, "-m", "playwright")
    if _run(*playwright, "install", "--no-shell", "chromium") and _may_install():
        _run(*playwright, "install-deps", "chromium")


def _from_debian() -> None:
    """Get Debian's, for the whole machine."""
    if _may_install():
        _run("apt-get", "update")
        install = ("apt-get", "install", "--yes", "--no-install-recommends")
        _run(*install, "chromium-headless-shell") or _run(*install, "chromium")


def _may_install() -> bool:
    return os.geteuid() == 0 and shutil.which("apt-get") is not None


def _run(*command: str) -> bool:
    """Run a command, and say why where it fails."""
    sys.stdout.write(f"Getting a browser: {' '.join(command)} …\n")
    sys.stdout.flush()
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        lines = [line for line in (done.stdout + done.stderr).splitlines() if line.startswith(("E:", "Error"))]
        sys.stdout.write(f"That failed: {' '.join(lines[:1])}\n")
    return done.returncode == 0


def main() -> int:
    """Get a browser for the tests, and say where it is."""
    program = get_one()
    sys.stdout.write(f"The browser of the tests: {program}\n" if program else f"{MISSING}\n")
    return 0 if program else 1


if __name__ == "__main__":
    sys.exit(main())
