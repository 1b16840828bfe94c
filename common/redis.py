"""Connections to Redis or Valkey; only used where `REDIS_URL` is set.

Our keys begin with `PREFIX`. Scripts build the names of their keys themselves, so each shard must be one server (or one
with replicas), not a cluster.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any
from weakref import WeakKeyDictionary

import redis
import redis.asyncio
from django.conf import settings
from redis.asyncio.retry import Retry as AsyncRetry
from redis.backoff import ExponentialBackoff
from redis.retry import Retry

from common.shards import redis_urls

PREFIX = "nebengjek:"

CONNECT_TIMEOUT = 2.0
ANSWER_TIMEOUT = 5.0
"""Seconds."""

LISTEN_TIMEOUT = 2.0
"""Seconds that a connection which listens waits at most: nothing is done in between."""

MAX_CONNECTIONS = 100
"""Connections of one event loop to one server; whoever needs one more waits, up to `ANSWER_TIMEOUT`."""

UNSENT = 64 * 1024
"""Bytes from which on asyncio lets a writer wait."""

RETRIES = 1
"""Reconnect once; callers that can wait longer retry themselves."""


class NotNow(redis.ResponseError):
    """The server answers, and refuses for a reason that passes; redis-py has no class of its own for these."""


AWAY = (
    redis.ConnectionError,
    redis.TimeoutError,
    redis.exceptions.ReadOnlyError,
    redis.exceptions.OutOfMemoryError,
    redis.exceptions.MasterDownError,
    redis.exceptions.ClusterDownError,
    redis.exceptions.TryAgainError,
    NotNow,
)
"""What is raised while the server is unavailable: not reachable, still loading, out of memory, a replica …"""

_NOT_NOW = {"BUSY": NotNow, "MISCONF": NotNow, "NOREPLICAS": NotNow}
"""By the first word of the answer: an endless script runs, a save has failed, too few replicas are connected."""


class _Parser(redis.connection.DefaultParser):  # type: ignore[misc,valid-type]  # a variable of its module
    EXCEPTION_CLASSES = redis.connection.DefaultParser.EXCEPTION_CLASSES | _NOT_NOW


class _AsyncParser(redis.asyncio.connection.DefaultParser):  # type: ignore[misc,valid-type]
    EXCEPTION_CLASSES = redis.asyncio.connection.DefaultParser.EXCEPTION_CLASSES | _NOT_NOW


class _Connection(redis.asyncio.Connection):
    """Sends a command at once where less than `UNSENT` bytes wait.

    The library waits for each by `asyncio.wait_for`, which makes a task before Python 3.12: a tenth of what a bridge
    does for a message. An address with TLS (`rediss:`), and a socket that is full, are left to it.
    """

    async def send_packed_command(self, command: Any, check_health: bool = True) -> None:
        """Send what `pack_command` has made. Raises `redis.ConnectionError`, `redis.TimeoutError`."""
        writer = self._writer
        if writer is not None and not self.health_check_interval and not writer.is_closing():
            writer.writelines([command] if isinstance(command, bytes) else command)
            if writer.transport.get_write_buffer_size() < UNSENT:
                return
            command = []
        await super().send_packed_command(command, check_health)


class ListeningConnection(_Connection):
    """Waits up to `LISTEN_TIMEOUT` for what is published; channels_redis looks again ten times a second."""

    async def read_response(self, *args: Any, **options: Any) -> Any:
        """Return what comes next; None where nothing comes in time."""
        if options.get("push_request") and options.get("timeout") is not None:
            options["timeout"] = max(options["timeout"], LISTEN_TIMEOUT)
        return await super().read_response(*args, **options)


def async_options() -> dict[str, Any]:
    """Return the options of a connection from an event loop; after READONLY another server may have the address."""
    return {
        "socket_connect_timeout": CONNECT_TIMEOUT,
        "socket_timeout": ANSWER_TIMEOUT,
        "retry": AsyncRetry(ExponentialBackoff(), RETRIES),
        "retry_on_error": [redis.exceptions.ReadOnlyError],
        "parser_class": _AsyncParser,
        "connection_class": _Connection,
    }


_clients: WeakKeyDictionary[asyncio.AbstractEventLoop, dict[int, redis.asyncio.Redis]] = WeakKeyDictionary()


@cache
def sync_redis() -> redis.Redis:
    """Return the client for the threads of this process, of shard 0."""
    return _sync_client(settings.REDIS_URL)


def sync_shard(shard: int) -> redis.Redis:
    """Return the client for the threads of this process, of a shard."""
    return _further(redis_urls()[shard]) if shard else sync_redis()


@cache
def _further(url: str) -> redis.Redis:
    return _sync_client(url)


def _sync_client(url: str) -> redis.Redis:
    client: redis.Redis = redis.Redis.from_url(
        url,
        socket_connect_timeout=CONNECT_TIMEOUT,
        socket_timeout=ANSWER_TIMEOUT,
        retry=Retry(ExponentialBackoff(), RETRIES),
        retry_on_error=[redis.exceptions.ReadOnlyError],
        parser_class=_Parser,
    )
    return client


def async_redis(shard: int = 0) -> redis.asyncio.Redis:
    """Return the client for the running event loop, of a shard."""
    clients = _clients.setdefault(asyncio.get_running_loop(), {})
    client = clients.get(shard)
    if client is None:
        limits = {"max_connections": MAX_CONNECTIONS, "timeout": ANSWER_TIMEOUT}
        pool = redis.asyncio.BlockingConnectionPool.from_url(redis_urls()[shard], **limits, **async_options())
        client = clients[shard] = redis.asyncio.Redis.from_pool(pool)
    return client


async def close_async_redis() -> None:
    """Close the connections of the running event loop."""
    for client in _clients.pop(asyncio.get_running_loop(), {}).values():
        await client.aclose()


async def eviction_policy(shard: int = 0) -> str:
    """Return a server's `maxmemory-policy`; empty where it does not say (managed services hide it)."""
    memory = await async_redis(shard).info("memory")
    return str(memory.get("maxmemory_policy", ""))


class Script:
    """A Lua script in files, which is sent once and then called by its hash.

    The files are joined in their order, so that a script may begin with another one's local functions. `await` a call
    on the running event loop; `text` is for pipelines.
    """

    def __init__(self, *files: Path) -> None:
        self.text = "\n".join(file.read_text(encoding="utf-8") for file in files)
        self._sha = hashlib.sha1(self.text.encode(), usedforsecurity=False).hexdigest()

    async def __call__(self, keys: Sequence[str] = (), args: Sequence[Any] = (), *, shard: int = 0) -> Any:
        """Return what the script returns on a shard; a server that has forgotten it is sent the text."""
        client: Any = async_redis(shard)
        try:
            return await client.evalsha(self._sha, len(keys), *keys, *args)
        except redis.exceptions.NoScriptError:
            return await client.eval(self.text, len(keys), *keys, *args)
