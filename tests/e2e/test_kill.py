"""Pulling the plug."""

from __future__ import annotations

import sqlite3
from contextlib import closing

import httpx
import pytest

from devservers.web import ServerProcess
from tests.e2e.client import PLACE, TARGET, Client, ride_to_pickup
from tests.e2e.conftest import StartServer
from tests.patience import until

pytestmark = pytest.mark.e2e
DRIVER, PASSENGER = "+6281200000001", "+6281200000003"
NEVER = "1m"


def waiting(server: ServerProcess) -> list[str]:
    """The subjects that are in the outbox and have not been delivered."""
    with closing(sqlite3.connect(server.database)) as database:
        rows = database.execute("SELECT subject FROM events_outboxevent WHERE published_at IS NULL ORDER BY id")
        return [subject for (subject,) in rows]


async def test_commits_survive_a_kill(start_server: StartServer) -> None:
    """An event whose process died right after the commit is delivered by the next server."""
    server = start_server()
    tokens = server.log_in(DRIVER, driver=True), server.log_in(PASSENGER)
    driver, passenger = [await Client.connect(server.url, token) for token in tokens]
    ride_id = await ride_to_pickup(driver, passenger)
    server.kill()
    # A process that commits and is gone before anything is delivered: it has no relay at all.
    code = (
        "from rides.models import Ride; from rides.services.rides import ride_cancel; "
        f"r = Ride.objects.get(pk='{ride_id}'); ride_cancel(user_id=r.driver_id, ride_id=r.pk, reason='flat tyre'); "
        "import os, signal; os.kill(os.getpid(), signal.SIGKILL)"
    )
    assert server.manage("shell", "--no-imports", "-c", code).returncode == -9
    assert waiting(server)[-1] == "ride.cancelled"
    server = start_server()
    back = await Client.connect(server.url, tokens[1])
    state = (await back.data_of("session_ready"))["state"]
    assert (state["ride"], state["last_ride"]["ride_id"], state["last_ride"]["status"]) == (None, ride_id, "CANCELLED")
    await until(lambda: not waiting(server))
    await back.hang_up()


async def test_other_processes_reach_open_sockets(start_server: StartServer) -> None:
    """What a management command commits reaches connected clients."""
    server = start_server()
    tokens = server.log_in(DRIVER, driver=True), server.log_in(PASSENGER)
    driver, passenger = [await Client.connect(server.url, token) for token in tokens]
    ride_id = await ride_to_pickup(driver, passenger)
    code = f"from rides.services.rides import ride_cancel_by_staff as c; c(ride_id='{ride_id}', reason='test')"
    assert server.manage("shell", "--no-imports", "-c", code).returncode == 0
    for person in (driver, passenger):
        assert (await person.data_of("ride_cancelled"))["cancelled_by"] == "staff"
        await person.hang_up()


async def test_an_answered_command_survives(
    start_server: StartServer,
) -> None:
    """What was answered before SIGKILL is in the state afterwards, and its repetition is answered too."""
    server = start_server()
    tokens = server.log_in(DRIVER, driver=True), server.log_in(PASSENGER)
    driver, passenger = [await Client.connect(server.url, token) for token in tokens]
    await driver.do("beacon_update", is_active=True, **PLACE)
    await passenger.do("finder_update", is_active=True, location=PLACE, target_location=TARGET)
    match_id = (await driver.data_of("match_proposal"))["match_id"]
    for person in (driver, passenger):
        await person.say("match_confirm", "yes", match_id=match_id, accepted=True)
    await driver.find(lambda frame: frame.get("id") == "yes")
    server.kill()
    server = start_server()
    back = await Client.connect(server.url, tokens[0])
    state = (await back.data_of("session_ready"))["state"]
    answer = await back.do("match_confirm", match_id=match_id, accepted=True)
    confirmed = state["ride"] is not None or state["proposals"][0]["match_status"] in ("DRIVER_CONFIRMED",)
    assert confirmed or answer["type"] == "ack"
    await back.say("match_confirm", "yes", match_id=match_id, accepted=True)
    assert (await back.find(lambda frame: frame.get("id") == "yes"))["type"] == "ack"
    await until(lambda: not waiting(server))
    await back.hang_up()


def test_a_second_server_does_not_start(server: ServerProcess) -> None:
    """On SQLite a second `serve` refuses to run, and the first goes on."""
    done = server.manage("serve", "--port", "0")
    assert done.returncode != 0
    assert "Another server runs on" in done.stderr + done.stdout
    assert "NebengJek serves" not in done.stdout
    assert httpx.get(f"{server.url}/health/ready").json()["status"] == "ok"


async def test_positions_are_saved_on_stop(start_server: StartServer) -> None:
    """Positions that were not written yet are in the track after a stop."""
    server = start_server(TRACK_FLUSH_INTERVAL=NEVER)
    tokens = server.log_in(DRIVER, driver=True), server.log_in(PASSENGER)
    driver, passenger = [await Client.connect(server.url, token) for token in tokens]
    ride_id = await ride_to_pickup(driver, passenger)
    await driver.do("ride_start", ride_id=ride_id)
    await driver.do("location_update", **PLACE)
    server.stop()
    server = start_server()
    assert len(server.get(f"/api/rides/{ride_id}/track/", tokens[0]).json()["results"]) == 2
