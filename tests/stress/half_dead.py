"""What breaks half-way: servers that freeze, servers that answer and refuse, processes that are suspended.

Each fault lasts some seconds, while `faults` has a burst of notifications under way. Beside that it is looked at what
an operator sees of it: when `/health/detailed` says so, when all is well again, and how many lines the processes log.
"""

from __future__ import annotations

import asyncio
import signal
import time
from collections.abc import Callable
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Any, Self

import httpx
import msgspec
import nats
import psycopg
import redis

from devservers.topology import Topology
from devservers.web import ServerProcess
from events.stream import DURABLE, STREAM
from tests.fault_proxy import FaultProxy
from tests.redis_faults import REFUSALS

WELL_WITHIN = 30.0
"""Seconds after which nobody waits any longer for all to be well again."""

FAKETIME = next(Path("/usr/lib").glob("*/faketime/libfaketime.so.1"), None)

Undo = Callable[[], object]


class Sight(msgspec.Struct):
    """What an operator sees of a fault, in seconds; None where it was never seen, or need not be."""

    said_after: float | None
    well_after: float | None
    answered_within: float
    lines: int


class HalfDead(Topology):
    """The whole system, with a proxy before each server."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.proxies = {name: FaultProxy(getattr(self, name).port) for name in ("postgres", "valkey", "nats")}
        self.sights: list[Sight] = []

    def __enter__(self) -> Self:
        with ExitStack() as stack:
            for name, variable in (("postgres", "DATABASE_URL"), ("valkey", "REDIS_URL"), ("nats", "NATS_URL")):
                proxy = stack.enter_context(self.proxies[name])
                for process in self.processes:
                    process.env[variable] = proxy.url(getattr(self, name).url)
            super().__enter__()
            self._proxies = stack.pop_all()
        return self

    def __exit__(self, *exc: object) -> None:
        super().__exit__(*exc)
        self._proxies.close()


class HalfDeath(msgspec.Struct, frozen=True):
    """A fault that begins, lasts and ends; `shows` is the check of health that must name it, if any."""

    begin: Callable[[HalfDead], Undo]
    shows: str | None

    def __call__(self, topology: Topology, seconds: float = 10.0) -> None:
        """Let it happen, and note what is seen of it in `topology.sights`."""
        assert isinstance(topology, HalfDead)
        web, lines = topology.webs[-1], len(topology.output().splitlines())
        undo = self.begin(topology)
        said_after, slowest = _watch(web, lambda body: self.shows is not None and not body[self.shows]["ok"], seconds)
        undo()
        well_after, after = _watch(web, lambda body: body["status"] == "ok", WELL_WITHIN, stop=True)
        lines = max(0, len(topology.output().splitlines()) - lines)  # a process that was started again begins anew
        topology.sights.append(Sight(said_after, well_after, max(slowest, after), lines))


def _watch(
    web: ServerProcess, seen: Callable[[dict[str, Any]], bool], seconds: float, *, stop: bool = False
) -> tuple[float | None, float]:
    """Look at the health of a web process for so long; return when something was seen first, and the slowest answer."""
    began, first, slowest = time.monotonic(), None, 0.0
    while time.monotonic() < began + seconds and not (stop and first is not None):
        asked = time.monotonic()
        body = httpx.get(f"{web.url}/health/detailed", timeout=30, trust_env=False).json()
        slowest = max(slowest, time.monotonic() - asked)
        if first is None and seen(body):
            first = time.monotonic() - began
        time.sleep(0.2)
    return first, slowest


def freeze(topology: HalfDead, server: str) -> Undo:
    """Let a server neither take nor give a byte; all connections stay open."""
    topology.proxies[server].freeze()
    return topology.proxies[server].thaw


def slow(topology: HalfDead, server: str) -> Undo:
    """Put a server 300 ms away."""
    topology.proxies[server].delay(0.15)
    return topology.proxies[server].heal


def refuse(topology: HalfDead, word: str) -> Undo:
    """Let Redis answer, and refuse."""
    client = redis.Redis.from_url(topology.valkey.url, socket_timeout=None)
    return REFUSALS[word](topology.valkey, client)


def read_only(topology: HalfDead) -> Undo:
    """Let PostgreSQL be as a standby is."""

    def become(setting: str) -> None:
        with psycopg.connect(topology.postgres.url, autocommit=True) as session:
            session.execute("SET default_transaction_read_only = off")
            session.execute(f"ALTER SYSTEM SET default_transaction_read_only = {setting}")
            session.execute("SELECT pg_reload_conf()")

    become("on")
    return partial(become, "off")


def take_connections(topology: HalfDead) -> Undo:
    """Take all connections that PostgreSQL has left."""
    taken: list[psycopg.Connection[Any]] = []
    try:
        while True:
            taken.append(psycopg.connect(topology.postgres.url))
    except psycopg.OperationalError:
        return lambda: list(map(psycopg.Connection.close, taken))


def suspend(topology: HalfDead, which: Callable[[HalfDead], ServerProcess]) -> Undo:
    """Suspend a process."""
    process = which(topology).process
    assert process is not None
    process.send_signal(signal.SIGSTOP)
    return lambda: process.send_signal(signal.SIGCONT)


def lose_consumer(topology: HalfDead) -> Undo:
    """Delete the durable consumer."""

    async def delete() -> None:
        client = await nats.connect(topology.nats.url)
        await client.jetstream().delete_consumer(STREAM, DURABLE)
        await client.close()

    asyncio.run(delete())
    return lambda: None


def fill_stream(topology: HalfDead) -> Undo:
    """Let the stream take no more messages."""

    async def limit(messages: int) -> None:
        client = await nats.connect(topology.nats.url)
        context = client.jetstream()
        info = await context.stream_info(STREAM)
        config = info.config.evolve(max_msgs=info.state.messages if messages else -1, discard="new")
        await context.update_stream(config)
        await client.close()

    asyncio.run(limit(1))
    return lambda: asyncio.run(limit(0))


def wrong_clock(topology: HalfDead, hours: int, which: Callable[[HalfDead], ServerProcess]) -> Undo:
    """Start a process again, with a clock that is so many hours fast (Debian: package libfaketime)."""
    process = which(topology)

    def start_again(**env: str) -> None:
        process.kill()
        process.env |= env
        process.output.clear()
        process.launch()
        if process in topology.webs:
            process.wait_until_it_answers()

    start_again(LD_PRELOAD=str(FAKETIME), FAKETIME=f"{hours:+d}h")
    return lambda: start_again(LD_PRELOAD="", FAKETIME="")


def _clock(which: Callable[[HalfDead], ServerProcess], shows: str | None) -> HalfDeath:
    return HalfDeath(partial(wrong_clock, hours=1, which=which), shows)


HALF_DEAD: dict[str, HalfDeath] = {
    "valkey-frozen": HalfDeath(partial(freeze, server="valkey"), "redis"),
    "valkey-300ms": HalfDeath(partial(slow, server="valkey"), None),
    **{f"valkey-{word}": HalfDeath(partial(refuse, word=word), "redis") for word in REFUSALS},
    "postgres-frozen": HalfDeath(partial(freeze, server="postgres"), "database"),
    "postgres-readonly": HalfDeath(read_only, "database"),
    "postgres-full": HalfDeath(take_connections, "database"),
    "nats-frozen": HalfDeath(partial(freeze, server="nats"), "nats"),
    "nats-full": HalfDeath(fill_stream, None),
    "nats-consumer": HalfDeath(lose_consumer, None),
    "web-stopped": HalfDeath(partial(suspend, which=lambda topology: topology.webs[0]), None),
    "bridge-stopped": HalfDeath(partial(suspend, which=HalfDead.active_bridge), None),
    **(
        {
            "web-clock": _clock(lambda topology: topology.webs[-1], "clock"),
            "bridge-clock": _clock(HalfDead.active_bridge, None),
            "dispatcher-clock": _clock(lambda topology: topology.dispatcher, None),
        }
        if FAKETIME
        else {}
    ),
    "dispatcher-stopped": HalfDeath(partial(suspend, which=lambda topology: topology.dispatcher), None),
}
