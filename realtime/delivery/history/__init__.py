"""The notifications of each user, numbered without gaps, for as long as a phone may have lost its network.

`settings.HISTORY_STORE` names the store in use.
"""

from __future__ import annotations

from functools import cache

from django.conf import settings
from django.utils.module_loading import import_string

from realtime.delivery.history.base import Cursor as Cursor
from realtime.delivery.history.base import History as History
from realtime.delivery.history.base import Notification as Notification
from realtime.delivery.history.base import Reading as Reading


@cache
def history() -> History:
    """Return the history of this process."""
    store: History = import_string(settings.HISTORY_STORE)()
    return store
