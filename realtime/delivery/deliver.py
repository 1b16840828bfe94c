"""From the outbox to the sockets: each event to its audience, numbered by the history."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby
from uuid import UUID

from channels.layers import get_channel_layer

from events.models import OutboxEvent
from realtime.contract.frames import encode
from realtime.delivery.deliveries import DeliveringLayer, Delivery
from realtime.delivery.fence import Fence
from realtime.delivery.layer_messages import REVOKE, group_of
from users.events import TokensRevoked


async def deliver(events: Sequence[OutboxEvent], fence: Fence | None = None) -> None:
    """Deliver a batch in order. Doing it again is harmless: an event keeps its number, and sockets drop repetitions."""
    layer: DeliveringLayer = get_channel_layer()
    for is_for_people, batch in groupby(events, key=lambda event: bool(event.type)):
        if is_for_people:
            await layer.deliver_batch([delivery_of(event) for event in batch], fence)
        else:
            for event in batch:
                await _control(event)


async def begin_epoch(fence: Fence | None = None) -> None:
    """Let all clients get the state: something will never be delivered."""
    layer: DeliveringLayer = get_channel_layer()
    await layer.deliver_batch([], fence, after_gap=True)


def delivery_of(event: OutboxEvent) -> Delivery:
    """Return an event of the outbox as the channel layer takes it."""
    views = {UUID(user_id): None if view is None else encode(view) for user_id, view in event.audience.items()}
    return Delivery(
        event_id=str(event.event_id),
        type=event.type,
        data=encode(event.data),
        audience=views,
        at=event.created_at.timestamp(),
        traceparent=event.traceparent,
    )


async def _control(event: OutboxEvent) -> None:
    """Let the sockets know that tokens were revoked; other events without a frame type are for other services."""
    if event.subject != TokensRevoked.subject:
        return
    message = {"type": REVOKE, "token_version": event.data["token_version"]}
    for recipient in event.audience:
        await get_channel_layer().group_send(group_of(UUID(recipient)), message)
