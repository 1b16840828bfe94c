"""Histories in Redis or Valkey, for any number of processes.

Kept for each user: the number of the newest notification, a list of the newest frames, and by day the numbers of the
events. One script numbers, keeps and publishes a whole batch in the form of the channel layer, so a batch costs one
round trip. The epoch is the server's run id: a server that was started anew, empty or from an old snapshot, is a new
generation, and so is one that was emptied: a key in it has a name of its own.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any
from uuid import UUID

import msgspec
import redis
from django.conf import settings

from common.redis import PREFIX, async_redis
from realtime.contract.frames import notification_head
from realtime.delivery.fence import Fence, Fenced
from realtime.delivery.history.base import EVENT_ID_TTL, Delivery, Notification, Place, Reading
from realtime.delivery.layer_messages import DELIVER, GROUP
from realtime.delivery.layers.redis import group_channel

DAY = 24 * 3600
EVENTS_PER_CALL = 100
"""Events of one script call; a longer batch is sent as several calls at once, between which others are served."""

GENERATION = f"{PREFIX}generation"

_EPOCH = f"""
local generation = redis.call('GET', '{GENERATION}')
if not generation then
  local time = redis.call('TIME')
  generation = string.format('%x%05x', time[1], time[2])
  redis.call('SET', '{GENERATION}', generation)
end
local epoch = string.sub(string.match(redis.call('INFO', 'server'), 'run_id:(%x+)'), 1, 12) .. '-' .. generation
"""

_DELIVER = (
    """
local prefix, channel, maximum, ttl, ids_ttl = ARGV[1], ARGV[2], tonumber(ARGV[3]), ARGV[4], ARGV[5]
local today, yesterday = ARGV[6], ARGV[7]
if #KEYS == 2 and redis.call('GET', KEYS[1]) ~= ARGV[9] then
  return redis.error_reply('FENCED another process holds the lease')
end
"""
    + _EPOCH
    + """
for _, event in ipairs(cmsgpack.unpack(ARGV[8])) do
  local id, kind, common, at = event[1], event[2], event[3], event[5]
  for _, recipient in ipairs(event[4]) do
    local user = recipient[1]
    local ids = prefix .. 'ids:' .. today .. ':' .. user
    local seq = redis.call('HGET', ids, id) or redis.call('HGET', prefix .. 'ids:' .. yesterday .. ':' .. user, id)
    local is_new = not seq
    if is_new then
      seq = redis.call('INCR', prefix .. 'head:' .. user)
      redis.call('HSET', ids, id, seq)
      redis.call('EXPIRE', ids, ids_ttl)
    end
    local frame = (recipient[2] or common) .. ',"seq":' .. seq .. '}'
    if is_new then
      local frames = prefix .. 'frames:' .. user
      if redis.call('RPUSH', frames, frame) > maximum then redis.call('LPOP', frames) end
      redis.call('PEXPIRE', frames, ttl)
    end
    redis.call('PUBLISH', channel .. user, cmsgpack.pack(
      {type = '"""
    + DELIVER
    + """', epoch = epoch, seq = tonumber(seq), event = kind, frame = frame, at = at}))
  end
end
if ARGV[10] then redis.call('SET', KEYS[2], ARGV[10]) end
"""
)

_READ = (
    _EPOCH
    + """
local prefix, user, wanted, seq = ARGV[1], ARGV[2], ARGV[3], tonumber(ARGV[4])
local head = tonumber(redis.call('GET', prefix .. 'head:' .. user) or '0')
if wanted ~= epoch or seq > head then return {epoch, head, false} end
if seq == head then return {epoch, head, {}} end
local frames = prefix .. 'frames:' .. user
if redis.call('LLEN', frames) < head - seq then return {epoch, head, false} end
return {epoch, head, redis.call('LRANGE', frames, seq - head, -1)}
"""
)


_HEADS = (
    _EPOCH
    + """
local answer = {epoch}
for index, key in ipairs(ARGV) do answer[index + 1] = redis.call('GET', key) end
return answer
"""
)


class RedisHistory:
    """The histories of all processes."""

    async def deliver(self, deliveries: Sequence[Delivery], fence: Fence | None = None) -> None:
        """Number, keep and send each event in turn; one that comes again keeps its number and is sent again.

        Raises `Fenced`, having done nothing, when there is a `fence` and its lease is not held any more.
        """
        keys = [fence.lease_key, fence.position_key] if fence else []
        starts = range(0, max(len(deliveries), 1), EVENTS_PER_CALL)
        script = async_redis().register_script(_DELIVER)
        async with async_redis().pipeline(transaction=False) as pipeline:
            for start in starts:
                events = [_packed(delivery) for delivery in deliveries[start : start + EVENTS_PER_CALL]]
                arguments: list[Any] = [*_settings(), msgspec.msgpack.encode(events)]
                if fence:
                    arguments.append(fence.token)
                    if fence.position is not None and start == starts[-1]:
                        arguments.append(fence.position)
                await script(keys=keys, args=arguments, client=pipeline)
            try:
                await pipeline.execute()
            except redis.ResponseError as exc:
                if "FENCED" in str(exc):
                    raise Fenced("the lease is not held any more") from exc
                raise

    async def read(self, user_id: UUID, place: Place | None = None) -> Reading:
        """Return where a user's stream stands, and the notifications after `place`, where they are all kept."""
        wanted, seq = (place.epoch, place.seq) if place else ("", 0)
        script = async_redis().register_script(_READ)
        epoch, head, frames = await script(args=[PREFIX, str(user_id), wanted, seq])
        missed = None
        if frames is not None:
            missed = [Notification(seq + n, frame.decode()) for n, frame in enumerate(frames, 1)]
        return Reading(epoch.decode(), head, missed)

    async def heads(self, user_ids: Sequence[UUID]) -> tuple[str, list[int]]:
        """Return the epoch and the number of each user's newest notification; 0 before the first."""
        script = async_redis().register_script(_HEADS)
        epoch, *heads = await script(args=[f"{PREFIX}head:{user_id}" for user_id in user_ids])
        return epoch.decode(), [int(head or 0) for head in heads]

    def purge(self) -> None:
        """Do nothing: what is in Redis ends by itself."""


def _settings() -> list[Any]:
    today = int(time.time()) // DAY
    ttl = int(settings.HISTORY_TTL.total_seconds() * 1000)
    ids_ttl = EVENT_ID_TTL + DAY
    return [PREFIX, group_channel(GROUP), settings.HISTORY_MAX, ttl, ids_ttl, today, today - 1]


def _packed(delivery: Delivery) -> list[Any]:
    recipients = [
        [str(user_id)] if view is None else [str(user_id), notification_head(delivery.type, view)]
        for user_id, view in delivery.audience.items()
    ]
    return [delivery.event_id, delivery.type, notification_head(delivery.type, delivery.data), recipients, delivery.at]
