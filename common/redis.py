"""Connections to Redis or Valkey; only used where `REDIS_URL` is set.

Our keys begin with `PREFIX`. Scripts build the names of their keys themselves, so it must be one server (or one with
replicas), not a cluster.
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

PREFIX = "nebengjek:"

CONNECT_TIMEOUT = 2.0
ANSWER_TIMEOUT = 5.0
"""Seconds."""

RETRIES = 1
"""Reconnect once; callers that can wait longer retry themselves."""

AWAY = (redis.ConnectionError, redis.TimeoutError)
"""What is raised while the server is unavailable, or has just come back and still loads its data."""

_clients: WeakKeyDictionary[asyncio.AbstractEventLoop, redis.asyncio.Redis] = WeakKeyDictionary()


@cache
def sync_redis() -> redis.Redis:
    """Return the client for the threads of this process."""
    client: redis.Redis = redis.Redis.from_url(
        settings.REDIS_URL,
        socket_connect_timeout=CONNECT_TIMEOUT,
        socket_timeout=ANSWER_TIMEOUT,
        retry=Retry(ExponentialBackoff(), RETRIES),
    )
    return client


def async_redis() -> redis.asyncio.Redis:
    """Return the client for the running event loop."""
    loop = asyncio.get_running_loop()
    client = _clients.get(loop)
    if client is None:
        client = _clients[loop] = redis.asyncio.Redis.from_url(
            settings.REDIS_URL,
            socket_connect_timeout=CONNECT_TIMEOUT,
            socket_timeout=ANSWER_TIMEOUT,
            retry=AsyncRetry(ExponentialBackoff(), RETRIES),
        )
    return client


async def close_async_redis() -> None:
    """Close the connections of the running event loop."""
    client = _clients.pop(asyncio.get_running_loop(), None)
    if client is not None:
        await client.aclose()


class Script:
    """A Lua script in files, which is sent once and then called by its hash.

    The files are joined in their order, so that a script may begin with another one's local functions. `await` a call
    on the running event loop; `text` is for pipelines.
    """

    def __init__(self, *files: Path) -> None:
        self.text = "\n".join(file.read_text(encoding="utf-8") for file in files)
        self._sha = hashlib.sha1(self.text.encode(), usedforsecurity=False).hexdigest()

    async def __call__(self, keys: Sequence[str] = (), args: Sequence[Any] = ()) -> Any:
        """Return what the script returns; a server that has forgotten it is sent the text."""
        client: Any = async_redis()
        try:
            return await client.evalsha(self._sha, len(keys), *keys, *args)
        except redis.exceptions.NoScriptError:
            return await client.eval(self.text, len(keys), *keys, *args)
