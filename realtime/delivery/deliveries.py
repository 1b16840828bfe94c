"""What a channel layer delivers: events for people, in batches."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol
from uuid import UUID

import msgspec

from realtime.delivery.fence import Fence


class Delivery(msgspec.Struct, frozen=True):
    """An event on its way to its audience: `data` is encoded, and so is what single recipients see instead of it.

    `at` is when it happened, in seconds since the epoch; 0 where that is not known.
    """

    event_id: str
    type: str
    data: bytes
    audience: Mapping[UUID, bytes | None]
    at: float = 0


class DeliveringLayer(Protocol):
    """A channel layer that also numbers notifications and keeps them for those who are not connected."""

    async def deliver_batch(
        self, deliveries: Sequence[Delivery], fence: Fence | None = None, *, after_gap: bool = False
    ) -> None:
        """Number, keep and send each event in turn; one that comes again keeps its number and is sent again.

        With `after_gap` notifications before these are lost: a new epoch begins, so that all clients get the state.
        Raises `Fenced`, having delivered nothing more, when the lease of the `fence` is not held any more.
        """
