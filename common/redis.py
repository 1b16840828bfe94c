"""Connections to Redis or Valkey; only used where `REDIS_URL` is set.

Our keys begin with `PREFIX`. Scripts build the names of their keys themselves, so it must be one server (or one with
replicas), not a cluster.
"""

from __future__ import annotations

import asyncio
from functools import cache
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
"""A connection that has gone is made again once; who needs more patience has it himself."""

AWAY = (redis.ConnectionError, redis.TimeoutError)
"""What is raised while the server is away, or has just come back and still reads its data."""

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
