"""Every frame of real rides over real sockets is what the AsyncAPI document says, and all that it tells of comes."""

from __future__ import annotations

import asyncio
import json
import sqlite3
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import pytest

from common.errors import ErrorCode
from common.examples import example_of
from devservers.web import ServerProcess
from realtime.commands.routes import ROUTES
from tests.contract import faults
from tests.e2e.client import PLACE, TARGET, Client, ride_to_pickup
from tests.e2e.conftest import StartServer

pytestmark = pytest.mark.e2e
DRIVER, PASSENGER, OTHER = "+6281200000001", "+6281200000003", "+6281200000004"
RELEASED = {
    *("session_ready", "location_update", "token_expiring", "server_restarting", "ack", "error"),
    *(
        "beacon_update",
        "finder_update",
        "match_proposal",
        "match_confirm",
        "match_rejected",
        "ride_pickup",
        "ride_start",
    ),
    *("ride_arrived", "payment_process", "ride_completed", "ride_cancelled"),
}
"""What the server sent in version 0.1.0."""
SEARCH = {"is_active": True, "location": PLACE, "target_location": TARGET}


class RecordedClient(Client):
    """A client that also keeps what it says."""

    said: list[dict[str, Any]]

    async def say(self, kind: str, command_id: str | None = None, /, **data: Any) -> None:
        """Send a command, and keep it."""
        self.said.append({"type": kind, "data": data, **({"id": command_id} if command_id else {})})
        await super().say(kind, command_id, **data)

    async def told(self, kind: str, **fields: Any) -> None:
        """Wait until a frame has come, now or before, that has these fields."""
        await self.find(lambda frame: frame["type"] == kind and frame["data"].items() >= fields.items())


class Story:
    """All that is said and heard on the sockets of a test."""

    def __init__(self) -> None:
        self.clients: list[RecordedClient] = []

    async def connect(self, server: ServerProcess, token: str, query: str = "") -> RecordedClient:
        """Open a socket."""
        client = await RecordedClient.connect(server.url, token, query)
        assert isinstance(client, RecordedClient)
        client.said = []
        self.clients.append(client)
        return client

    @property
    def said(self) -> list[dict[str, Any]]:
        """All commands."""
        return [frame for client in self.clients for frame in client.said]

    @property
    def heard(self) -> list[dict[str, Any]]:
        """All frames of the servers."""
        return [frame for client in self.clients for frame in client.frames]

    def values(self, kind: str, field: str) -> set[Any]:
        """Return what a field was in the frames of a type that have it."""
        return {frame["data"][field] for frame in self.heard if frame["type"] == kind and field in frame["data"]}


async def test_all_frames_match_the_document(start_server: StartServer) -> None:
    """Every frame of real rides is valid by the AsyncAPI document, and every kind of frame occurs."""
    story = Story()
    await in_a_hurry(story, start_server)
    server = start_server(JWT_EXPIRATION="5", WS_TOKEN_NOTICE="10m", MATCH_MAX_OPEN_OFFERS="0")
    tokens = server.log_in(DRIVER), server.log_in(PASSENGER), server.log_in(OTHER)
    driver, passenger, other = [await story.connect(server, token) for token in tokens]
    await proposals_that_come_to_nothing(driver, passenger)
    await rides_that_are_called_off(driver, passenger, other)
    await a_whole_ride(driver, passenger)
    await driver.do("token_refresh", token=tokens[0])
    await everything_else(story, driver, passenger)
    await a_resumed_session(story, server, tokens[1])
    await mistakes(driver)
    await a_server_without_its_table(server, driver)
    for client in story.clients:
        await client.hang_up()
    assert faults_of(story.heard, "Message") == []
    assert faults_of(story.said, "Command") == []
    assert_all_was_heard(story)


def faults_of(frames: list[dict[str, Any]], kind: str) -> list[str]:
    """Return what is wrong with frames by the document."""
    return [f"{frame['type']} {fault}" for frame in frames for fault in faults(kind, frame)]


def assert_all_was_heard(story: Story) -> None:
    """Nothing in the document is only there."""
    assert {frame["type"] for frame in story.said} == set(ROUTES)
    assert {frame["type"] for frame in story.heard} >= RELEASED
    assert story.values("finder_update", "reason") == {"no_driver"}
    assert story.values("match_rejected", "reason") == {"declined", "expired", "taken", "cancelled"}
    assert story.values("match_confirm", "match_status") == {"DRIVER_CONFIRMED", "PASSENGER_CONFIRMED", "ACCEPTED"}
    assert story.values("payment_process", "status") == {"PENDING", "REJECTED", "ACCEPTED"}
    assert story.values("ride_cancelled", "cancelled_by") == {"driver", "passenger"}
    assert story.values("session_ready", "recovered") == {True, False}
    assert story.values("session_ready", "role") == {"driver", "passenger"}
    assert story.values("error", "code") == set(ErrorCode)


async def in_a_hurry(story: Story, start_server: StartServer) -> None:
    """Nobody is found, a proposal expires, there are too many commands, and the server restarts."""
    server = start_server(
        MATCH_RESPONSE_TIMEOUT="300ms", MATCH_SEARCH_INTERVAL="100ms", MATCH_MAX_ATTEMPTS="1", TIMERS_INTERVAL="50ms",
        WS_COMMAND_RATE="1", WS_COMMAND_BURST="10",
    )  # fmt: skip
    tokens = server.log_in(DRIVER, driver=True), server.log_in(PASSENGER)
    driver, passenger = [await story.connect(server, token) for token in tokens]
    await passenger.do("finder_update", **SEARCH)
    await passenger.told("finder_update", is_active=False, reason="no_driver")
    await driver.do("beacon_update", is_active=True, **PLACE)
    await passenger.do("finder_update", **SEARCH)
    await driver.told("match_rejected", reason="expired")
    for _ in range(20):
        await passenger.do("sync")
    await driver.do("beacon_update", is_active=False)
    await asyncio.to_thread(server.stop)
    await driver.told("server_restarting")


async def proposals_that_come_to_nothing(driver: RecordedClient, passenger: RecordedClient) -> None:
    """One is declined, one is cancelled after one side has confirmed."""
    await driver.do("beacon_update", is_active=True, **PLACE)
    await passenger.do("finder_update", **SEARCH)
    match_id = (await driver.data_of("match_proposal"))["match_id"]
    await driver.do("match_confirm", match_id=match_id, accepted=False)
    await passenger.told("match_rejected", match_id=match_id, reason="declined")
    await passenger.do("finder_update", is_active=False)
    await passenger.do("finder_update", **SEARCH)
    match_id = (await driver.data_of("match_proposal"))["match_id"]
    await passenger.do("match_confirm", match_id=match_id, accepted=True)
    await passenger.do("sync")
    await passenger.do("finder_update", is_active=False)
    await driver.told("match_rejected", match_id=match_id, reason="cancelled")


async def rides_that_are_called_off(driver: RecordedClient, passenger: RecordedClient, other: RecordedClient) -> None:
    """Two passengers ask one driver; the one who is not chosen hears so. Then each side cancels one ride."""
    await other.do("finder_update", **SEARCH)
    await driver.data_of("match_proposal")
    ride_id = await ride_to_pickup(driver, passenger)
    await other.told("match_rejected", reason="taken")
    await other.do("finder_update", is_active=False)
    await driver.do("ride_cancel", ride_id=ride_id, reason="A flat tyre.")
    ride_id = await ride_to_pickup(driver, passenger)
    await passenger.do("ride_cancel", ride_id=ride_id)
    await driver.told("ride_cancelled", ride_id=ride_id, cancelled_by="passenger")


async def a_whole_ride(driver: RecordedClient, passenger: RecordedClient) -> None:
    """From the proposal to the payment, with a look at the state at every stage."""
    ride_id = await ride_to_pickup(driver, passenger)
    await look_at_the_state(driver, passenger)
    await driver.do("ride_start", ride_id=ride_id, **PLACE)
    for step in range(1, 4):
        place = {**PLACE, "latitude": PLACE["latitude"] - step * 0.0001}
        now = datetime.now(UTC).isoformat()
        await driver.say("location_update", None, **place, timestamp=now, accuracy=4.5, speed=9, heading=180)
        await passenger.say("location_update", None, **place)
    await passenger.told("location_update", ride_id=ride_id)
    await look_at_the_state(driver, passenger)
    await driver.do("ride_arrived", ride_id=ride_id, adjustment_factor=0.9)
    cost = (await passenger.data_of("ride_arrived"))["adjusted_cost"]
    await look_at_the_state(driver, passenger)
    for status in ("REJECTED", "ACCEPTED"):
        await passenger.do("payment_process", ride_id=ride_id, total_cost=cost, status=status)
    await driver.told("ride_completed")
    await look_at_the_state(driver, passenger)


async def look_at_the_state(*clients: RecordedClient) -> None:
    """Ask for `session_ready`."""
    for client in clients:
        await client.do("sync")


async def a_resumed_session(story: Story, server: ServerProcess, token: str) -> None:
    """Come back twice: the second time knowing the place in the stream."""
    ready = await (await story.connect(server, token)).data_of("session_ready")
    resume = f"?resume={ready['epoch']}:{ready['seq'] - 2}"
    back = await story.connect(server, token, resume)
    await back.told("session_ready", recovered=True)
    await back.told("ride_completed")


async def everything_else(story: Story, driver: RecordedClient, passenger: RecordedClient) -> None:
    """Send an example of each command that was not sent yet: it is carried out or refused as documented."""
    for kind in set(ROUTES) - {frame["type"] for frame in story.said}:
        client = driver if "driver" in ROUTES[kind].roles else passenger
        answer = await client.do(kind, **example_of(ROUTES[kind].command))
        assert answer["data"].get("code") != ErrorCode.INTERNAL_ERROR


async def mistakes(driver: RecordedClient) -> None:
    """Say what is no frame, what is none of the contract, and what is not allowed; each gets an error."""
    bad: list[str | Mapping[str, Any]] = [
        "{",
        {"type": "sync"},
        {"type": "ride_begin", "data": {}, "id": "unknown"},
        {"type": "finder_update", "data": {}, "id": "role"},
        {"type": "ride_start", "data": {"ride_id": "x"}, "id": "field"},
        {"type": "beacon_update", "data": {"is_active": True, "latitude": 1}, "id": "state"},
    ]
    before = len(_errors(driver))
    for frame in bad:
        await driver.send(frame if isinstance(frame, str) else json.dumps(frame))
    await driver.find(lambda _frame: len(_errors(driver)) == before + len(bad))


def _errors(client: RecordedClient) -> list[dict[str, Any]]:
    return [frame for frame in client.frames if frame["type"] == "error"]


async def a_server_without_its_table(server: ServerProcess, driver: RecordedClient) -> None:
    """Ask for what the server cannot do for a fault of its own."""
    database = sqlite3.connect(server.database)
    database.execute("ALTER TABLE rides_beacon RENAME TO rides_beacon_of_yesterday")
    database.close()
    assert (await driver.do("beacon_update", is_active=False))["data"]["code"] == ErrorCode.INTERNAL_ERROR
