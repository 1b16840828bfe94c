"""The other ways to serve."""

from __future__ import annotations

import socket

import httpx
import pytest

from tests.e2e.client import Client, ride_to_pickup
from tests.e2e.conftest import StartServer

pytestmark = pytest.mark.e2e


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.mark.parametrize("name", ["daphne", "runserver"])
async def test_a_ride_is_booked_and_timers_run_on_daphne_too(start_server: StartServer, name: str) -> None:
    port = str(free_port())
    commands = {
        "daphne": ("-m", "daphne", "-p", port, "nebengjek.asgi:application"),
        "runserver": ("manage.py", "runserver", "--noreload", port),
    }
    url = f"http://127.0.0.1:{port}"
    server = start_server(*commands[name], url=url, MATCH_RESPONSE_TIMEOUT="4s", MATCH_MAX_ATTEMPTS="1")
    tokens = server.log_in("+6281200000001", driver=True), server.log_in("+6281200000003")
    driver, passenger = [await Client.open(server.url, token) for token in tokens]
    ride_id = await ride_to_pickup(driver, passenger)
    assert (await passenger.do("ride_cancel", ride_id=ride_id))["type"] == "ack"
    assert (await driver.next("ride_cancelled"))["ride_id"] == ride_id
    place = {"latitude": 0.0, "longitude": 0.0}
    await passenger.do("finder_update", is_active=True, location=place, target_location=place)
    await passenger.find(lambda frame: frame["data"].get("reason") == "no_driver")
    assert httpx.get(f"{server.url}/health/ready").json()["background"] is True
    await driver.close()
    await passenger.close()
