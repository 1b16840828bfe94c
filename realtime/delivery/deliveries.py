"""What a channel layer delivers: events for people, in batches."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Protocol
from uuid import UUID

import msgspec

from common.shards import shard_of
from common.tracing import tracing
from realtime.delivery.fence import Fence


class Delivery(msgspec.Struct, frozen=True):
    """An event on its way to its audience: `data` is encoded, and so is what single recipients see instead of it.

    `at` is when it happened, in seconds since 1970; 0 where that is not known. After `valid_until`, by the clock of the
    store, it is not delivered any more. `traceparent` is the trace that it is part of, where there is one.
    """

    event_id: str
    type: str
    data: bytes
    audience: Mapping[UUID, bytes | None]
    at: float = 0
    valid_until: float | None = None
    traceparent: str = ""

    def part_for(self, shard: int) -> Delivery:
        """Return the same delivery to those of its audience who are of a shard."""
        audience = {user_id: view for user_id, view in self.audience.items() if shard_of(user_id) == shard}
        return self if len(audience) == len(self.audience) else msgspec.structs.replace(self, audience=audience)


@contextmanager
def on_their_way(work: str, deliveries: Sequence[Delivery]) -> Iterator[Sequence[Delivery]]:
    """Take a step of each delivery's trace, all together; the value is the deliveries as they go on from there."""
    if not tracing.is_on:
        yield deliveries
        return
    with tracing.steps(work, [(delivery.traceparent, delivery.type) for delivery in deliveries]) as traceparents:
        yield [
            msgspec.structs.replace(delivery, traceparent=traceparent)
            for delivery, traceparent in zip(deliveries, traceparents, strict=True)
        ]


class DeliveringLayer(Protocol):
    """A channel layer that also numbers notifications and keeps them for those who are not connected."""

    async def deliver_batch(
        self, deliveries: Sequence[Delivery], fence: Fence | None = None, *, after_gap: bool = False
    ) -> int:
        """Number, keep and send each event in turn; one that comes again keeps its number and is sent again.

        Return how many were not delivered because they had expired. With `after_gap` notifications before these are
        lost: a new epoch begins, so that all clients get the state. Raises `Fenced`, having
        delivered nothing more, when the lease of the `fence` is not held any more.
        """
