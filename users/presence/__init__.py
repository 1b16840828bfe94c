"""Who is connected, over all processes: one record for each user, that of the newest connection."""

from __future__ import annotations

from common.process import process
from users.presence.base import Presence as Presence
from users.presence.base import PresenceStore as PresenceStore


def presence() -> PresenceStore:
    """Return the store of this process."""
    store: PresenceStore = process.backend("presence")
    return store
