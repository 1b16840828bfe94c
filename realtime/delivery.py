"""From an event to the sockets of its audience: number it, keep it, send it to the group of each user."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from channels.layers import get_channel_layer

from events.models import OutboxEvent
from realtime.history import history
from realtime.protocol import encode

DELIVER = "event.deliver"
REVOKE = "session.revoke"
REPLACE = "session.replace"
RELAY = "location.relay"
CHECK = "history.check"
"""The types of the messages on the channel layer: constants of ours, never taken from an event or a client."""


def group_of(user_id: UUID) -> str:
    """Return the name of the group in which all connections of a user are."""
    return f"user_{user_id}"


async def deliver(events: Sequence[OutboxEvent]) -> None:
    """Deliver a batch in order. Doing it again is harmless: an event keeps its number, and sockets drop repetitions."""
    for event in events:
        if event.type:
            await _notify(event)
        else:
            await _control(event)


async def _notify(event: OutboxEvent) -> None:
    layer = get_channel_layer()
    common = encode(event.data)
    for recipient, view in event.audience.items():
        user_id = UUID(recipient)
        data = common if view is None else encode(view)
        item = await history().append(user_id, str(event.event_id), event.type, data)
        message = {
            "type": DELIVER,
            "epoch": history().epoch,
            "seq": item.seq,
            "event": event.type,
            "frame": item.frame,
        }
        await layer.group_send(group_of(user_id), message)


async def _control(event: OutboxEvent) -> None:
    """Tell the sockets, and not the people, that tokens were revoked."""
    message: dict[str, Any] = {"type": REVOKE, "token_version": event.data["token_version"]}
    for recipient in event.audience:
        await get_channel_layer().group_send(group_of(UUID(recipient)), message)
