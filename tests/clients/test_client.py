"""The client on a real server, over a network that can be cut, through everything that ends a connection."""

from __future__ import annotations

import asyncio
import math
import time
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any
from weakref import WeakKeyDictionary

import jwt
import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus

from devservers.process import free_port
from devservers.topology import Topology
from devservers.web import ServerProcess
from nebengjek.settings import DEVELOPMENT_SECRET
from nebengjek_client import (
    Client,
    ClientClosed,
    CommandExpired,
    ConnectFailed,
    LoginRequired,
    QueueFull,
    Replaced,
    Tokens,
    Unauthorized,
    ValidationFailed,
)
from rides.geo import GeoPoint, distance_km
from tests.clients.network import Network, network_to
from tests.clients.people import DEWI, PLACE, PUTRI, TARGET, Told, book, log_in
from tests.clients.script import Script, ScriptedServer, scripted_server
from tests.e2e.conftest import StartServer
from tests.patience import until, within

pytestmark = pytest.mark.e2e
BEGUN: WeakKeyDictionary[Client, datetime] = WeakKeyDictionary()
"""When each driver began to drive."""
STEP = math.degrees(0.01 / 6371.0088)
"""Ten metres of a meridian."""
"""So many degrees of a meridian."""


def serve() -> tuple[str, ...]:
    """The server command on a port to which the clients come back."""
    return "manage.py", "serve", "--port", str(free_port())


def short_lived(access: str, seconds: float) -> str:
    """The same token, but for its end."""
    claims = jwt.decode(access, DEVELOPMENT_SECRET, algorithms=["HS256"])
    return jwt.encode({**claims, "exp": time.time() + seconds}, DEVELOPMENT_SECRET, algorithm="HS256")


def has_heard(told: Told, kind: str, count: int) -> bool:
    return told.types.count(kind) == count


async def offline(client: Client, network: Network) -> None:
    network.cut()
    await until(lambda: not client.connected)


# --- the network ---


async def test_lost_answers_are_repeated(server: ServerProcess) -> None:
    """A command whose answer is lost is done once and answered."""
    dewi, putri = await log_in(server, DEWI, driver=True), await log_in(server, PUTRI)
    async with network_to(server.url) as network, Client(server.url, dewi["access"]) as driver:
        passenger = Client(network.url, putri["access"])
        told = Told(passenger)
        async with passenger:
            ride_id = await book(driver, passenger)
            cancelled = driver.subscribe("ride_cancelled")
            network.lose_answers()
            command = asyncio.create_task(passenger.ride_cancel(ride_id=ride_id, reason="rain"))
            assert (await anext(cancelled)).data["reason"] == "rain"
            await offline(passenger, network)
            assert not command.done()
            network.heal()
            assert await command == {}  # a second cancellation would be refused
            await until(lambda: "ride_cancelled" in told.types)
            with pytest.raises(ValidationFailed):
                await passenger.ride_cancel(ride_id=ride_id)
    assert told.types.count("ride_cancelled") == 1
    assert told.numbers == list(range(1, len(told.numbers) + 1))


async def test_cut_networks_lose_nothing(server: ServerProcess) -> None:
    """Notifications come once and in order however often the network is cut."""
    dewi, putri = await log_in(server, DEWI, driver=True), await log_in(server, PUTRI)
    async with network_to(server.url) as network, Client(server.url, dewi["access"]) as driver:
        passenger = Client(network.url, putri["access"])
        told, heard = Told(passenger), Told(driver)
        async with passenger:
            proposals = driver.subscribe("match_proposal")
            await driver.beacon_update(is_active=True, **PLACE)
            for cuts in range(4):
                await passenger.finder_update(is_active=True, location=PLACE, target_location=TARGET)
                match_id = (await anext(proposals)).data["match_id"]
                network.lose_answers()
                await driver.match_confirm(match_id=match_id, accepted=True)
                off = asyncio.create_task(passenger.finder_update(is_active=False))
                await until(partial(has_heard, heard, "match_rejected", cuts + 1))
                await offline(passenger, network)
                network.heal()
                await off
            await until(lambda: told.types.count("match_rejected") == 4)
            await passenger.sync()
        sessions = told.of("session_ready")
    assert [session["recovered"] for session in sessions[1:]] == [True] * 5
    assert told.numbers == list(range(1, len(told.numbers) + 1))
    kinds = [kind for kind in told.types if kind not in ("session_ready", "disconnected", "closed")]
    assert kinds.count("finder_update") == 8
    assert kinds.count("match_confirm") == 4


async def test_offline_commands_keep_their_order(server: ServerProcess) -> None:
    """Commands given offline are carried out in their order."""
    login = await log_in(server, DEWI, driver=True)
    async with network_to(server.url) as network:
        client = Client(network.url, login["access"])
        told = Told(client)
        async with client:
            await offline(client, network)
            wanted = [n % 2 == 0 for n in range(8)]
            commands = [asyncio.create_task(client.beacon_update(is_active=state)) for state in wanted]
            await asyncio.sleep(0.1)
            assert not any(command.done() for command in commands)
            network.heal()
            await asyncio.gather(*commands)
            await until(lambda: len(told.of("beacon_update")) == len(wanted))
    assert [data["is_active"] for data in told.of("beacon_update")] == wanted


async def test_the_offline_queue_is_bounded(server: ServerProcess) -> None:
    """Offline, the queue is bounded in number and age, and a cancelled command is withdrawn."""
    login = await log_in(server, DEWI, driver=True)
    async with network_to(server.url) as network:
        client = Client(network.url, login["access"], queue_max=2, queue_max_age=4)
        told = Told(client)
        async with client:
            await offline(client, network)
            old = asyncio.create_task(client.beacon_update(is_active=True))
            withdrawn = asyncio.create_task(client.sync())
            await asyncio.sleep(0)
            with pytest.raises(QueueFull):
                await client.sync()
            withdrawn.cancel()
            with pytest.raises(asyncio.CancelledError):
                await withdrawn
            with pytest.raises(CommandExpired) as caught:
                await old
            assert not caught.value.sent
            network.heal()
            await client.sync()
            assert client.state["beacon"] == {"is_active": False}
    assert told.of("beacon_update") == []


async def test_passengers_send_their_latest_position() -> None:
    """Of a passenger's positions offline only the latest is sent."""

    async def greet(script: Script) -> None:
        await script.greet(role="passenger")

    async with (
        scripted_server(on_open=greet) as server, network_to(server.url) as network, Client(network.url, "a") as client,
    ):  # fmt: skip
        await client.location_update(latitude=1, longitude=1)
        await until(lambda: len(server.frames) == 1)
        await offline(client, network)
        for latitude in (2, 3):
            await client.location_update(latitude=latitude, longitude=1, timestamp=datetime.now(UTC), accuracy=5)
        later = asyncio.create_task(client.sync())
        await asyncio.sleep(0)
        network.heal()
        await later
        await client.location_update(latitude=4, longitude=1)
        await until(lambda: len(server.frames) == 4)
    assert shown(server) == [("location_update", 1), ("location_update", 3), ("sync", None), ("location_update", 4)]


async def test_drivers_send_all_positions() -> None:
    """A driver's positions are all sent, in their order among commands."""
    async with scripted_server() as server, network_to(server.url) as network, Client(network.url, "a") as client:
        await client.sync()
        await client.location_update(latitude=1, longitude=1)
        await until(lambda: len(server.frames) == 2)
        await offline(client, network)
        for latitude in (2, 3):
            await client.location_update(latitude=latitude, longitude=1)
        later = asyncio.create_task(client.beacon_update(is_active=False))
        await asyncio.sleep(0)
        await client.location_update(latitude=4, longitude=1, timestamp="2030-01-01T00:00:00Z")
        network.heal()
        await later
        await until(lambda: len(server.frames) == 7)
    names = "location_update"
    assert shown(server) == [
        ("sync", None), (names, 1), (names, 1), (names, 2), (names, 3), ("beacon_update", None), (names, 4)
    ]  # fmt: skip
    moments = [frame["data"]["timestamp"] for frame in server.frames if frame["type"] == names]
    assert moments[0] == moments[1]
    assert moments == sorted(moments)


async def begin_ride(driver: Client, passenger: Client) -> str:
    ride_id = await book(driver, passenger)
    await driver.ride_start(ride_id=ride_id)
    return ride_id


async def drive(driver: Client, first: int, last: int, later: int = 0, east: float = 0) -> None:
    """Drive on to the south, ten metres a second by the phone's clock, which runs faster than ours."""
    for step in range(first, last + 1):
        await asyncio.sleep(0.03)
        latitude, longitude = PLACE["latitude"] - step * STEP, PLACE["longitude"] + east
        at = BEGUN.setdefault(driver, driver.now()) + timedelta(seconds=step + later)
        await driver.location_update(latitude=latitude, longitude=longitude, timestamp=at, accuracy=5)


async def test_a_tunnel_is_paid(server: ServerProcess) -> None:
    """Positions collected without a network count for the fare."""
    dewi, putri = await log_in(server, DEWI, driver=True), await log_in(server, PUTRI)
    async with (
        network_to(server.url) as network,
        Client(network.url, dewi["access"]) as driver,
        Client(server.url, putri["access"]) as passenger,
    ):
        ride_id = await begin_ride(driver, passenger)
        arrived = passenger.subscribe("ride_arrived")
        await drive(driver, 1, 10)
        network.lose_what_is_said()  # the socket takes what nobody gets
        await drive(driver, 11, 20)
        await offline(driver, network)
        # a way that a straight line from the tunnel's one end to the other would miss
        await drive(driver, 20, 20, later=10, east=0.001)
        await drive(driver, 20, 30, later=20)
        arriving = asyncio.create_task(driver.ride_arrived(ride_id=ride_id))
        await asyncio.sleep(0)
        network.heal()
        await arriving
        aside = distance_km(
            GeoPoint(PLACE["latitude"] - 20 * STEP, PLACE["longitude"]),
            GeoPoint(PLACE["latitude"] - 20 * STEP, PLACE["longitude"] + 0.001),
        )
        bill = (await anext(arrived)).data
        track = await passenger.rest.track(ride_id)
    assert bill["distance_km"] == pytest.approx(0.3 + 2 * aside, abs=1e-6)
    assert sum(point["accepted"] for point in track["results"]) >= 33


async def test_a_killed_server_costs_no_metre(start_server: StartServer) -> None:
    """Positions that were on their way to a killed server count for the fare."""
    command = serve()
    server = start_server(*command, TRACK_FLUSH_INTERVAL="60s")  # so nothing is booked that nobody asks for
    dewi, putri = await log_in(server, DEWI, driver=True), await log_in(server, PUTRI)
    driver, passenger = Client(server.url, dewi["access"]), Client(server.url, putri["access"])
    async with driver, passenger:
        ride_id = await begin_ride(driver, passenger)
        shown = passenger.subscribe("location_update")
        await drive(driver, 1, 20)
        async with within():
            await anext(shown)
        await asyncio.to_thread(server.kill)
        await drive(driver, 21, 25)
        await asyncio.to_thread(start_server, *command, TRACK_FLUSH_INTERVAL="60s")
        async with within():
            await driver.ride_arrived(ride_id=ride_id)
        detail, track = await driver.rest.ride(ride_id), await driver.rest.track(ride_id)
    assert detail["distance_km"] == pytest.approx(0.25, abs=1e-6)
    assert track["count"] == 26


async def test_confirmed_positions_are_not_repeated(start_server: StartServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """Positions that were confirmed survive a kill and are not sent again."""
    monkeypatch.setattr("nebengjek_client.queue.CONFIRM_INTERVAL", 0.2)
    command = serve()
    server = start_server(*command, TRACK_FLUSH_INTERVAL="60s")
    dewi, putri = await log_in(server, DEWI, driver=True), await log_in(server, PUTRI)
    sent: list[dict[str, Any]] = []
    answered: set[str] = set()

    def look(direction: str, frame: dict[str, Any]) -> None:
        if direction == "->" and frame["type"] == "location_update":
            sent.append(frame)
        elif frame["type"] == "ack":
            answered.add(frame["id"])

    async with (
        Client(server.url, dewi["access"], trace=look) as driver,
        Client(server.url, putri["access"]) as passenger,
    ):
        ride_id = await begin_ride(driver, passenger)
        await drive(driver, 1, 20)
        await until(lambda: len(sent) >= 20 and answered & {frame.get("id") for frame in sent})
        await asyncio.to_thread(server.kill)
        await asyncio.to_thread(start_server, *command)
        async with within():
            await driver.ride_arrived(ride_id=ride_id)
        detail = await driver.rest.ride(ride_id)
    moments = [frame["data"]["timestamp"] for frame in sent]
    assert moments.count(moments[0]) == 1
    assert detail["distance_km"] == pytest.approx(0.2, abs=1e-6)


def shown(server: ScriptedServer) -> list[tuple[str, Any]]:
    return [(frame["type"], frame["data"].get("latitude")) for frame in server.frames]


# --- the server ---


async def test_restarts_bring_the_new_state(start_server: StartServer) -> None:
    """A server that restarts announces it, and the client takes the new state."""
    command = serve()
    server = start_server(*command)
    login = await log_in(server, DEWI, driver=True)
    client = Client(server.url, login["access"], login["refresh"])
    told = Told(client)
    async with client:
        await client.beacon_update(is_active=True, **PLACE)
        await asyncio.to_thread(server.stop)
        await until(lambda: not client.connected)
        [announced] = told.of("server_restarting")
        gone = told.of("disconnected")[0]
        assert (gone["code"], gone["retry_in"]) == (1012, announced["reconnect_after"])
        off = asyncio.create_task(client.beacon_update(is_active=False))
        await asyncio.to_thread(start_server, *command)
        async with within():
            await off
        first, second = told.of("session_ready")
        assert (second["recovered"], second["epoch"] != first["epoch"]) == (False, True)
        assert second["state"]["beacon"] == {"is_active": True}


async def test_histories_outlive_servers(tmp_path: Path, template_cluster: Path) -> None:
    """A history that outlives the server is resumed."""
    with Topology(tmp_path, webs=1, bridges=1).with_data_of(template_cluster) as topology:
        [server] = topology.webs
        dewi, putri = await log_in(server, DEWI, driver=True), await log_in(server, PUTRI)
        passenger = Client(server.url, putri["access"])
        told = Told(passenger)
        async with Client(server.url, dewi["access"]) as driver, passenger:
            ride_id = await book(driver, passenger)
            await until(lambda: "ride_pickup" in told.types)
            await asyncio.to_thread(server.stop)
            await until(lambda: not (passenger.connected or driver.connected))
            cancelling = asyncio.create_task(driver.ride_cancel(ride_id=ride_id))
            server.launch()
            async with within():
                await cancelling
                await until(lambda: "ride_cancelled" in told.types)
    assert [session["recovered"] for session in told.of("session_ready")] == [False, True]
    assert told.numbers == list(range(1, len(told.numbers) + 1))


async def test_killed_servers_repeat_no_command(start_server: StartServer) -> None:
    """A command on its way when the server is killed is done once."""
    command = serve()
    server = start_server(*command)
    dewi, putri = await log_in(server, DEWI, driver=True), await log_in(server, PUTRI)
    async with (
        network_to(server.url) as network,
        Client(server.url, dewi["access"]) as driver,
        Client(network.url, putri["access"]) as passenger,
    ):
        ride_id = await book(driver, passenger)
        cancelled = driver.subscribe("ride_cancelled")
        network.lose_answers()
        cancelling = asyncio.create_task(passenger.ride_cancel(ride_id=ride_id))
        await anext(cancelled)
        await asyncio.to_thread(server.kill)
        await offline(passenger, network)
        network.heal()
        await asyncio.to_thread(start_server, *command)
        async with within():
            assert await cancelling == {}
        last = passenger.state["last_ride"]
        assert last is not None
        assert (last["ride_id"], last["status"]) == (ride_id, "CANCELLED")


async def test_too_many_handshakes_are_waited_out(start_server: StartServer) -> None:
    """Too many handshakes are waited out."""
    server = start_server(WS_CONNECT_RATE="60")
    login = await log_in(server, PUTRI)
    address = server.url.replace("http", "ws", 1) + "/ws/"
    bearer = {"Authorization": f"Bearer {login['access']}"}
    with pytest.raises(InvalidStatus) as caught:  # noqa: PT012 - which of the connects is one too many depends on time
        while True:
            await (await connect(address, additional_headers=bearer)).close()
    assert caught.value.response.status_code == 429
    client = Client(server.url, login["access"])
    told = Told(client)
    async with client:
        first = told.of("disconnected")[0]
        assert "429 Too Many Requests" in first["reason"]
        assert first["retry_in"] >= 1


async def test_rate_limited_commands_keep_order(start_server: StartServer) -> None:
    """Commands over the rate limit wait and keep their order."""
    server = start_server(WS_COMMAND_RATE="20", WS_COMMAND_BURST="2")
    login = await log_in(server, DEWI, driver=True)
    client = Client(server.url, login["access"])
    told = Told(client)
    async with client:
        wanted = [n % 2 == 0 for n in range(12)]
        await asyncio.gather(*(client.beacon_update(is_active=state) for state in wanted))
        await until(lambda: len(told.of("beacon_update")) == len(wanted))
    assert [data["is_active"] for data in told.of("beacon_update")] == wanted


# --- tokens ---


async def test_expiring_tokens_are_renewed(start_server: StartServer) -> None:
    """A token that expires is renewed on the open connection."""
    server = start_server(WS_TOKEN_NOTICE="2s")
    login = await log_in(server, PUTRI)
    kept: list[Tokens] = []
    client = Client(server.url, short_lived(login["access"], 3), login["refresh"], on_tokens=kept.append)
    told = Told(client)
    async with client:
        old = client.session["connection_id"]
        async with within():
            await client.wait_for("token_expiring")
        await until(lambda: kept)
        await asyncio.sleep(3)  # beyond the end of the first token
        await client.sync()
        assert client.session["connection_id"] == old
        assert (client.access, client.refresh) == (kept[0].access, kept[0].refresh)
    assert (len(kept), "disconnected" in told.types) == (1, False)


async def test_expired_tokens_are_renewed_first(server: ServerProcess) -> None:
    """An expired token is renewed before connecting."""
    login = await log_in(server, PUTRI)
    kept: list[Tokens] = []

    async def keep(tokens: Tokens) -> None:
        kept.append(tokens)

    old = short_lived(login["access"], -5)
    async with Client(server.url, old, login["refresh"], on_tokens=keep) as client:
        assert client.user_id == login["user"]["id"]
        assert await client.rest.me() == login["user"]
    assert len(kept) == 1
    with pytest.raises(LoginRequired):
        await Client(server.url, old, None).connect()


async def test_logout_demands_a_login(server: ServerProcess) -> None:
    """After a logout elsewhere every call demands a login."""
    login = await log_in(server, PUTRI)
    async with Client(server.url, login["access"], login["refresh"]) as client:
        ready = client.subscribe("ride_start")
        await client.rest.log_out(login["refresh"])
        async with within():
            for ended in (client.wait_closed(), anext(ready), client.sync(), client.location_update(**PLACE)):
                with pytest.raises(LoginRequired) as caught:
                    await ended
        assert caught.value.code is None or caught.value.code == 4401


async def test_applications_may_bring_tokens(start_server: StartServer) -> None:
    """An application may bring a token itself."""
    server = start_server(WS_TOKEN_NOTICE="2s")
    login = await log_in(server, PUTRI)
    async with Client(server.url, short_lived(login["access"], 3)) as client:
        async with within():
            await client.wait_for("token_expiring")
        with pytest.raises(Unauthorized):
            await client.token_refresh(token="nonsense")
        assert await client.token_refresh(token=login["access"]) == {}
        await asyncio.sleep(3)
        await client.sync()
        assert client.access == login["access"]


# --- the end ---


async def test_replaced_clients_stay_away(server: ServerProcess) -> None:
    """A client that was replaced by a newer connection does not come back."""
    login = await log_in(server, PUTRI)
    client = Client(server.url, login["access"])
    told = Told(client)
    async with client:
        frames = client.subscribe()
        async with Client(server.url, login["access"]) as newer:
            async with within():
                with pytest.raises(Replaced):
                    await client.wait_closed()
            with pytest.raises(Replaced):
                await client.sync()
            assert (await anext(frames)).type == "closed"
            with pytest.raises(Replaced):
                await anext(frames)
            await asyncio.sleep(1)
            assert newer.connected
            await newer.sync()
    assert told.types == ["session_ready", "closed"]
    assert told.frames[-1].data["code"] == 4409


async def test_closing_answers_what_waits(server: ServerProcess) -> None:
    """When the application closes the client, waiting commands fail and subscriptions end."""
    login = await log_in(server, PUTRI)
    async with network_to(server.url) as network:
        async with Client(network.url, login["access"]) as client:
            frames = client.subscribe("ride_start")
            await offline(client, network)
            command = asyncio.create_task(client.sync())
            await asyncio.sleep(0)
        with pytest.raises(ClientClosed):
            await command
        assert [frame async for frame in frames] == []
        await client.wait_closed()
        await client.aclose()
        with pytest.raises(RuntimeError):
            await client.connect()


async def test_failed_connects_are_reported(server: ServerProcess) -> None:
    """A client that cannot connect says so within `open_timeout`."""
    login = await log_in(server, PUTRI)
    for url in ("http://127.0.0.1:1", "http://127.0.0.1:2"):
        with pytest.raises(ConnectFailed, match=r"no session within 0\.2 s\. ws://127\.0\.0\.1:\d/ws/: "):
            await Client(url, login["access"], open_timeout=0.2).connect()
    with pytest.raises(ConnectFailed, match="404"):
        await Client(server.url + "/elsewhere", login["access"]).connect()
    with pytest.raises(RuntimeError, match="not been connected"):
        _ = Client(server.url, "a").state
    waiting = asyncio.create_task(Client("http://127.0.0.1:1", "a", open_timeout=None).connect())
    await asyncio.sleep(0.1)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    assert [task for task in asyncio.all_tasks() if task.get_name() == "nebengjek client"] == []
