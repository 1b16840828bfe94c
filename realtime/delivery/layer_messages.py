"""The messages on the channel layer: their types, and the groups that they are sent to."""

from __future__ import annotations

from uuid import UUID

DELIVER = "event.deliver"
REVOKE = "session.revoke"
REPLACE = "session.replace"
DISCONNECT = "session.disconnect"
RELAY = "location.relay"
CHECK = "history.check"
"""The types: constants of ours, never taken from an event or a client."""

GROUP = "user_"


def group_of(user_id: UUID) -> str:
    """Return the name of the group in which all connections of a user are."""
    return f"{GROUP}{user_id}"
