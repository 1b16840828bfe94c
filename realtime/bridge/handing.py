"""Messages that came to the bridge of one shard and are for users of others: it hands them on, into their streams.

Those are messages of other services, which know nothing of shards, and what was published when there was another number
of them.
"""

from __future__ import annotations

from collections.abc import Sequence
from uuid import NAMESPACE_OID, uuid5

import msgspec
from nats.aio.client import Client
from nats.js import JetStreamContext

from common.nats import ANSWER_TIMEOUT
from common.shards import shard_count, shard_of
from events.buses.jetstream import id_in_shard
from events.signature import SIGNATURE_HEADER, signature_of
from events.stream import ID_HEADER, TYPE_HEADER, VALID_UNTIL_HEADER, VIEWS_HEADER, sharded_subject, stream_of
from realtime.bridge.reading import Incoming


class Handing:
    """Hands on what is not for the users of `shard`."""

    def __init__(self, client: Client, shard: int) -> None:
        self._context: JetStreamContext = client.jetstream(timeout=ANSWER_TIMEOUT)
        self._shard, self._is_needed = shard, shard_count() > 1

    async def hand_on(self, items: Sequence[Incoming]) -> list[Incoming]:
        """Return what is for our users, when all else is in the streams of the others: one by one, for the order.

        Doing so again is harmless: a stream takes an id once within an hour, and a user an event once within a day.
        """
        if not self._is_needed:
            return list(items)
        ours: list[Incoming] = []
        for item in items:
            shards = set(map(shard_of, item.delivery.audience))
            for shard in sorted(shards - {self._shard}):
                await self._publish(item, shard)
            if shards == {self._shard}:
                ours.append(item)
            elif self._shard in shards:
                ours.append(msgspec.structs.replace(item, delivery=item.delivery.part_for(self._shard)))
        return ours

    async def _publish(self, item: Incoming, shard: int) -> None:
        subject = sharded_subject(item.subject, shard)
        headers = headers_for(item, shard)
        headers[SIGNATURE_HEADER] = signature_of(subject, item.message.data, headers)
        await self._context.publish(subject, item.message.data, stream=stream_of(shard), headers=headers)


def headers_for(item: Incoming, shard: int) -> dict[str, str]:
    """Return the headers of a message as it is handed on: ours, since it has been checked here."""
    delivery = item.delivery.part_for(shard)
    event_id = delivery.event_id if item.is_ours else str(uuid5(NAMESPACE_OID, delivery.event_id))
    views = {user: None if view is None else msgspec.Raw(view) for user, view in delivery.audience.items()}
    headers = {
        ID_HEADER: id_in_shard(event_id, shard),
        TYPE_HEADER: delivery.type,
        VIEWS_HEADER: msgspec.json.encode(views).decode(),
    }
    until = (item.message.headers or {}).get(VALID_UNTIL_HEADER)
    return headers | ({VALID_UNTIL_HEADER: until} if until else {})
