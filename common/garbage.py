"""How seldom Python looks for garbage in cycles: each look at everything holds up everybody in the process."""

from __future__ import annotations

import gc

THRESHOLDS = (10_000, 20, 20)
"""New objects before the youngest are looked at, and how many such looks before one that goes further back."""


def collect_seldom() -> None:
    """Look at new objects seldom, and at those that have come with the program never; call it when all is loaded.

    What is in no cycle goes at once, as ever.
    """
    gc.freeze()
    gc.set_threshold(*THRESHOLDS)
