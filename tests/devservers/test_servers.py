"""The servers that the tests and `devservers.local` start, each the real one."""

from __future__ import annotations

import asyncio
import os
import socket
import subprocess
import sys
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import nats
import nats.js.errors
import psycopg
import pytest
import redis
from nats.js import JetStreamContext

from devservers import process, servers
from devservers.process import ProcessError, free_port
from devservers.servers import NatsServer, PostgresServer, Server, ValkeyServer
from nebengjek.settings import BASE_DIR
from tests.patience import TIMEOUT, until_true

T = TypeVar("T")

"""Seconds that something may take before a test gives up on it."""

root_only = pytest.mark.skipif(os.geteuid() != 0, reason="only root must change its account")


@dataclass
class Kind:
    """A kind of server, and how to leave a word with it."""

    server: type[Server]
    write: Callable[[Server, str], None]
    read: Callable[[Server], str | None]


def valkey_write(server: Server, word: str) -> None:
    with redis.Redis.from_url(server.url) as client:
        client.set("word", word)


def valkey_read(server: Server) -> str | None:
    with redis.Redis.from_url(server.url, decode_responses=True) as client:
        found: Any = client.get("word")
    return None if found is None else str(found)


def postgres_write(server: Server, word: str) -> None:
    with psycopg.connect(server.url) as connection:
        connection.execute("CREATE TABLE IF NOT EXISTS words (number serial, word text)")
        connection.execute("INSERT INTO words (word) VALUES (%s)", [word])


def postgres_read(server: Server) -> str | None:
    with psycopg.connect(server.url) as connection:
        try:
            row = connection.execute("SELECT word FROM words ORDER BY number DESC").fetchone()
        except psycopg.errors.UndefinedTable:
            return None
    return str(row[0]) if row else None


def answer(port: int, question: bytes = b"PING\r\n", *, host: str = "127.0.0.1") -> bytes:
    """Return the first that a server says; nothing where there is none."""
    try:
        with socket.create_connection((host, port), timeout=TIMEOUT) as connection:
            connection.sendall(question)
            return connection.recv(4096)
    except OSError:
        return b""


def with_jetstream(server: Server, use: Callable[[JetStreamContext], Awaitable[T]]) -> T:
    async def connected() -> T:
        client = await nats.connect(server.url)
        try:
            return await use(client.jetstream())
        finally:
            await client.close()

    return asyncio.run(connected())


def nats_write(server: Server, word: str) -> None:
    async def write(stream: JetStreamContext) -> None:
        await stream.add_stream(name="WORDS", subjects=["words"])
        await stream.publish("words", word.encode())

    with_jetstream(server, write)


def nats_read(server: Server) -> str | None:
    async def read(stream: JetStreamContext) -> str | None:
        try:
            message = await stream.get_last_msg("WORDS", "words")
        except nats.js.errors.NotFoundError:
            return None
        assert message.data is not None
        return message.data.decode()

    return with_jetstream(server, read)


KINDS = [
    Kind(NatsServer, nats_write, nats_read),
    Kind(ValkeyServer, valkey_write, valkey_read),
    Kind(PostgresServer, postgres_write, postgres_read),
]


@pytest.fixture(scope="module", params=KINDS, ids=lambda kind: kind.server.name)
def kind(request: pytest.FixtureRequest) -> Kind:
    """Each kind of server in turn."""
    found: Kind = request.param
    if found.server.find() is None:
        pytest.skip(found.server.missing)
    return found


@pytest.fixture(scope="module")
def shared(kind: Kind, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """One of each kind for all tests of this module: making a database takes a second."""
    with kind.server(tmp_path_factory.mktemp("server") / "server") as running:
        yield running
    running.wipe()


@pytest.fixture
def server(shared: Server) -> Server:
    """A running server, maybe with data."""
    return shared if shared.running else shared.start()


@pytest.fixture
def word(request: pytest.FixtureRequest) -> str:
    """A word that no other test leaves with the server."""
    return str(request.node.name)


def test_its_url_works(kind: Kind, server: Server, word: str) -> None:
    """A client reaches the server at its `url`."""
    kind.write(server, word)
    assert kind.read(server) == word
    assert server.url.endswith((f"@127.0.0.1:{server.port}/postgres", f"127.0.0.1:{server.port}", f":{server.port}/0"))


def test_it_listens_on_this_machine_only(server: Server) -> None:
    """On Linux every address of 127.0.0.0/8 is this machine; only the one is listened on."""
    assert answer(server.port, host="127.0.0.2") == b""


@pytest.mark.parametrize("end", ["kill", "stop"])
def test_data_survives_a_restart(kind: Kind, server: Server, word: str, end: str) -> None:
    """After stop or kill the server has its data and its port again."""
    kind.write(server, word)
    url, pid = server.url, server.pid
    getattr(server, end)()
    assert not server.running
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)
    server.start()
    assert (server.url, kind.read(server)) == (url, word)
    assert server.pid != pid


def test_a_wiped_server_is_empty(kind: Kind, server: Server, word: str) -> None:
    """After `wipe` the server starts empty."""
    kind.write(server, word)
    server.kill()
    server.wipe()
    server.start()
    assert kind.read(server) is None


def test_the_folder_keeps_the_data(kind: Kind, server: Server, word: str) -> None:
    """Another object on the same folder finds the data."""
    kind.write(server, word)
    server.stop()
    with kind.server(server.folder) as other:
        assert kind.read(other) == word


def test_data_in_use_is_not_deleted(server: Server) -> None:
    """A running server is not wiped."""
    with pytest.raises(ProcessError, match="stop it before"):
        server.wipe()


def test_it_is_not_started_twice(server: Server) -> None:
    """Starting a running server is an error."""
    pid = server.pid
    with pytest.raises(ProcessError, match="runs already"):
        server.start()
    assert server.pid == pid


def test_ending_it_twice_is_harmless(server: Server) -> None:
    """Stopping or killing what has ended does nothing."""
    server.stop()
    server.stop()
    server.kill()
    with pytest.raises(ProcessError, match="is not running"):
        _ = server.pid


def test_a_dead_server_starts_again(kind: Kind, server: Server, word: str) -> None:
    """A server that died by itself can be started again."""
    kind.write(server, word)
    assert server.process is not None
    os.kill(server.pid, 9)
    server.process.wait(TIMEOUT)
    assert not server.running
    assert kind.read(server.start()) == word


def test_a_failed_start_shows_the_log(kind: Kind, server: Server, tmp_path: Path) -> None:
    """The error of a failed start ends with the log."""
    other = kind.server(tmp_path / "other", server.port)
    with pytest.raises(ProcessError, match=r"has ended before it answered:\n(.*\n)*.*[Aa]ddress already in use"):
        other.start()
    assert not other.running
    other.wipe()


def test_missing_programs_are_explained(kind: Kind, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A missing program is an error that says how to get it."""
    monkeypatch.setattr(kind.server, "find", classmethod(lambda cls: None))
    with pytest.raises(ProcessError, match=r"requirements-dev\.txt"):
        kind.server(tmp_path / "server").start()


def test_packages_come_first(kind: Kind) -> None:
    """Only the servers of the packages have the versions that the tests are made for."""
    program = kind.server.find()
    assert program is not None
    assert program.is_relative_to(sys.prefix)


def test_nats_takes_a_configuration(tmp_path: Path) -> None:
    """NATS starts with a configuration file."""
    config = tmp_path / "nats.conf"
    config.write_text("server_name: the-one-of-this-test\n")
    with NatsServer(tmp_path / "nats", config=config) as server:
        assert b"the-one-of-this-test" in answer(server.port)


def test_valkey_without_its_file_is_empty(tmp_path: Path) -> None:
    """Valkey with `appendonly=False` starts empty."""
    with ValkeyServer(tmp_path / "valkey", appendonly=False) as server:
        valkey_write(server, "hello")
        server.kill()
        assert valkey_read(server.start()) is None


def test_postgres_does_without_fsync(tmp_path: Path) -> None:
    """PostgreSQL runs with `fsync` off and keeps its data over a kill."""
    with PostgresServer(tmp_path / "postgres", fsync=False) as server:
        with psycopg.connect(server.url) as connection:
            settings = [connection.execute(f"SHOW {name}").fetchone() for name in ("fsync", "max_connections")]
        assert settings == [("off",), ("100",)]
        server.kill()
        assert postgres_read(server.start()) is None
        server.stop()
        server.wipe()


@root_only
def test_root_runs_postgres_as_nobody(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Started by root, PostgreSQL runs under another account, even where that one may not read the folder."""
    monkeypatch.setattr(servers, "_open_to_all", lambda path: False)
    with PostgresServer(tmp_path / "postgres") as server:
        outside = server.home
        assert Path(f"/proc/{server.pid}").stat().st_uid == server.account()["user"]
        assert Path(f"/proc/{server.pid}/exe").readlink().is_relative_to(outside)
        postgres_write(server, "hello")
        server.stop()
        assert postgres_read(server.start()) == "hello"
    server.wipe()
    assert not outside.exists()
    assert not (server.folder / "home").is_symlink()


@root_only
def test_a_cleaned_temporary_directory(tmp_path: Path) -> None:
    """PostgreSQL starts although its temporary directory was cleaned up."""
    server = PostgresServer(tmp_path / "postgres")
    (tmp_path / "postgres").mkdir()
    (tmp_path / "postgres" / "home").symlink_to(tmp_path / "gone")
    with server:
        assert postgres_read(server) is None
    server.wipe()


def test_a_port_that_is_used_is_not_free(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody is given it."""
    with socket.create_server(("127.0.0.1", free_port())) as used:
        port: int = used.getsockname()[1]
        monkeypatch.setattr(process, "PORTS", range(port - 2, port + 1))
        assert {free_port() for _ in range(50)} <= {port - 2, port - 1}


def test_the_system_gives_no_free_port_away() -> None:
    """Nobody gets it without asking for it, between the look at it and its use."""
    for _ in range(50):
        with socket.create_server(("127.0.0.1", 0)) as other:
            assert other.getsockname()[1] not in process.PORTS


def test_servers_end_with_their_starter(tmp_path: Path) -> None:
    """Also when that process has no chance to do anything about it."""
    port = free_port()
    script = (
        "import os, signal; from pathlib import Path; from devservers.servers import ValkeyServer;"
        f"ValkeyServer(Path({str(tmp_path)!r}), {port}).start(); os.kill(os.getpid(), signal.SIGKILL)"
    )
    done = subprocess.run([sys.executable, "-c", script], cwd=BASE_DIR, timeout=TIMEOUT, check=False)
    assert done.returncode == -9
    assert "Ready to accept connections" in (tmp_path / "valkey.log").read_text()
    until_true(lambda: not answer(port), "The server is still there.")


def test_forgotten_servers_end(tmp_path: Path) -> None:
    """A server ends with a process that forgot to stop it."""
    port = free_port()
    script = (
        "from pathlib import Path; from devservers.servers import ValkeyServer;"
        f"ValkeyServer(Path({str(tmp_path)!r}), {port}).start()"
    )
    done = subprocess.run([sys.executable, "-c", script], cwd=BASE_DIR, timeout=TIMEOUT, check=False)
    assert done.returncode == 0
    until_true(lambda: not answer(port), "The server is still there.")
