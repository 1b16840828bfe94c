"""The connections of all processes, in Redis or Valkey.

Each user has one key, `<session> <record>`, which ends by itself unless a heartbeat writes it again. All comparisons
are of session numbers, and those are by the clock of Redis: clocks of processes that differ do no harm. A sorted set
lists the users; it may contain users who have disconnected. All of it is on the shard of the user.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any
from uuid import UUID

import msgspec

from common.redis import PREFIX, async_redis, sync_shard
from common.shards import by_shard, shard_count, shard_of
from users.presence.base import Presence, record_ttl

USERS = f"{PREFIX}connected"

PER_CALL = 1000
"""Records noted by one call of the script, so that Redis serves others in between."""

_TAKE = f"""
local key, record, user, ttl = KEYS[1], ARGV[1], ARGV[2], ARGV[3]
local before = tonumber(string.match(redis.call('GET', key) or '', '^%d+')) or 0
local time = redis.call('TIME')
local session = string.format('%.0f', math.max(before + 1, time[1] * 1000000 + time[2]))
redis.call('SET', key, session .. ' ' .. record, 'PX', ttl)
redis.call('ZADD', '{USERS}', time[1], user)
return {{session, before}}
"""

_NOTE = f"""
local ttl, newest = tonumber(ARGV[1]), {{}}
local now = redis.call('TIME')[1]
for place, key in ipairs(KEYS) do
  local session, record, user = ARGV[3 * place - 1], ARGV[3 * place], ARGV[3 * place + 1]
  local kept = string.match(redis.call('GET', key) or '', '^%d+')
  if not kept or tonumber(kept) <= tonumber(session) then
    kept = session
    redis.call('SET', key, session .. ' ' .. record, 'PX', ttl)
    redis.call('ZADD', '{USERS}', now, user)
  end
  newest[place] = kept
end
redis.call('ZREMRANGEBYSCORE', '{USERS}', '-inf', now - 2 * ttl / 1000)
return newest
"""

_RELEASE = f"""
local key, session, user = KEYS[1], ARGV[1], ARGV[2]
if string.match(redis.call('GET', key) or '', '^%d+') == session then
  redis.call('DEL', key)
  redis.call('ZREM', '{USERS}', user)
end
"""

_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(Presence).decode


class RedisPresence:
    """A key for each user, and a sorted set of the users."""

    async def take(self, connection: Presence) -> bool:
        """Make this the user's connection, and set its `session`; return whether there was another one."""
        arguments: list[Any] = [_encode(connection), str(connection.user_id), _ttl()]
        script = async_redis(shard_of(connection.user_id)).register_script(_TAKE)
        session, before = await script(keys=[_key(connection.user_id)], args=arguments)
        connection.session = int(session)
        return int(before) > 0

    async def beat(self, connections: Sequence[Presence]) -> list[int]:
        """Note connections again; return for each the session of its user's newest one."""
        newest = [0] * len(connections)
        for call in _calls(connections):
            script = async_redis(call.shard).register_script(_NOTE)
            answers = await script(keys=call.keys, args=call.arguments)
            for place, session in zip(call.places, answers, strict=True):
                newest[place] = int(session)
        return newest

    async def release(self, connection: Presence) -> None:
        """End a connection; only the newest one leaves a record to remove."""
        script = async_redis(shard_of(connection.user_id)).register_script(_RELEASE)
        await script(keys=[_key(connection.user_id)], args=[connection.session, str(connection.user_id)])

    def note(self, connections: Sequence[Presence]) -> None:
        """Note connections whose `session` is set."""
        for call in _calls(connections):
            script = sync_shard(call.shard).register_script(_NOTE)
            script(keys=call.keys, args=call.arguments)

    def online(self, user_ids: Collection[UUID]) -> set[UUID]:
        """Return those of these users who are connected."""
        found: set[UUID] = set()
        for shard, users in by_shard(user_ids, lambda user_id: user_id).items():
            records: Any = sync_shard(shard).mget([_key(user_id) for user_id in users])
            found |= {user_id for user_id, record in zip(users, records, strict=True) if record is not None}
        return found

    def everyone(self) -> list[Presence]:
        """Return the connections of all users."""
        found: list[Presence] = []
        for shard in range(shard_count()):
            users: Any = sync_shard(shard).zrange(USERS, 0, -1)
            records: Any = sync_shard(shard).mget([_key(user.decode()) for user in users]) if users else []
            found += [_read(record) for record in records if record is not None]
        return found


class _Call(msgspec.Struct):
    """A call of the script, and the places in the list of the connections that it notes."""

    shard: int
    places: list[int]
    keys: list[str]
    arguments: list[Any]


def _calls(connections: Sequence[Presence]) -> list[_Call]:
    calls = []
    for shard, places in by_shard(range(len(connections)), lambda place: connections[place].user_id).items():
        for start in range(0, len(places), PER_CALL):
            call = _Call(shard, places[start : start + PER_CALL], [], [_ttl()])
            for one in (connections[place] for place in call.places):
                call.keys.append(_key(one.user_id))
                call.arguments += (one.session, _encode(one), str(one.user_id))
            calls.append(call)
    return calls


def _read(record: bytes) -> Presence:
    session, _, text = record.partition(b" ")
    connection = _decode(text)
    connection.session = int(session)
    return connection


def _ttl() -> int:
    return int(record_ttl() * 1000)


def _key(user_id: UUID | str) -> str:
    return f"{PREFIX}connection:{user_id}"
