"""The errors that pass by themselves, and how the bridge waits for that."""

from __future__ import annotations

import nats.errors

from common.db import AWAY as DATABASE_AWAY
from common.nats import AWAY as NATS_AWAY
from common.redis import AWAY as REDIS_AWAY
from events.buses.base import BusUnavailable

PASSING = (*REDIS_AWAY, *NATS_AWAY, *DATABASE_AWAY, nats.errors.Error, BusUnavailable)
"""Faults that have nothing to do with the message in hand: Redis, NATS or the database is unavailable."""

RETRY_DELAY = 0.5
"""Seconds before what failed is tried again."""
