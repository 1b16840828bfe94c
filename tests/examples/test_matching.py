"""The matching service as a process of its own, on a NATS where the tests play the rest of the system."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from datetime import datetime
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest
from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.aio.subscription import Subscription

from devservers.web import ServerProcess
from events.stream import ID_HEADER, STREAM, ensure_stream
from rides.geo import GeoPoint, distance_km
from tests.cast import BLOK_M, MONAS, north_of
from tests.examples.conftest import settle
from tests.patience import within

pytestmark = pytest.mark.e2e

DEWI, JOKO, PUTRI, SARI = (str(UUID(int=number)) for number in range(1, 5))


class Town:
    """The rest of the system: what it says, and the proposals that it hears."""

    def __init__(self, client: Client, start: Callable[..., ServerProcess]) -> None:
        self.client = client
        self.start = start
        self._found: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self._listening: Subscription | None = None

    async def listen(self) -> None:
        """Hear what is proposed."""

        async def hear(message: Msg) -> None:
            self._found.put_nowait(json.loads(message.data))

        self._listening = await self.client.subscribe("match.found", cb=hear)
        await settle(self.client)

    async def listen_no_more(self) -> None:
        """Let only the stream hear it, if there is one."""
        assert self._listening is not None
        await self._listening.unsubscribe()

    async def say(self, subject: str, event_id: str = "", **data: Any) -> None:
        headers = {ID_HEADER: event_id or str(uuid4())}
        await self.client.publish(subject, json.dumps(data).encode(), headers=headers)

    async def look(self, passenger: str, place: GeoPoint = MONAS, event_id: str = "") -> None:
        places = {"location": as_data(place), "target_location": as_data(BLOK_M)}
        await self.say("user.finder", event_id, user_id=passenger, is_active=True, **places)

    async def give_up(self, passenger: str) -> None:
        await self.say("user.finder", user_id=passenger, is_active=False)

    async def stand_by(self, driver: str, metres: float) -> None:
        """Let a driver be so far to the north of Monas, and return when the service knows it."""
        place = north_of(MONAS, metres)
        await self.say("user.beacon", user_id=driver, is_active=True)
        await self.say("location.update", user_id=driver, **as_data(place))
        probe = str(uuid4())
        await self.look(probe, place)
        assert await self.proposal() == (driver, probe)
        await self.give_up(probe)

    async def found(self) -> dict[str, Any]:
        """Return the next `match.found`."""
        async with within():
            return await self._found.get()

    async def proposal(self) -> tuple[str, str]:
        """Return whom the next proposal is about."""
        found = await self.found()
        return found["driver_id"], found["passenger_id"]

    async def decide(self, subject: str, found: dict[str, Any], **more: Any) -> None:
        people = {name: found[name] for name in ("match_id", "driver_id", "passenger_id")}
        await self.say(subject, **people, **more)


def as_data(point: GeoPoint) -> dict[str, Any]:
    return {"latitude": point.latitude, "longitude": point.longitude}


@pytest.fixture
async def town(nats_client: Client, settings: Any, tmp_path: Path) -> AsyncIterator[Town]:
    """A town in which the service can be started; what still runs at the end is stopped."""
    started: list[ServerProcess] = []

    def start(**env: str) -> ServerProcess:
        process = ServerProcess(tmp_path, "examples/matching.py", NATS_URL=settings.NATS_URL, **env)
        started.append(process.launch())
        process.wait_for(r"(Ready): hears ")
        return process

    town = Town(nats_client, start)
    await town.listen()
    yield town
    for process in started:
        if process.is_alive:
            assert process.stop() == 0


@pytest.fixture
async def service(town: Town) -> ServerProcess:
    """The service, running beside the stream."""
    await ensure_stream(town.client.jetstream())
    return town.start()


async def test_the_nearest_is_asked_first(town: Town, service: ServerProcess) -> None:
    """The nearest driver is asked, and after a refusal the next."""
    await town.stand_by(DEWI, 1000)
    await town.stand_by(JOKO, 300)
    await town.look(PUTRI)
    first = await town.found()
    place = north_of(MONAS, 300)
    expires_at = datetime.fromisoformat(first.pop("expires_at"))
    assert expires_at.tzinfo is not None
    assert first == {
        "match_id": str(UUID(first["match_id"])), "driver_id": JOKO, "passenger_id": PUTRI, "match_status": "PENDING",
        "location": as_data(MONAS), "target_location": as_data(BLOK_M), "driver_location": as_data(place),
        "distance_km": pytest.approx(distance_km(place, MONAS)),
    }  # fmt: skip
    await town.decide("match.rejected", {**first, "match_id": str(uuid4())}, reason="declined")  # of another proposal
    await town.decide("match.rejected", first, reason="declined")
    second = await town.found()
    assert (second["driver_id"], second["passenger_id"]) == (DEWI, PUTRI)
    assert second["match_id"] != first["match_id"]
    await town.decide("match.rejected", second, reason="declined")
    newcomer = str(uuid4())
    await town.say("user.beacon", user_id=newcomer, is_active=True, **as_data(north_of(MONAS, 2000)))
    assert await town.proposal() == (newcomer, PUTRI)


async def test_unavailable_drivers_are_not_asked(town: Town, service: ServerProcess) -> None:
    """Drivers who are too far away or have their beacon off are not asked."""
    await town.stand_by(DEWI, 5100)
    await town.stand_by(JOKO, 100)
    await town.say("user.beacon", user_id=JOKO, is_active=False)
    await town.say("location.update", user_id=SARI, **as_data(MONAS))
    await town.look(PUTRI)
    await town.say("location.update", user_id=DEWI, **as_data(north_of(MONAS, 4900)))
    assert await town.proposal() == (DEWI, PUTRI)


async def test_finished_searches_are_forgotten(town: Town, service: ServerProcess) -> None:
    """A passenger who gave up or has a driver is forgotten."""
    await town.stand_by(DEWI, 100)
    await town.stand_by(JOKO, 200)
    for passenger in (PUTRI, SARI):
        await town.look(passenger)
        found = await town.found()
        if passenger == PUTRI:
            await town.give_up(PUTRI)
        else:
            await town.decide("match.accepted", found)
        await town.decide("match.rejected", found, reason="cancelled")
    newcomer = str(uuid4())
    await town.stand_by(newcomer, 300)  # would be proposed to either
    await town.look(PUTRI)
    assert await town.proposal() == (JOKO, PUTRI)


async def test_riding_drivers_are_asked_later(town: Town, service: ServerProcess) -> None:
    """A driver on a ride is asked when it is over."""
    await town.stand_by(DEWI, 100)
    for passenger, end in ((SARI, "ride.arrived"), (PUTRI, "ride.cancelled")):
        await town.look(passenger)
        found = await town.found()
        assert found["driver_id"] == DEWI
        await town.decide("match.accepted", found)
        waiting = str(uuid4())
        await town.stand_by(JOKO, 200)
        await town.look(waiting)
        found = await town.found()
        assert (found["driver_id"], found["passenger_id"]) == (JOKO, waiting)
        await town.say("user.beacon", user_id=JOKO, is_active=False)
        await town.decide("match.rejected", found, reason="cancelled")
        await town.decide(end, {**found, "driver_id": DEWI, "passenger_id": passenger})
        assert await town.proposal() == (DEWI, waiting)
        await town.give_up(waiting)


async def test_unanswered_offers_give_way(town: Town) -> None:
    """An offer that nobody answers gives way to the next driver."""
    await ensure_stream(town.client.jetstream())
    town.start(MATCHING_PATIENCE="0.2")
    await town.look(PUTRI)
    for driver in (DEWI, JOKO):
        await town.say("user.beacon", user_id=driver, is_active=True, **as_data(MONAS))
        assert await town.proposal() == (driver, PUTRI)


async def test_repeated_searches_are_one(town: Town, service: ServerProcess) -> None:
    """A search that is announced twice is one; a new one asks everybody again."""
    await town.stand_by(DEWI, 100)
    await town.stand_by(JOKO, 200)
    await town.look(PUTRI, event_id="a")
    first = await town.found()
    await town.look(PUTRI, event_id="a")
    await town.look(PUTRI, event_id="b")  # what ended the first search was lost
    second = await town.found()
    assert (first["driver_id"], second["driver_id"]) == (DEWI, DEWI)
    await town.decide("match.rejected", first, reason="cancelled")
    await town.decide("match.rejected", second, reason="declined")
    assert await town.proposal() == (JOKO, PUTRI)


async def test_missing_streams_are_retried(town: Town) -> None:
    """Without a stream it tries again, and the stream has each offer once."""
    await town.listen_no_more()
    service = town.start()
    await town.say("user.beacon", user_id=DEWI, is_active=True, **as_data(MONAS))
    await town.look(PUTRI)
    await settle(town.client)
    match_ids = [service.wait_for(r"Trying again: match=(\S+) ")]
    context = town.client.jetstream()
    await ensure_stream(context)
    await town.look(SARI)
    await settle(town.client)
    match_ids.append(service.wait_for(rf"Proposing: match=(\S+) driver={DEWI} passenger={SARI}"))
    async with within():
        while (await context.stream_info(STREAM)).state.messages < 2:
            await asyncio.sleep(0.02)
    messages = [await context.get_msg(STREAM, number) for number in (1, 2)]
    assert sorted(json.loads(message.data or b"")["match_id"] for message in messages) == sorted(match_ids)
    assert sorted((message.headers or {})[ID_HEADER] for message in messages) == sorted(match_ids)


async def test_nonsense_stops_nothing(town: Town, service: ServerProcess) -> None:
    """Messages that make no sense are passed over."""
    for subject in ("user.beacon", "user.finder", "location.update", "match.accepted", "match.rejected"):
        for payload in (b"", b"[]", b"{}", b'{"user_id": "x", "is_active": true, "latitude": "n", "longitude": "e"}'):
            await town.client.publish(subject, payload)
    await town.stand_by(DEWI, 100)


async def test_sigterm_stops_it(town: Town, service: ServerProcess) -> None:
    """SIGTERM ends it, also during a search."""
    await town.stand_by(DEWI, 100)
    for passenger in (PUTRI, SARI):
        await town.look(passenger)
        assert await town.proposal() == (DEWI, passenger)
    assert service.stop() == 0
    assert service.output[-1].endswith("Done.\n")
