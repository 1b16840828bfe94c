"""One process that is half dead: its database is held by another, its disk is full, it has hardly any descriptors."""

from __future__ import annotations

import asyncio
from collections import Counter

import httpx
import pytest
from websockets.exceptions import InvalidStatus

from devservers.patience import FACTOR, TIMEOUT
from devservers.web import ServerProcess
from tests.e2e.client import Client
from tests.e2e.conftest import StartServer
from tests.stress.alone import FAULTS, suffer
from tests.stress.riding import HURRIED

pytestmark = pytest.mark.e2e

MANY = 20
VISITS = 15
FEW_DESCRIPTORS = """
import resource, runpy, sys
resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64))
sys.argv = ["manage.py", "serve", "--port", "0"]
runpy.run_path("manage.py", run_name="__main__")
"""
MAKE_PEOPLE = """
from users.models import User
from users.tokens import tokens_issue
for n in range({count}):
    print("TOKEN", tokens_issue(User.objects.create_user("+62877%07d" % n))["access"])
"""


@pytest.mark.parametrize("fault", FAULTS)
async def test_a_fault_of_the_database_is_named_and_costs_nothing(start_server: StartServer, fault: str) -> None:
    """No ride is lost, doubled or wrongly billed; health names it within 5 s, all is well within 10 s of its end."""
    server = start_server(**HURRIED)
    sight, trips = await suffer(server, fault, 6.0, 2)
    assert trips.broken == []
    assert trips.over >= 2
    assert sight.said_after is not None
    assert sight.said_after < 5 * FACTOR
    assert sight.well_after is not None
    assert sight.well_after < 10 * FACTOR
    assert sight.answered_within < 5 * FACTOR
    assert sight.lines < 150
    assert "Traceback" not in "".join(server.output)


@pytest.mark.parametrize("fault", FAULTS)
async def test_an_outage_fills_no_log(start_server: StartServer, fault: str) -> None:
    """Whoever comes meanwhile, by whichever door: each kind of line is there once, without a traceback."""
    server = start_server(DATABASE_TIMEOUT="100ms", LOG_LEVEL="WARNING")
    [token] = await asyncio.to_thread(tokens_of, server, 1)
    before = len("".join(server.output).splitlines())
    undo = FAULTS[fault](server)
    async with httpx.AsyncClient(base_url=server.url, timeout=TIMEOUT) as rest:
        for number in range(VISITS):
            form = await rest.get("/admin/login/")
            headers = {"X-CSRFToken": form.cookies["csrftoken"], "Referer": server.url}
            await rest.post("/admin/login/", data={"username": "+62811", "password": "wrong"}, headers=headers)
            await rest.post("/api/auth/otp/", json={"msisdn": f"+62811{number:07}"})
            await rest.get("/live/")
            client = await Client.connect(server.url, token)
            await client.do("beacon_update", is_active=True)
            await client.hang_up()
    undo()
    said = "".join(server.output).splitlines()[before:]
    assert "Traceback" not in "\n".join(said)
    assert len(said) < VISITS, "\n".join(said)


def tokens_of(server: ServerProcess, count: int = MANY) -> list[str]:
    done = server.manage("shell", "--verbosity", "0", "-c", MAKE_PEOPLE.format(count=count))
    assert done.returncode == 0, done.stderr
    return [line.split()[1] for line in done.stdout.splitlines() if line.startswith("TOKEN ")]


async def crowd(url: str, token: str) -> Counter[object]:
    """Let sixty requests come at once; return the answers, and what was raised instead."""

    async def ask() -> object:
        try:
            async with httpx.AsyncClient(timeout=TIMEOUT) as rest:
                return (await rest.get(f"{url}/api/me/", headers={"Authorization": f"Bearer {token}"})).status_code
        except httpx.TransportError as exc:
            return type(exc).__name__

    return Counter(await asyncio.gather(*(ask() for _ in range(60))))


async def are_served(clients: list[Client]) -> bool:
    return all([(await client.do("sync"))["type"] == "ack" for client in clients])


async def test_with_hardly_any_descriptors_it_goes_on(start_server: StartServer) -> None:
    """`ulimit -n 64`: who is connected stays, further ones are refused with a word, and later they are let in."""
    server = start_server("-c", FEW_DESCRIPTORS, LOG_LEVEL="INFO")
    tokens = await asyncio.to_thread(tokens_of, server)
    early = [await Client.connect(server.url, token) for token in tokens[:4]]
    answers = await crowd(server.url, tokens[0])
    assert answers[200]
    assert 500 not in answers
    assert await are_served(early)
    refusal: InvalidStatus | None = None
    for token in tokens[4:]:
        try:
            early.append(await Client.connect(server.url, token))
        except InvalidStatus as exc:
            refusal = exc
            break
    assert refusal is not None
    assert refusal.response.status_code == 503
    assert b"Too many connections" in refusal.response.body
    assert await are_served(early)
    await early.pop().hang_up()
    await early.pop().hang_up()
    late = await Client.connect(server.url, tokens[-1])
    assert (await late.do("sync"))["type"] == "ack"
    assert httpx.get(f"{server.url}/health/ready", timeout=TIMEOUT).status_code == 200
    for client in (*early, late):
        await client.hang_up()
    said = "".join(server.output)
    assert "Too many open files" not in said
    assert "Traceback" not in said
    assert len(said.splitlines()) < 100
