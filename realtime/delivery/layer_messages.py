"""The messages on the channel layer: their types, and the groups that they are sent to.

The types are constants of ours, never taken from an event or a client: a stock consumer calls the method that a type
names.
"""

from __future__ import annotations

from uuid import UUID

DELIVER = "event.deliver"
"""A numbered notification: `epoch`, `seq`, `event` (its type), `frame` (encoded), `at` (seconds since the epoch), and
the `trace` that it is part of, where there is one."""
REVOKE = "session.revoke"
"""Tokens of a version below `token_version` are revoked."""
REPLACE = "session.replace"
"""`session` is the number of a newer connection of the user."""
DISCONNECT = "session.disconnect"
"""Staff wants the connection with the id `connection` closed."""
RELAY = "location.relay"
"""The position of the user `latest`, as an encoded `frame`."""
CHECK = "history.check"
"""Notifications may be missing: read the history."""

GROUP = "user_"


def group_of(user_id: UUID) -> str:
    """Return the name of the group in which all connections of a user are."""
    return f"{GROUP}{user_id}"
