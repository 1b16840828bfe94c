"""Metrics, statistics and health of real processes, held against what was sent and received."""

from __future__ import annotations

import asyncio
import os
import signal
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import httpx
import pytest

from devservers.process import free_port
from devservers.topology import Topology
from devservers.web import ServerProcess
from tests import patience
from tests.e2e.client import PLACE, Client, ride_to_pickup
from tests.e2e.conftest import StartServer
from tests.metrics import Samples, read_metrics, value_of
from tests.patience import TIMEOUT

pytestmark = pytest.mark.e2e
DRIVER, PASSENGER, THIRD = "+6281200000001", "+6281200000003", "+6281200000004"
TOKEN = "the token of the scraper"
WORKERS = 2


def get(url: str, token: str = TOKEN) -> httpx.Response:
    return httpx.get(url, headers={"Authorization": f"Bearer {token}"}, timeout=TIMEOUT, trust_env=False)


def scrape(server: ServerProcess) -> Samples:
    answer = get(f"{server.url}/metrics")
    assert answer.status_code == 200
    return read_metrics(answer.text)


async def until(done: Callable[[], object]) -> None:
    """Wait until something is so that is asked for over HTTP."""
    await patience.until(lambda: asyncio.to_thread(done))


def received(clients: Iterable[Client]) -> Counter[str]:
    return Counter(frame["type"] for client in clients for frame in client.frames)


def sent_out(samples: Samples) -> Counter[str]:
    """What a server says that it has sent, by type."""
    found = {dict(labels)["type"]: count for (name, labels), count in samples.items()
             if name == "nebengjek_frames_total" and ("direction", "out") in labels and count}  # fmt: skip
    return Counter({kind: int(count) for kind, count in found.items()})


async def take_a_ride(driver: Client, passenger: Client) -> None:
    ride_id = await ride_to_pickup(driver, passenger)
    for _ in range(5):
        await driver.do("location_update", **PLACE)
    assert (await driver.do("ride_start", ride_id=ride_id))["type"] == "ack"
    assert (await driver.do("ride_arrived", ride_id=ride_id))["type"] == "ack"
    bill = await passenger.data_of("payment_process")
    await passenger.do("payment_process", ride_id=ride_id, total_cost=bill["total_cost"], status="ACCEPTED")
    await driver.data_of("ride_completed")
    await passenger.data_of("ride_completed")


async def misbehave(client: Client) -> None:
    """Send 3 frames that are not of the contract, and one that is refused."""
    for kind in ("nonsense", "more nonsense"):
        assert (await client.do(kind))["data"]["code"] == "INVALID_FORMAT"
    await client.send("{")
    assert (await client.do("location_update", latitude=91, longitude=0))["data"]["code"] == "VALIDATION_FAILED"
    await client.find(lambda frame: "not valid JSON" in frame["data"].get("message", ""))


def check_figures(samples: Samples, clients: Iterable[Client]) -> None:
    """Hold the figures of a ride with bad frames against what the clients have sent and received."""
    assert sent_out(samples) == received(clients)
    for kind, count in {"location_update": 6, "match_confirm": 2, "ride_start": 1, "invalid": 3, "sync": 0}.items():
        assert value_of(samples, "frames_total", direction="in", type=kind) == count
    assert value_of(samples, "handler_seconds_count", type="location_update") == 6
    assert value_of(samples, "errors_total", code="INVALID_FORMAT") == 3
    assert value_of(samples, "errors_total", code="VALIDATION_FAILED") == 1
    numbered = sum("seq" in frame for client in clients for frame in client.frames)
    repaired = value_of(samples, "history_refills_total", by="history")
    assert repaired or value_of(samples, "delivery_seconds_count") == numbered
    assert value_of(samples, "outbox_backlog") == 0


async def test_figures_match_the_frames(start_server: StartServer) -> None:
    """Counts of frames, errors, closes and connections equal what clients sent and received."""
    server = start_server(METRICS_TOKEN=TOKEN)
    driver = await Client.connect(server.url, server.log_in(DRIVER, driver=True))
    token = server.log_in(PASSENGER)
    passenger = await Client.connect(server.url, token)
    await take_a_ride(driver, passenger)
    await misbehave(driver)
    await until(lambda: value_of(scrape(server), "outbox_backlog") == 0)
    samples = await asyncio.to_thread(scrape, server)
    check_figures(samples, [driver, passenger])
    assert value_of(samples, "connections", role="driver") == value_of(samples, "connections", role="passenger") == 1
    good = value_of(samples, "http_answers_total", status="2xx")
    assert (await asyncio.to_thread(get, f"{server.url}/nothing")).status_code == 404
    samples = await asyncio.to_thread(scrape, server)
    assert value_of(samples, "http_answers_total", status="4xx") == 1
    assert value_of(samples, "http_answers_total", status="2xx") == good + 1  # the scrape before
    newer = await Client.connect(server.url, token)
    assert await passenger.closed_with() == 4409
    await driver.hang_up()
    await until(lambda: value_of(scrape(server), "closed_total", code="4409") == 1)
    await until(lambda: value_of(scrape(server), "closed_total", code="1000") == 1)
    await until(lambda: value_of(scrape(server), "connections", role="driver") == 0)
    assert value_of(scrape(server), "connections", role="passenger") == 1
    health = get(f"{server.url}/health/detailed")
    assert (health.status_code, health.json()["connections"]) == (200, {"ok": True, "total": 1, "stale": 0})
    await newer.hang_up()


async def test_rate_limits_are_counted(start_server: StartServer) -> None:
    """Each refusal with RATE_LIMIT is counted."""
    server = start_server(WS_COMMAND_RATE="1", WS_COMMAND_BURST="2")
    client = await Client.connect(server.url, server.log_in(PASSENGER))
    answers = Counter([(await client.do("sync"))["type"] for _ in range(10)])
    samples = scrape(server)
    assert answers["error"] >= 1
    assert value_of(samples, "rate_limited_total", limit="command") == answers["error"]
    assert value_of(samples, "errors_total", code="RATE_LIMIT") == answers["error"]
    await client.hang_up()


class Many(Topology):
    """Several workers on one port, and what shows metrics beside them."""

    def __init__(self, folder: Path, **env: str) -> None:
        super().__init__(folder, webs=1, bridges=1, **env)
        self.bridge_port, self.dispatcher_port = free_port(), free_port()
        self.webs[0].command = ("manage.py", "serve", "--workers", str(WORKERS), *self.webs[0].command[2:])
        self.bridges[0].command += ("--metrics-port", str(self.bridge_port))
        self.dispatcher.command += ("--metrics-port", str(self.dispatcher_port))

    @property
    def web(self) -> ServerProcess:
        """The port of the workers."""
        return self.webs[0]

    def of(self, port: int) -> Samples:
        """Scrape a process that has no web server."""
        return read_metrics(get(f"http://127.0.0.1:{port}/metrics").text)


@pytest.fixture(scope="module")
def many(template_cluster: Path) -> Iterator[Many]:
    """The whole system; every test leaves it running."""
    with (
        TemporaryDirectory() as folder,
        Many(Path(folder), METRICS_TOKEN=TOKEN).with_data_of(template_cluster) as running,
    ):
        yield running


async def test_any_worker_answers_for_all(many: Many) -> None:
    """With several workers every scrape has the sums of all of them."""
    web = many.web
    driver = await Client.connect(web.url, web.log_in(DRIVER, driver=True))
    passenger = await Client.connect(web.url, web.log_in(PASSENGER))
    third = web.log_in(THIRD)
    others = []
    for _ in range(8):  # of one user: each evicts the one before
        others.append(await Client.connect(web.url, third))
        await others[-1].data_of("session_ready")
    for other in others[:-1]:
        assert await other.closed_with() == 4409
    await take_a_ride(driver, passenger)
    await misbehave(driver)
    clients = [driver, passenger, *others]

    def settled() -> bool:
        return value_of(scrape(web), "outbox_backlog") == 0 and value_of(scrape(web), "bridge_lag") == 0

    await until(settled)
    for _ in range(2 * WORKERS):  # each answers sooner or later
        samples = await asyncio.to_thread(scrape, web)
        check_figures(samples, clients)
        assert value_of(samples, "closed_total", code="4409") == 7
        assert value_of(samples, "connections", role="driver") == 1
        assert value_of(samples, "connections", role="passenger") == 2
        assert value_of(samples, "bridge_active") == 1
    for client in (driver, passenger, others[-1]):
        await client.hang_up()
    await until(lambda: value_of(scrape(web), "connections", role="passenger") == 0)


async def test_a_killed_worker_keeps_its_counts(many: Many) -> None:
    """A killed worker has no connections any more, but what it counted stays."""
    web = many.web
    token = web.log_in(DRIVER, driver=True)
    client = await Client.connect(web.url, token)
    await client.do("sync")
    before = scrape(web)
    pids = [line.rsplit(" ", 1)[1].rstrip(".\n") for line in web.output if "has the pid" in line]
    assert len(pids) == WORKERS
    for pid in pids:
        os.kill(int(pid), signal.SIGKILL)
    await client.socket.wait_closed()
    await until(lambda: value_of(_scrape_or_none(web) or before, "connections", role="driver") == 0)
    after = scrape(web)
    for name, labels in (("frames_total", {"direction": "in", "type": "sync"}), ("closed_total", {"code": "4409"})):
        assert value_of(after, name, **labels) == value_of(before, name, **labels)


def _scrape_or_none(server: ServerProcess) -> Samples | None:
    try:
        return scrape(server)
    except httpx.TransportError:
        return None


async def test_bridge_and_dispatcher_are_scraped(many: Many) -> None:
    """Bridge and dispatcher serve metrics of their own."""
    bridge = many.of(many.bridge_port)
    assert value_of(bridge, "bridge_active") == 1
    assert value_of(bridge, "bridge_messages_total", result="delivered") >= 8
    assert value_of(bridge, "bridge_messages_total", result="dead") == 0
    assert value_of(many.of(many.dispatcher_port), "outbox_backlog") == 0


async def test_health_covers_all_processes(many: Many) -> None:
    """Statistics and detailed health count the connections of all processes."""
    web = many.web
    staff = _staff_token(web)
    tokens = [web.log_in(DRIVER, driver=True), web.log_in(PASSENGER), web.log_in(THIRD)]
    clients = [await Client.connect(web.url, token) for token in tokens]
    for client in clients:
        await client.data_of("session_ready")
    stats = f"{web.url}/api/realtime/stats/"

    def counted() -> bool:
        body = get(stats, staff).json()
        return bool(body["connections_by_role"] == {"driver": 1, "passenger": 2})

    await until(counted)
    assert get(stats, staff).json()["total_connections"] == 3
    assert get(stats, tokens[0]).status_code == 403
    await until(lambda: get(f"{web.url}/health/detailed").status_code == 200)
    health = get(f"{web.url}/health/detailed").json()
    assert health["connections"] == {"ok": True, "total": 3, "stale": 0}
    assert health["bridge"] == {"ok": True, "active": True, "lag": 0}
    assert {name for name, check in health.items() if name != "status" and check["ok"]} == {
        "database", "background", "serving", "outbox", "timers", "tracks", "clock", "connections", "redis", "nats",
        "bridge", "processes",
    }  # fmt: skip
    for client in clients:
        await client.hang_up()


async def test_health_reports_a_missing_bridge(many: Many) -> None:
    """Detailed health is 503 without an active bridge, and 200 when one is back."""
    many.bridges[0].stop()
    await until(lambda: get(f"{many.web.url}/health/detailed").json()["bridge"]["active"] is False)
    assert get(f"{many.web.url}/health/detailed").status_code == 503
    assert get(f"{many.web.url}/health/ready").status_code == 200
    many.bridges[0].launch()
    await until(lambda: get(f"{many.web.url}/health/detailed").status_code == 200)


def _staff_token(web: ServerProcess) -> str:
    """Make somebody staff, and log in."""
    token = web.log_in("+6281200000009")
    rights = "is_staff=True, is_superuser=True"
    code = f"from users.models import User; User.objects.filter(msisdn='+6281200000009').update({rights})"
    done = web.manage("shell", "-c", code)
    assert done.returncode == 0, done.stderr
    return token
