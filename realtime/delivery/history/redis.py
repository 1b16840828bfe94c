"""Histories in Redis or Valkey, for any number of processes.

Kept for each user: the number of the newest notification (`head:`), a list of the newest frames (`frames:`), and by day
the numbers of the events (`ids:`). The channel layer writes them (`layers/deliver.lua`). The epoch is of the data and
of the server's life: see `epoch.lua`. The numbers of those who have had no notification for days are forgotten by the
active bridge (`forget_idle`).
"""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from pathlib import Path
from uuid import UUID

from common.redis import PREFIX, Script, sync_shard
from common.shards import shard_of
from realtime.delivery.history.base import Cursor, Notification, Reading

EPOCH = Path(__file__).with_name("epoch.lua")
"""Local functions for scripts; see `Script`."""

_READ = Script(EPOCH, Path(__file__).with_name("read.lua"))
_HEADS = Script(EPOCH, Path(__file__).with_name("heads.lua"))
_FORGET = Script(EPOCH, Path(__file__).with_name("forget.lua"))

LOOKED_AT = 100
"""Users whose counters one call of `forget_idle` looks at, about."""


class RedisHistory:
    """The histories of all processes."""

    async def read(self, user_id: UUID, cursor: Cursor | None = None) -> Reading:
        """Return the newest number of a user, and the notifications after `cursor`, where they are all kept."""
        after = cursor or Cursor("", 0)
        epoch, head, frames = await _READ(
            args=[PREFIX, str(user_id), fresh_generation(), after.epoch, after.seq],
            shard=shard_of(user_id),
        )
        missed = None
        if frames is not None:
            missed = [Notification(after.seq + n, frame.decode()) for n, frame in enumerate(frames, 1)]
        return Reading(epoch.decode(), head, missed)

    async def heads(self, user_ids: Sequence[UUID]) -> tuple[str, list[int]]:
        """Return the epoch and the number of the newest notification of users of one shard; 0 where none is known."""
        shard = shard_of(user_ids[0]) if user_ids else 0
        epoch, *heads = await _HEADS(args=[PREFIX, fresh_generation(), *map(str, user_ids)], shard=shard)
        return epoch.decode(), [int(head or 0) for head in heads]

    def erase(self, user_id: UUID) -> None:
        """Nothing is kept in this process."""

    def forget(self, user_id: UUID) -> None:
        """Forget the frames of a user; the numbers go on."""
        sync_shard(shard_of(user_id)).delete(f"{PREFIX}frames:{user_id}")

    def purge(self) -> None:
        """Do nothing: what is in Redis ends by itself, or by `forget_idle`."""


async def forget_idle(cursor: str = "0", *, shard: int = 0) -> str:
    """Forget the numbers of some users of a shard who have had no notification for days; return the next cursor.

    Whoever comes back goes on after the highest number that was forgotten, so none is given twice in an epoch.
    """
    following: bytes = await _FORGET(args=[PREFIX, cursor, LOOKED_AT], shard=shard)
    return following.decode()


def fresh_generation() -> str:
    """Return a name for a new generation of numbers; a script uses it where there is none, or the last one is lost."""
    return secrets.token_hex(8)
