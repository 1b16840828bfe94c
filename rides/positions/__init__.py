"""Where everybody is now: `settings.POSITION_STORE` names the store in use."""

from __future__ import annotations

from functools import cache

from django.conf import settings
from django.utils.module_loading import import_string

from rides.positions.base import Position as Position
from rides.positions.base import PositionStore as PositionStore


@cache
def positions() -> PositionStore:
    """Return the store of this process."""
    store: PositionStore = import_string(settings.POSITION_STORE)()
    return store
