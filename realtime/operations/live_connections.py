"""The live connections as support staff looks at them: found by number, name or id, and ended."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from datetime import UTC, datetime

import msgspec
from asgiref.sync import async_to_sync
from channels.layers import get_channel_layer

from realtime.delivery.layer_messages import DISCONNECT, group_of
from users.models import User
from users.presence import Presence, presence
from users.selectors import people_found

MOST_FOUND = 1000
"""Users that a search looks for among the connected ones."""

SORTABLE = ("since", "heard", "role", "process", "address")


class LiveConnection(msgspec.Struct, frozen=True):
    """A connection and its user; None when the user was deleted meanwhile."""

    presence: Presence
    user: User | None

    @property
    def since(self) -> datetime:
        """When it began."""
        return datetime.fromtimestamp(self.presence.since, UTC)

    @property
    def heard(self) -> datetime:
        """When the client was heard last."""
        return datetime.fromtimestamp(self.presence.heard, UTC)


def connected(search: str = "", order: str = "-since", *, by_parts: bool = False) -> list[Presence]:
    """Return the connections of all processes, in order; with a search, those of the users found (`people_found`)."""
    found = presence().everyone()
    if text := search.strip():
        wanted = set(people_found(text, by_parts=by_parts).values_list("pk", flat=True)[:MOST_FOUND])
        found = [one for one in found if one.user_id in wanted]
    name = order.removeprefix("-")
    key = name if name in SORTABLE else "since"
    return sorted(found, key=lambda one: (getattr(one, key), one.connection_id), reverse=order.startswith("-"))


def with_users(present: Iterable[Presence]) -> list[LiveConnection]:
    """Return connections with their users, by one query."""
    present = list(present)
    users = User.objects.in_bulk({one.user_id for one in present})
    return [LiveConnection(one, users.get(one.user_id)) for one in present]


def chosen(connection_ids: Collection[str]) -> list[LiveConnection]:
    """Return those of these connections that still are there."""
    return with_users(one for one in presence().everyone() if str(one.connection_id) in connection_ids)


def disconnect(connection: LiveConnection) -> None:
    """Have a connection closed by the process that has it; the client comes back, with what it missed."""
    message = {"type": DISCONNECT, "connection": str(connection.presence.connection_id)}
    async_to_sync(get_channel_layer().group_send)(group_of(connection.presence.user_id), message)
