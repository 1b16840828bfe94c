"""The whole system, each process under its own user of NATS, with the example's service in place of its matching."""

from __future__ import annotations

import shutil
import signal
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import nats
import pytest

from devservers.servers import NatsServer, ValkeyServer
from devservers.web import ServerProcess
from rides.geo import GeoPoint
from tests.cast import BLOK_M, MONAS, north_of
from tests.e2e.client import Client
from tests.examples.conftest import url_of
from tests.realtime.bridge.conftest import all_is_delivered

pytestmark = pytest.mark.e2e

DEWI, JOKO, PUTRI, SARI = "+6281200000001", "+6281200000002", "+6281200000003", "+6281200000004"
COMMANDS = {
    "bridge": ("manage.py", "run_nats_bridge"),
    "dispatcher": ("manage.py", "run_dispatcher"),
    "matching": ("examples/matching.py",),
    "web": ("manage.py", "serve", "--port", "0"),
}


class System:
    """All processes of ours, by the names of their users."""

    def __init__(self, folder: Path, nats_server: NatsServer, valkey: ValkeyServer) -> None:
        self.nats_server = nats_server
        env = {"REDIS_URL": valkey.url, "MATCH_MAX_DRIVERS": "0", "MATCH_MAX_ATTEMPTS": "10", "SERVE_TIMERS": "0"}
        self.processes = {
            user: ServerProcess(folder, *command, **env, NATS_URL=url_of(nats_server, user))
            for user, command in COMMANDS.items()
        }
        self.web, self.bridge = self.processes["web"], self.processes["bridge"]
        self._clients: list[Client] = []  # kept, since what tells their commands apart is their address in memory

    def start(self, database: Path) -> None:
        """Start everything at once, on a copy of a database."""
        shutil.copy(database, self.web.database)
        for process in self.processes.values():
            process.launch()
        self.web.url = self.web.wait_for(r"NebengJek serves (http://\S+) ")
        self.web.wait_until_it_answers()
        self.bridge.wait_for(r"(Bridging): stream")
        self.processes["matching"].wait_for(r"(Ready): hears ")

    def stop(self) -> None:
        """Stop everything in its own way."""
        codes = {user: process.stop() for user, process in self.processes.items() if process.is_alive}
        assert codes == {user: -signal.SIGTERM if user == "web" else 0 for user in codes}

    @asynccontextmanager
    async def phone_of(self, msisdn: str, *, driver: bool = False) -> AsyncIterator[tuple[Client, str]]:
        """Give a person's connection, and who he is."""
        client = await Client.connect(self.web.url, self.web.log_in(msisdn, driver=driver))
        self._clients.append(client)
        try:
            yield client, (await client.data_of("session_ready"))["user_id"]
        finally:
            await client.hang_up()

    async def check(self) -> None:
        """Check that all run and all was delivered, and that NATS has forbidden nothing to anybody."""
        assert all(process.is_alive for process in self.processes.values())
        client = await nats.connect(url_of(self.nats_server, "bridge"), inbox_prefix="_INBOX_bridge")
        await all_is_delivered(client)
        await client.close()
        output = [line for process in self.processes.values() for line in process.output]
        assert [line for line in output if "violation" in line.lower()] == []


@pytest.fixture(scope="module")
def system(
    guarded_nats: NatsServer, tmp_path_factory: pytest.TempPathFactory, template_database: Path
) -> Iterator[System]:
    """The running system."""
    folder = tmp_path_factory.mktemp("system")
    with ValkeyServer(folder / "valkey") as valkey:
        running = System(folder, guarded_nats, valkey)
        try:
            running.start(template_database)
            yield running
        finally:
            running.stop()


async def succeed(client: Client, kind: str, **data: object) -> None:
    """Send a command that is expected to be taken."""
    answer = await client.do(kind, **data)
    assert answer["type"] == "ack", answer


async def look_for_a_driver(passenger: Client) -> None:
    """Switch a passenger's finder on."""
    await succeed(passenger, "finder_update", is_active=True, location=at(MONAS), target_location=at(BLOK_M))


def at(point: GeoPoint) -> dict[str, float]:
    """Return a place as the contract writes it."""
    return {"latitude": point.latitude, "longitude": point.longitude}


async def test_a_match_becomes_a_ride(system: System) -> None:
    """With matching outside of the server, a driver and a passenger come to a ride."""
    async with system.phone_of(DEWI, driver=True) as (dewi, dewi_id), system.phone_of(PUTRI) as (putri, putri_id):
        await succeed(dewi, "beacon_update", is_active=True)
        await succeed(dewi, "location_update", **at(north_of(MONAS, 500)))
        await look_for_a_driver(putri)
        proposal = await putri.data_of("match_proposal")
        assert proposal == await dewi.data_of("match_proposal")
        assert (proposal["driver_id"], proposal["passenger_id"]) == (dewi_id, putri_id)
        assert proposal["distance_km"] == pytest.approx(0.5, abs=0.01)
        for person in (dewi, putri):
            await succeed(person, "match_confirm", match_id=proposal["match_id"], accepted=True)
        pickup = await putri.data_of("ride_pickup")
        assert pickup == await dewi.data_of("ride_pickup")
        assert pickup["match_id"] == proposal["match_id"]
        await succeed(putri, "sync")
        state = (await putri.data_of("session_ready"))["state"]
        assert (state["ride"]["ride_id"], state["ride"]["status"]) == (pickup["ride_id"], "PICKUP")
        assert (state["ride"]["location"], state["ride"]["target_location"]) == (at(MONAS), at(BLOK_M))
        await succeed(putri, "ride_cancel", ride_id=pickup["ride_id"])
        await dewi.data_of("ride_cancelled")
        await succeed(dewi, "beacon_update", is_active=False)
    await system.check()


async def test_the_next_driver_is_asked(system: System) -> None:
    """When the nearest driver declines, the next is asked."""
    async with (
        system.phone_of(DEWI, driver=True) as (dewi, dewi_id),
        system.phone_of(JOKO, driver=True) as (joko, joko_id),
        system.phone_of(SARI) as (sari, _),
    ):
        await succeed(dewi, "beacon_update", is_active=True, **at(north_of(MONAS, 200)))
        await succeed(joko, "beacon_update", is_active=True, **at(north_of(MONAS, 400)))
        await look_for_a_driver(sari)
        first = await sari.data_of("match_proposal")
        assert first == await dewi.data_of("match_proposal")
        assert first["driver_id"] == dewi_id
        await succeed(dewi, "match_confirm", match_id=first["match_id"], accepted=False)
        assert (await sari.data_of("match_rejected"))["match_id"] == first["match_id"]
        second = await sari.data_of("match_proposal")
        assert second == await joko.data_of("match_proposal")
        assert second["driver_id"] == joko_id
        for person in (joko, sari):
            await succeed(person, "match_confirm", match_id=second["match_id"], accepted=True)
        ride_id = (await joko.data_of("ride_pickup"))["ride_id"]
        await succeed(sari, "ride_cancel", ride_id=ride_id)
        for driver in (dewi, joko):
            await succeed(driver, "beacon_update", is_active=False)
    await system.check()


async def test_the_bridge_has_enough_rights(system: System) -> None:
    """It makes its consumer anew after a restart, gives up what cannot be read, and publishes that again when told."""
    assert system.bridge.stop() == 0
    client = await nats.connect(url_of(system.nats_server, "matching"), inbox_prefix="_INBOX_matching")
    letter = await client.jetstream().publish("match.found", b"unreadable", stream="NEBENGJEK")
    await client.close()
    system.bridge.launch()
    system.bridge.wait_for(rf"(Dead letter): subject=match.found sequence={letter.seq} ")
    done = system.web.manage("replay_dead_letters", "--all")
    assert done.returncode == 0, done.stderr
    again = system.bridge.wait_for(r"Dead letter: subject=match.found sequence=(\d+) ")
    assert int(again) > letter.seq
    await system.check()
