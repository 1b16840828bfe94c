"""Shards: the users are spread over several Redis servers, each of which has a stream in NATS and a bridge of its own.

`REDIS_URL` is shard 0, and `REDIS_SHARDS` names further ones; without any there is one shard. What is not about one
user is on shard 0.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TypeVar
from uuid import UUID
from zlib import crc32

from django.conf import settings

T = TypeVar("T")


def redis_urls() -> list[str]:
    """Return the address of each shard's server."""
    return [settings.REDIS_URL, *settings.REDIS_SHARDS]


def shard_count() -> int:
    """Return how many shards there are."""
    return 1 + len(settings.REDIS_SHARDS)


def shard_of(user_id: UUID | str) -> int:
    """Return the shard of a user: the same in every process and for ever, while the number of shards is the same."""
    count = shard_count()
    return crc32(str(user_id).encode()) % count if count > 1 else 0


def by_shard(items: Iterable[T], user_of: Callable[[T], UUID]) -> dict[int, list[T]]:
    """Return the items of each shard that has any, in their order."""
    if shard_count() == 1:
        return {0: found} if (found := list(items)) else {}
    groups: dict[int, list[T]] = {}
    for item in items:
        groups.setdefault(shard_of(user_of(item)), []).append(item)
    return groups


def shard_name(shard: int) -> str:
    """Return what a server is to be told that it is: `1 of 2`."""
    return f"{shard} of {shard_count()}"
