"""The README's story: two people with phones, from login to a paid ride."""

from __future__ import annotations

import asyncio
import math
from functools import partial
from typing import Any

import httpx
import pytest
from websockets.asyncio.client import connect

from devservers.web import ServerProcess
from nebengjek_client import Client, Subscription, ValidationFailed
from tests.clients.people import PLACE, TARGET, Told, book, log_in
from tests.e2e.client import Client as RawClient
from tests.e2e.conftest import StartServer
from tests.patience import until, within

pytestmark = [pytest.mark.e2e, pytest.mark.usefixtures("real_start")]
DRIVER, PASSENGER = "+6281200000001", "+6281200000003"


def metres(degrees: float) -> float:
    """The length of so many degrees of a meridian."""
    return math.radians(degrees) * 6371008.8


async def next_of(frames: Subscription, kind: str) -> dict[str, Any]:
    """The data of the next frame of a type; those before it are read over."""
    async with within():
        async for frame in frames:
            if frame.type == kind:
                return frame.data
    raise AssertionError("The client was closed.")


async def test_a_ride_from_login_to_payment(server: ServerProcess) -> None:
    """Two people log in, meet, ride, pay, and the fare is that of the track."""
    logins = await log_in(server, DRIVER, driver=True), await log_in(server, PASSENGER)
    driver, passenger = [Client(server.url, login["access"], login["refresh"]) for login in logins]
    told = [Told(person) for person in (driver, passenger)]
    heard = passenger.subscribe()
    async with driver, passenger:
        assert (driver.role, passenger.state["allowed_actions"][-1]) == ("driver", "finder_update")
        ride_id = await book(driver, passenger)
        await driver.ride_start(ride_id=ride_id)
        assert (await next_of(heard, "ride_start"))["status"] == "ONGOING"
        for step in range(1, 6):
            await asyncio.sleep(0.3)
            latitude, longitude = PLACE["latitude"] - step * 0.0001, PLACE["longitude"]
            await driver.location_update(latitude=latitude, longitude=longitude, timestamp=driver.now(), accuracy=5)
        assert (await next_of(heard, "location_update"))["ride_id"] == ride_id
        await driver.ride_arrived(ride_id=ride_id, adjustment_factor=0.9)
        distance = metres(0.0005) / 1000
        arrived = await next_of(heard, "ride_arrived")
        assert arrived["distance_km"] == pytest.approx(distance, abs=1e-6)
        total = math.floor(distance * 3000 + 0.5)
        adjusted = total * 9 // 10
        fee = adjusted * 5 // 100
        assert (arrived["total_cost"], arrived["adjusted_cost"]) == (total, adjusted)
        bill = await next_of(heard, "payment_process")
        assert (bill["status"], bill["total_cost"], bill["admin_fee"], bill["driver_payout"]) == (
            "PENDING", adjusted, fee, adjusted - fee,
        )  # fmt: skip
        with pytest.raises(ValidationFailed) as refused:
            await passenger.payment_process(ride_id=ride_id, total_cost=adjusted + 1)
        assert refused.value.field == "total_cost"
        await passenger.payment_process(ride_id=ride_id, total_cost=adjusted, status="REJECTED")
        await passenger.payment_process(ride_id=ride_id, total_cost=adjusted)
        for one in told:
            await until(partial(one.of, "ride_completed"))
            [completed] = one.of("ride_completed")
            assert (completed["ride"]["status"], completed["payment"]["status"]) == ("COMPLETED", "ACCEPTED")
            assert one.numbers == list(range(1, len(one.numbers) + 1))
        detail, track = await passenger.rest.ride(ride_id), await passenger.rest.track(ride_id)
    assert sum(entry["cost"] for entry in detail["ledger"]) == total
    assert sum(line["amount"] for line in detail["lines"]) == adjusted
    assert [point["accepted"] for point in track["results"]] == [True] * 6
    assert httpx.get(bill["qr_code_url"].replace("http://127.0.0.1:8000", server.url)).status_code == 200


async def test_a_lost_phone_resumes(server: ServerProcess) -> None:
    """A client that comes back with `resume` gets exactly what it missed."""
    driver = await RawClient.connect(server.url, server.log_in(DRIVER, driver=True))
    token = server.log_in(PASSENGER)
    passenger = await RawClient.connect(server.url, token)
    ready = await passenger.data_of("session_ready")
    assert (await driver.do("beacon_update", is_active=True, **PLACE))["type"] == "ack"
    await passenger.do("finder_update", is_active=True, location=PLACE, target_location=TARGET)
    match_id = (await passenger.data_of("match_proposal"))["match_id"]
    seen = passenger.numbers[-1]
    passenger.lose_network()
    await driver.do("match_confirm", match_id=match_id, accepted=True)
    await driver.next("match_confirm")
    back = await RawClient.connect(server.url, token, f"?resume={ready['epoch']}:{seen}")
    ready = await back.data_of("session_ready")
    assert (ready["recovered"], ready["seq"]) == (True, seen)
    assert (await back.data_of("match_confirm"))["match_status"] == "DRIVER_CONFIRMED"
    assert back.numbers == [seen + 1]
    await driver.hang_up()
    await back.hang_up()


async def test_unanswered_offers_expire(start_server: StartServer) -> None:
    """An offer that nobody answers expires, and the search ends with `no_driver`."""
    server = start_server(MATCH_RESPONSE_TIMEOUT="300ms", MATCH_SEARCH_INTERVAL="100ms", TIMERS_INTERVAL="50ms")
    driver = await RawClient.connect(server.url, server.log_in(DRIVER, driver=True))
    passenger = await RawClient.connect(server.url, server.log_in(PASSENGER))
    await driver.do("beacon_update", is_active=True, **PLACE)
    await passenger.do("finder_update", is_active=True, location=PLACE, target_location=TARGET)
    assert (await driver.data_of("match_rejected"))["reason"] == "expired"
    await passenger.next("match_rejected")
    ended = await passenger.data_of("finder_update")
    assert (ended["is_active"], ended["reason"]) == (False, "no_driver")
    await driver.hang_up()
    await passenger.hang_up()


async def test_browsers_connect_with_a_subprotocol(server: ServerProcess) -> None:
    """A browser passes its token as the subprotocol pair `bearer, <token>`."""
    token = server.log_in(PASSENGER)
    address = server.url.replace("http", "ws", 1) + "/ws/"
    async with connect(address, subprotocols=["bearer", token], origin=server.url) as socket:  # type: ignore[list-item, arg-type]
        assert socket.subprotocol == "bearer"
        assert '"session_ready"' in str(await socket.recv())
