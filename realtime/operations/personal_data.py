"""What the sockets keep of people: stored answers, numbered notifications, keys in Redis, messages in the stream."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from functools import partial
from typing import TYPE_CHECKING, Any
from uuid import UUID

from django.conf import settings
from django.db import transaction

from common.db import delete_steps
from common.shards import shard_count
from events.stream import DURABLE, stream_of
from realtime.delivery.history import history
from realtime.models import CommandReceipt
from rides.selectors import companions
from users.models import User
from users.personal_data.base import Steps
from users.presence import presence

if TYPE_CHECKING:
    from nats.js import JetStreamContext

FETCHED_AT_ONCE = 500


class RealtimeData:
    """Stored answers, histories, and what Redis and NATS keep."""

    def check(self, user: User) -> None:
        """Nothing stands against it."""

    def withdraw(self, user: User) -> None:
        """Forget the notifications that a device could have repeated: they tell names and places of before."""
        transaction.on_commit(partial(history().forget, user.pk), robust=True)

    def hand_over(self, user: User) -> None:
        """Forget the answers to commands of the earlier owner."""
        CommandReceipt.objects.filter(user=user, created_at__lt=user.history_from).delete()

    def erase(self, user: User) -> None:
        """Nothing: the event that ends the tokens closes the sockets."""

    def erase_rest(self, user_id: UUID) -> Steps:
        """Remove stored answers, the history, keys in Redis that name the person, and delivered messages."""
        yield from delete_steps(CommandReceipt.objects.filter(user_id=user_id))
        history().erase(user_id)
        for other_id in companions(user_id):  # their notifications have the person's name and places
            history().forget(other_id)
        if settings.DISTRIBUTED:
            yield
            for shard in range(shard_count()):
                _erase_keys(user_id, shard)
            yield
            asyncio.run(_erase_messages(user_id))

    def expire(self) -> Steps:
        """Nothing: all of it has a time of its own, the longest is `NATS_STREAM_MAX_AGE`."""
        return iter(())

    def export(self, user: User) -> dict[str, Any]:
        """Return the present connection; notifications are among the events."""
        found = [one for one in presence().everyone() if one.user_id == user.pk]
        return {"connection": {"address": found[0].address, "since": found[0].since} if found else None}


def _erase_keys(user_id: UUID, shard: int) -> None:
    """Delete all keys with the user's id in their name: history, connection, limits. There is no index of them."""
    from common.redis import PREFIX, sync_shard  # as below: not in a process that stands alone

    redis = sync_shard(shard)
    for key in redis.scan_iter(match=f"{PREFIX}*{user_id}*", count=FETCHED_AT_ONCE):
        redis.delete(key)
    redis.srem(f"{PREFIX}numbered", str(user_id))


async def _erase_messages(user_id: UUID) -> None:
    """Delete the messages of the streams that name a user and that the bridge has delivered."""
    from nats.js.errors import NotFoundError

    from common.nats import ANSWER_TIMEOUT, connect_to_nats

    client = await connect_to_nats("nebengjek-erase")
    try:
        context = client.jetstream(timeout=ANSWER_TIMEOUT)
        for stream in map(stream_of, range(shard_count())):
            try:
                delivered = (await context.consumer_info(stream, DURABLE)).ack_floor
            except NotFoundError:
                continue  # no bridge has ever run, or it begins again from the start
            async for sequence, payload in _messages(context, stream, delivered.stream_seq if delivered else 0):
                if str(user_id).encode() in payload:
                    await context.delete_msg(stream, sequence)
    finally:
        await client.close()


async def _messages(context: JetStreamContext, stream: str, last: int) -> AsyncIterator[tuple[int, bytes]]:
    """Yield the number and the payload (with the views of single recipients) of each message up to a number."""
    from nats.js.api import AckPolicy, ConsumerConfig, DeliverPolicy

    config = ConsumerConfig(deliver_policy=DeliverPolicy.ALL, ack_policy=AckPolicy.NONE, inactive_threshold=30.0)
    reader = await context.pull_subscribe("", stream=stream, config=config)
    at = 0
    while at < last:
        try:
            batch = await reader.fetch(FETCHED_AT_ONCE, timeout=1.0)
        except TimeoutError:
            return
        for message in batch:
            at = message.metadata.sequence.stream
            if at <= last:
                yield at, message.data + str(message.headers or "").encode()
