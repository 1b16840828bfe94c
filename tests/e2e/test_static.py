"""Static files over HTTP: what a browser may keep, and for how long."""

from __future__ import annotations

import re
from urllib.parse import urljoin

import httpx
import pytest

from devservers.patience import TIMEOUT
from tests.e2e.conftest import StartServer

pytestmark = pytest.mark.e2e

FOR_GOOD = "max-age=31536000, public, immutable"
FOR_A_MINUTE = "max-age=60, public"
IMPORTED = re.compile(r'from "(\./[^"]+)"')


def test_files_of_a_version_are_kept_for_good(start_server: StartServer) -> None:
    """A page names its files by their version, and they name others beside them; any other address is for a minute."""
    server = start_server(DEBUG="")
    with httpx.Client(base_url=server.url, timeout=TIMEOUT) as browser:
        page = browser.get("/admin/login/").text
        files = re.findall(r'(?:src|href)="(/static/[^"]+)"', page)
        script = re.sub(r"(/static/[^/]+/).*", r"\1web/live.js", files[0])
        further = [urljoin(script, name) for name in IMPORTED.findall(browser.get(script).text)]
        assert len(files) > 3
        assert further
        for file in (*files, *further):
            answer = browser.get(file)
            assert (answer.status_code, answer.headers["Cache-Control"]) == (200, FOR_GOOD), file
            again = browser.get(file, headers={"If-None-Match": answer.headers["ETag"]})
            assert (again.status_code, again.headers["Cache-Control"]) == (304, FOR_GOOD)
            _, static, _version, path = file.split("/", 3)
            for other in (f"/{static}/{path}", f"/{static}/{'0' * 16}/{path}"):
                found = browser.get(other)
                assert (found.content, found.headers["Cache-Control"]) == (answer.content, FOR_A_MINUTE)
            missing = browser.get(f"{file}.of-nobody")
            assert (missing.status_code, missing.headers.get("Cache-Control")) == (404, None)
        icon = browser.get("/favicon.ico")
        assert browser.get(icon.headers["Location"]).headers["Cache-Control"] == FOR_GOOD


def test_files_may_change_while_debugging(start_server: StartServer) -> None:
    """Addresses have no version, and a browser asks each time whether a file has changed."""
    server = start_server()
    with httpx.Client(base_url=server.url, timeout=TIMEOUT) as browser:
        files = re.findall(r'(?:src|href)="(/static/[^"]+)"', browser.get("/admin/login/").text)
        assert files
        for file in files:
            answer = browser.get(file)
            assert (answer.status_code, answer.headers["Cache-Control"]) == (200, "max-age=0, public")
            assert file.startswith(("/static/admin/", "/static/web/"))
