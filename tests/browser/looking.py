"""What a test asks of a page: that it keeps nobody out, and that it keeps to itself."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import BrowserContext, ConsoleMessage, Page

Rules = dict[str, Any]

WCAG: Rules = {"preload": False, "runOnly": {"type": "tag", "values": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa"]}}
"""WCAG 2.1, levels A and AA."""

EVERYTHING: Rules = {}
"""Good practice, too."""

EVERYWHERE = "html"


class Complaints:
    """What pages complain of (also by the Content-Security-Policy), and requests to other hosts than the server's."""

    def __init__(self) -> None:
        self.found: list[str] = []

    def watch(self, context: BrowserContext, host: str) -> None:
        """Note what happens on pages of this context; `host` is that of the server, with its port."""
        context.on("console", self._console)
        context.on("weberror", lambda error: self.found.append(f"page error: {error.error}"))
        context.on("request", lambda request: self._address(request.url, host))
        context.on("page", lambda page: page.on("websocket", lambda socket: self._address(socket.url, host)))

    def _console(self, message: ConsoleMessage) -> None:
        if message.type in ("error", "warning"):
            self.found.append(f"console {message.type}: {message.text}")

    def _address(self, url: str, host: str) -> None:
        parts = urlsplit(url)
        if parts.scheme in ("http", "https", "ws", "wss") and parts.netloc != host:
            self.found.append(f"request to another host: {url}")


def accessible(page: Page, *, within: str = EVERYWHERE, rules: Rules = WCAG) -> None:
    """Fail, in words, where something of the page as it is now keeps people out."""
    answer = Axe().run(page, context=[within], options={**rules, "resultTypes": ["violations"]})
    found = answer.response["violations"]
    assert not found, "\n".join(f"{one['id']} ({one['impact']}): {one['help']}{_places(one)}" for one in found)


def _places(violation: dict[str, Any]) -> str:
    lines = (f"{' '.join(map(str, node['target']))}: {node['html']}" for node in violation["nodes"])
    return "".join(f"\n    {line}" for line in lines)
