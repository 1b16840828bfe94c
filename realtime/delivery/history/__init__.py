"""The notifications of each user, numbered without gaps, for as long as a phone may have lost its network."""

from __future__ import annotations

from common.process import process
from realtime.delivery.history.base import Cursor as Cursor
from realtime.delivery.history.base import History as History
from realtime.delivery.history.base import Notification as Notification
from realtime.delivery.history.base import Reading as Reading


def history() -> History:
    """Return the history of this process."""
    store: History = process.backend("history")
    return store
