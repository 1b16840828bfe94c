"""Staff ends a connection in the admin, on another process than the one that has it."""

from __future__ import annotations

import re
from contextlib import closing

import httpx
import pytest

from devservers.topology import Topology
from devservers.web import ServerProcess
from tests.e2e.client import Client
from tests.patience import TIMEOUT

pytestmark = pytest.mark.e2e
PASSENGER, STAFF = "+6281200000003", "+6281200000099"
URL = "/admin/realtime/liveconnection/"


def staff_of(server: ServerProcess) -> httpx.Client:
    """Return a browser in which a superuser is logged in."""
    code = f"from users.models import User; User.objects.create_superuser('{STAFF}', 'a long password')"
    done = server.manage("shell", "--no-imports", "-c", code)
    assert done.returncode == 0, done.stderr
    browser = httpx.Client(base_url=server.url, timeout=TIMEOUT, follow_redirects=True)
    post(browser, "/admin/login/", username=STAFF, password="a long password", next="/admin/")
    return browser


def post(browser: httpx.Client, path: str, **body: str) -> str:
    """Send a form of a page."""
    browser.get(path)
    token = browser.cookies["csrftoken"]
    answer = browser.post(path, data={**body, "csrfmiddlewaretoken": token}, headers={"Referer": str(browser.base_url)})
    assert answer.status_code == 200, answer.text
    return answer.text


async def test_connections_are_ended_across_processes(topology: Topology) -> None:
    """Staff finds a connection in the admin of one process and ends it on another."""
    one, other = topology.webs
    token = one.log_in(PASSENGER)
    socket = await Client.connect(one.url, token)
    await socket.data_of("session_ready")
    with closing(staff_of(other)) as browser:
        await socket.do("sync")
        page = browser.get(URL, params={"q": "0812-0000-0003"}).text
        [connection] = re.findall(r'name="connection" value="([0-9a-f-]{36})"', page)
        said = post(browser, URL, action="disconnect", connection=connection, confirmed="yes")
        assert "Disconnected by support: 1 of 1." in said
    assert (await socket.data_of("server_restarting"))["reconnect_after"] == 0
    assert await socket.closed_with() == 1012
    again = await Client.connect(one.url, token)
    await again.data_of("session_ready")
    await again.hang_up()
