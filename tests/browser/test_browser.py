"""The base itself: what must fail does fail, and the loops of Playwright and of the tests keep apart."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, Page

from devservers.web import ServerProcess
from tests.browser.chromium import PROGRAMS, find_browser, launch_options
from tests.browser.conftest import NARROW, OpenPage, Run
from tests.browser.looking import Complaints, accessible
from tests.e2e.client import Client

Complain = Callable[[str], list[str]]

GOOD = '<html lang="en"><title>t</title><link rel="icon" href="data:,"><main><h1>Hello</h1></main></html>'


class Pages(BaseHTTPRequestHandler):
    """Answers with what is asked for, under a strict policy."""

    def do_GET(self) -> None:
        body = self.server.body.encode()  # type: ignore[attr-defined]
        self.send_response(200 if self.path == "/" else 404)
        self.send_header("Content-Type", "text/html")
        self.send_header("Content-Security-Policy", "default-src 'self'; img-src * data:; connect-src *")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args: object) -> None:
        """Say nothing."""


@pytest.fixture
def other() -> Iterator[ThreadingHTTPServer]:
    """A server that shows its `body`."""
    with ThreadingHTTPServer(("127.0.0.1", 0), Pages) as server:
        thread = Thread(target=server.serve_forever)
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.fixture
def complaints_of(browser: Browser, other: ThreadingHTTPServer) -> Complain:
    """Show a body, and return what the page complains of."""

    def complaints_of(body: str) -> list[str]:
        other.body = body  # type: ignore[attr-defined]
        host = f"127.0.0.1:{other.server_port}"
        complaints = Complaints()
        with browser.new_context() as context:
            complaints.watch(context, host)
            page = context.new_page()
            page.goto(f"http://{host}/", wait_until="networkidle")
        return complaints.found

    return complaints_of


def test_good_pages_have_no_complaints(complaints_of: Complain) -> None:
    """A page that does nothing wrong has no complaints."""
    assert complaints_of(GOOD) == []


@pytest.mark.parametrize(
    ("body", "complaint"),
    [
        ("<script>1</script>", "Content Security Policy"),
        ('<p style="color: red">', "Content Security Policy"),
        ('<img src="http://127.0.0.1:9/x.png">', "request to another host: http://127.0.0.1:9/x.png"),
        ('<img src="/gone.png">', "404"),
    ],
)
def test_bad_pages_are_found(complaints_of: Complain, body: str, complaint: str) -> None:
    """Errors, failed requests and calls to other hosts are complaints."""
    assert any(complaint in found for found in complaints_of(GOOD + body))


def test_violations_are_described(browser: Browser) -> None:
    """A violation of WCAG is described in words."""
    with browser.new_context() as context:
        page = context.new_page()
        page.set_content(GOOD)
        accessible(page)
        page.set_content(GOOD.replace("</main>", '<img src="data:,"><input></main>'))
        with pytest.raises(AssertionError, match=r"image-alt \(critical\).*\n    img: <img") as said:
            accessible(page)
        assert "label (critical)" in str(said.value)
        accessible(page, within="h1")


def width(page: Page) -> int:
    return int(page.evaluate("window.innerWidth"))


def test_pages_have_looks(open_page: OpenPage, site: ServerProcess) -> None:
    """Pages are opened light or dark, wide or narrow."""
    is_dark = "matchMedia('(prefers-color-scheme: dark)').matches"
    address = f"{site.url}/admin/login/"
    light, dark = open_page(address), open_page(address, dark=True, narrow=True)
    assert (light.evaluate(is_dark), dark.evaluate(is_dark)) == (False, True)
    assert width(light) > width(dark) == NARROW["width"]


def test_sockets_live_beside_pages(open_page: OpenPage, site: ServerProcess, run: Run) -> None:
    """Sockets live in another thread while pages are looked at."""
    client = run(Client.connect(site.url, site.log_in("+6281200000003")))
    page = open_page(f"{site.url}/admin/login/")
    assert run(client.data_of("session_ready"))["role"] == "passenger"
    assert urlsplit(page.url).path == "/admin/login/"
    assert asyncio.get_running_loop()  # Playwright's, in this thread: which is why `run` has another
    run(client.hang_up())


def test_browsers_are_found(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A browser is found by CHROMIUM, on the PATH, or where Playwright keeps its own."""
    own = tmp_path / "own"
    monkeypatch.delenv("CHROMIUM", raising=False)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert find_browser(str(own)) is None
    own.touch()
    assert find_browser(str(own)) == str(own)
    for name in reversed(PROGRAMS):
        (tmp_path / name).touch(0o755)
        assert find_browser(str(own)) == str(tmp_path / name)
    monkeypatch.setenv("CHROMIUM", "/elsewhere/chrome")
    assert find_browser(str(own)) == "/elsewhere/chrome"


@pytest.mark.parametrize("user", [0, 1000])
def test_only_root_has_no_sandbox(monkeypatch: pytest.MonkeyPatch, user: int) -> None:
    """The sandbox is only switched off for root."""
    monkeypatch.setattr("os.geteuid", lambda: user)
    assert ("--no-sandbox" in launch_options("x")["args"]) == (user == 0)
