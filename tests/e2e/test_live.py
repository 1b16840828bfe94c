"""The live map's socket on real servers: who gets in, and that each process shows the whole system."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from typing import Any

import httpx
import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import InvalidStatus

from devservers.topology import Topology
from devservers.web import ServerProcess
from tests.e2e.client import PLACE, Client, ride_to_pickup
from tests.patience import TIMEOUT, within

pytestmark = pytest.mark.e2e
DRIVER, PASSENGER, STAFF = "+6281200000001", "+6281200000003", "+6281200000098"
PASSWORD = "a password for tests only"

Items = dict[str, dict[str, Any]]


def cookie_of_staff(server: ServerProcess) -> str:
    """Make a member of staff, and log him in to the admin; the session cookie."""
    server.env["DJANGO_SUPERUSER_PASSWORD"] = PASSWORD
    made = server.manage("createsuperuser", "--noinput", "--msisdn", STAFF)
    assert made.returncode == 0, made.stderr
    with httpx.Client(base_url=server.url, timeout=TIMEOUT) as client:
        token = client.get("/admin/login/").cookies["csrftoken"]
        form = {"username": STAFF, "password": PASSWORD, "csrfmiddlewaretoken": token}
        answer = client.post("/admin/login/?next=/live/", data=form)
        assert answer.headers["location"] == "/live/"
        assert client.get("/live/").status_code == 200
        return client.cookies["sessionid"]


def look_at(server: ServerProcess, cookie: str, origin: str | None = None) -> connect:
    """A connection as a browser on a page of this origin makes it; without one, of the server's own."""
    headers = {"Cookie": f"sessionid={cookie}"}
    url = server.url.replace("http", "ws", 1) + "/live/ws/"
    return connect(url, additional_headers=headers, origin=origin or server.url, max_size=None)  # type: ignore[arg-type]


async def until(socket: ClientConnection, is_so: Callable[[Items, Any], object]) -> tuple[Items, Any]:
    """Look until something is so of the drivers and the figures."""
    drivers: Items = {}
    async with within():
        while True:
            data = json.loads(await socket.recv())["data"]
            for item in data["drivers"]["set"]:
                drivers.setdefault(item["id"], {}).update(item)
            await socket.send("{}")
            if is_so(drivers, data["figures"]):
                return drivers, data["figures"]


async def test_only_staff_see_the_town(server: ServerProcess) -> None:
    """The live map refuses strangers with 403, serves staff, and closes with 4401 when they are staff no longer."""
    cookie = await asyncio.to_thread(cookie_of_staff, server)
    for attempt in (look_at(server, "nonsense"), look_at(server, cookie, "https://evil.example.com")):
        with pytest.raises(InvalidStatus) as refused:
            await attempt
        assert refused.value.response.status_code == 403
    async with look_at(server, cookie) as socket:
        await until(socket, lambda drivers, figures: figures["processes"] == {})
        shut_out = "from users.models import User; User.objects.update(is_staff=False)"
        await asyncio.to_thread(server.manage, "shell", "-c", shut_out)
        async with within():
            await socket.wait_closed()
        assert socket.close_code == 4401
    assert "ERROR" not in "".join(server.output)


async def test_many_processes_are_one_town(topology: Topology) -> None:
    """Each process shows the drivers, rides and connections of all processes."""
    one, other = topology.webs
    errors = topology.output().count("ERROR")
    cookie = await asyncio.to_thread(cookie_of_staff, one)
    driver = await Client.connect(one.url, one.log_in(DRIVER, driver=True))
    passenger = await Client.connect(other.url, other.log_in(PASSENGER))
    async with look_at(other, cookie) as socket:
        ride_id = await ride_to_pickup(driver, passenger)
        await driver.do("location_update", **PLACE)
        drivers, figures = await until(socket, lambda drivers, _: ride_id in [d["ride"] for d in drivers.values()])
        (shown,) = [one for one in drivers.values() if one["ride"] == ride_id]
        assert shown["place"] == [PLACE["latitude"], PLACE["longitude"]]
        assert (shown["state"], shown["online"]) == ("pickup", True)
        assert figures["connections"] == {"passenger": 1, "driver": 1}
        assert sorted(figures["processes"].values()) == [1, 1]
    for person in (driver, passenger):
        await person.hang_up()
    assert topology.output().count("ERROR") == errors
