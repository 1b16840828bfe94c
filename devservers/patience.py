"""How long to wait for what other processes do: one factor for slow machines, `TIMEOUT_FACTOR` in the environment."""

from __future__ import annotations

import os

FACTOR = float(os.environ.get("TIMEOUT_FACTOR", "1"))

TIMEOUT = 30 * FACTOR
"""Seconds. A wait costs nothing where all goes well, so it is generous: a busy machine may be ten times slower."""
