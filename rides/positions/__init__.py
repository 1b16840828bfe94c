"""Where everybody is now."""

from __future__ import annotations

from common.process import process
from rides.positions.base import Position as Position
from rides.positions.base import PositionStore as PositionStore


def positions() -> PositionStore:
    """Return the store of this process."""
    store: PositionStore = process.backend("positions")
    return store
