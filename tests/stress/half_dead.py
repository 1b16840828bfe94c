"""What breaks half-way: servers that freeze, servers that answer and refuse, processes that are suspended.

Each fault lasts some seconds, while `faults` has a burst of notifications under way. Beside that it is looked at what
an operator sees of it: when `/health/detailed` says so, when all is well again, and how many lines the processes log.
"""

from __future__ import annotations

import asyncio
import signal
import threading
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import ExitStack, suppress
from functools import partial
from pathlib import Path
from typing import Any, Self

import msgspec
import nats
import psycopg
import redis
from nats.js import JetStreamContext

from devservers.topology import Topology
from devservers.web import ServerProcess
from events.stream import DURABLE, STREAM, SUBJECTS
from tests.fault_proxy import FaultProxy
from tests.nats_faults import write_nats_config
from tests.redis_faults import REFUSALS
from tests.stress.failover import fail_over_postgres, fail_over_valkey
from tests.stress.riding import HURRIED
from tests.stress.sights import Sight, Undo, sight_of
from tests.stress.small_disk import NatsOnSmallDisk, PostgresOnSmallDisk, can_have_small_disks

PAUSE = 4.5
"""Seconds; the lease ends after 3."""

FAKETIME = next(Path("/usr/lib").glob("*/faketime/libfaketime.so.1"), None)


class HalfDead(Topology):
    """The whole system, with a proxy before each server."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder, webs=2, bridges=2, **HURRIED)
        self.folder = folder
        self.resources = ExitStack()
        """What faults have started, and what ends with the topology."""

        if can_have_small_disks():
            self.nats = NatsOnSmallDisk(folder / "nats", self.nats.port)
            self.postgres = PostgresOnSmallDisk(folder / "postgres", self.postgres.port)
            self.resources.callback(self.nats.disk.stop)
            self.resources.callback(self.postgres.disk.stop)
        self.nats.config = folder / "nats.conf"
        write_nats_config(self.nats.config)
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
        self.resources.close()
        self._proxies.close()


class HalfDeath(msgspec.Struct, frozen=True):
    """A fault that begins, lasts and ends; `shows` is the check of health that must name it, if any."""

    begin: Callable[[HalfDead], Undo]
    shows: str | None

    def __call__(self, topology: Topology, seconds: float = 10.0) -> None:
        """Let it happen, and note what is seen of it in `topology.sights`."""
        assert isinstance(topology, HalfDead)
        topology.sights.append(
            sight_of(topology.webs[-1], topology.output, lambda: self.begin(topology), self.shows, seconds)
        )


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


def lose_answers(topology: HalfDead, server: str, word: bytes) -> Undo:
    """Twice a second, let what a server was asked be done and its answer be lost, with the connection."""
    over = threading.Event()

    def lose() -> None:
        while not over.wait(0.5):
            topology.proxies[server].lose_answer_to(word)

    thread = threading.Thread(target=lose)
    thread.start()

    def stop() -> None:
        over.set()
        thread.join()
        topology.proxies[server].heal()

    return stop


def suspend(topology: HalfDead, which: Callable[[HalfDead], ServerProcess]) -> Undo:
    """Suspend a process."""
    process = which(topology).process
    assert process is not None
    process.send_signal(signal.SIGSTOP)
    return lambda: process.send_signal(signal.SIGCONT)


def suspend_in_turn(topology: HalfDead) -> Undo:
    """Suspend whichever bridge is active for longer than its lease, six times; each must stand down when it goes on."""

    def pause_each() -> None:
        for _ in range(6):
            bridge = topology.active_bridge()
            go_on = suspend(topology, lambda _: bridge)  # noqa: B023 - called at once
            time.sleep(PAUSE)
            bridge.output.clear()
            go_on()

    thread = threading.Thread(target=pause_each)
    thread.start()
    return thread.join


def of_the_stream(topology: HalfDead, act: Callable[[JetStreamContext], Awaitable[object]]) -> Undo:
    """Do something to the stream, as an operator may, once; it stays done."""

    async def do() -> None:
        client = await nats.connect(topology.nats.url)
        await act(client.jetstream())
        await client.close()

    asyncio.run(do())
    return lambda: None


async def lose_consumer(context: JetStreamContext) -> None:
    """Delete the durable consumer."""
    await context.delete_consumer(STREAM, DURABLE)


async def purge(context: JetStreamContext) -> None:
    """Delete all messages, also those that were not delivered."""
    await context.purge_stream(STREAM)


async def delete(context: JetStreamContext) -> None:
    """Delete the stream."""
    await context.delete_stream(STREAM)


def fill_stream(topology: HalfDead) -> Undo:
    """Let the stream take no more messages."""

    async def limit(context: JetStreamContext, *, full: bool) -> None:
        info = await context.stream_info(STREAM)
        config = info.config.evolve(max_msgs=info.state.messages if full else -1, discard="new")
        await context.update_stream(config)

    of_the_stream(topology, partial(limit, full=True))
    return lambda: of_the_stream(topology, partial(limit, full=False))


def fill_disk_of_nats(topology: HalfDead) -> Undo:
    """Leave NATS no byte; in the end it is started again, as its JetStream has switched itself off."""
    server = topology.nats
    assert isinstance(server, NatsOnSmallDisk)
    server.disk.fill()

    def give_room() -> None:
        server.disk.empty()
        server.stop()
        server.start()

    return give_room


def fill_disk_of_postgres(topology: HalfDead, *, ends: bool = False) -> Undo:
    """Leave PostgreSQL no byte. It refuses what needs more room, and `ends` where its log of transactions does.

    In the end it is started again where it has ended, as an operator would.
    """
    server = topology.postgres
    assert isinstance(server, PostgresOnSmallDisk)
    server.disk.fill()
    if ends:
        with suppress(psycopg.Error), psycopg.connect(server.url, autocommit=True) as session:
            while True:
                session.execute("SELECT pg_logical_emit_message(true, '', 'x')")
                session.execute("SELECT pg_switch_wal()")

    def give_room() -> None:
        server.disk.empty()
        if not server.running:
            server.start()

    return give_room


def configure_nats(topology: HalfDead, *, most_bytes: int = -1, denied: Sequence[str] = ()) -> Undo:
    """Let NATS take another configuration while it runs, until the end of the fault."""
    server = topology.nats

    def reload(**options: Any) -> None:
        assert server.config is not None
        write_nats_config(server.config, **options)
        server.reload()

    reload(most_bytes=most_bytes, denied=denied)
    return reload


def wrong_clock(topology: HalfDead, hours: int, which: Callable[[HalfDead], ServerProcess]) -> Undo:
    """Start a process again, with a clock that is so many hours fast (Debian: package libfaketime)."""
    process = which(topology)

    def start_again(**env: str) -> None:
        process.stop()
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
    "valkey-failover": HalfDeath(fail_over_valkey, None),
    "postgres-frozen": HalfDeath(partial(freeze, server="postgres"), "database"),
    "postgres-readonly": HalfDeath(read_only, "database"),
    "postgres-full": HalfDeath(take_connections, "database"),
    **(
        {
            "postgres-disk-full": HalfDeath(fill_disk_of_postgres, "database"),
            "postgres-log-full": HalfDeath(partial(fill_disk_of_postgres, ends=True), "database"),
        }
        if can_have_small_disks()
        else {}
    ),
    "postgres-commits": HalfDeath(partial(lose_answers, server="postgres", word=b"COMMIT"), None),
    "postgres-failover": HalfDeath(fail_over_postgres, "database"),
    "nats-frozen": HalfDeath(partial(freeze, server="nats"), "nats"),
    "nats-full": HalfDeath(fill_stream, "bridge"),
    "nats-disk": HalfDeath(partial(configure_nats, most_bytes=1), "bridge"),
    **({"nats-disk-full": HalfDeath(fill_disk_of_nats, "bridge")} if can_have_small_disks() else {}),
    "nats-refuses": HalfDeath(partial(configure_nats, denied=SUBJECTS), "bridge"),
    "nats-answers": HalfDeath(partial(lose_answers, server="nats", word=b"HPUB "), None),
    "nats-consumer": HalfDeath(partial(of_the_stream, act=lose_consumer), None),
    "nats-purged": HalfDeath(partial(of_the_stream, act=purge), None),
    "nats-deleted": HalfDeath(partial(of_the_stream, act=delete), None),
    "web-stopped": HalfDeath(partial(suspend, which=lambda topology: topology.webs[0]), "processes"),
    "bridges-in-turn": HalfDeath(suspend_in_turn, "processes"),
    "bridge-stopped": HalfDeath(partial(suspend, which=HalfDead.active_bridge), "processes"),
    **(
        {
            "web-clock": _clock(lambda topology: topology.webs[-1], "clock"),
            "bridge-clock": _clock(HalfDead.active_bridge, "processes"),
            "dispatcher-clock": _clock(lambda topology: topology.dispatcher, "processes"),
        }
        if FAKETIME
        else {}
    ),
    "dispatcher-stopped": HalfDeath(partial(suspend, which=lambda topology: topology.dispatcher), "processes"),
}
