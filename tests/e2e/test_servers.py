"""The other ways to serve."""

from __future__ import annotations

import httpx
import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus

from devservers.process import free_port
from tests.e2e.client import Client, ride_to_pickup
from tests.e2e.conftest import StartServer
from tests.patience import until

pytestmark = pytest.mark.e2e


@pytest.mark.parametrize("name", ["daphne", "runserver"])
async def test_daphne_and_runserver_work(start_server: StartServer, name: str) -> None:
    """Under Daphne and runserver a ride is booked and the timers run."""
    port = str(free_port())
    commands = {
        "daphne": ("-m", "daphne", "-p", port, "nebengjek.asgi:application"),
        "runserver": ("manage.py", "runserver", "--noreload", port),
    }
    url = f"http://127.0.0.1:{port}"
    server = start_server(*commands[name], url=url, MATCH_RESPONSE_TIMEOUT="4s", MATCH_MAX_ATTEMPTS="1")
    tokens = server.log_in("+6281200000001", driver=True), server.log_in("+6281200000003")
    driver, passenger = [await Client.connect(server.url, token) for token in tokens]
    ride_id = await ride_to_pickup(driver, passenger)
    assert (await passenger.do("ride_cancel", ride_id=ride_id))["type"] == "ack"
    assert (await driver.data_of("ride_cancelled"))["ride_id"] == ride_id
    place = {"latitude": 0.0, "longitude": 0.0}
    await passenger.do("finder_update", is_active=True, location=place, target_location=place)
    await passenger.find(lambda frame: frame["data"].get("reason") == "no_driver")
    assert httpx.get(f"{server.url}/health/ready").json()["background"] is True
    await driver.hang_up()
    await passenger.hang_up()


async def test_daphne_limits_are_as_documented(start_server: StartServer) -> None:
    """Daphne closes and refuses with the codes that the table of servers gives."""
    port = str(free_port())
    server = start_server(
        "-m", "daphne", "-p", port, "nebengjek.asgi:application", url=f"http://127.0.0.1:{port}",
        WS_COMMAND_RATE="1", WS_COMMAND_BURST="2", WS_FLOOD_TOLERANCE="3", WS_CONNECT_RATE="8",
    )  # fmt: skip
    token = server.log_in("+6281200000003")

    async def refused(**headers: str) -> int:
        with pytest.raises(InvalidStatus) as caught:
            await connect(f"ws://127.0.0.1:{port}/ws/", additional_headers=headers)
        return caught.value.response.status_code

    bearer = f"Bearer {token}"
    assert await refused() == 403  # 401 with `serve`
    assert await refused(Authorization=bearer, Origin="https://evil.example") == 403
    client = await Client.connect(server.url, token)
    await client.send("x" * 513)
    assert await client.closed_with() == 1011
    client = await Client.connect(server.url, token)
    answers = [(await client.do("sync"))["data"].get("code") for _ in range(4)]
    assert answers[:2] == [None, None]
    assert "RATE_LIMIT" in answers
    for _ in range(10):
        await client.say("sync")
    assert await client.closed_with() == 4429
    codes = [await refused() for _ in range(8)]
    assert set(codes) == {403}  # the last of them because of WS_CONNECT_RATE
    await until(lambda: "Handshake refused: too many from 127.0.0.1" in "".join(server.output))
