"""What the cache in Redis holds."""

from __future__ import annotations

import json
from typing import Any


class JSONSerializer:
    """Keeps values as JSON, so that whoever can write to Redis can change data but run no code.

    Values are what JSON can tell: tuples come back as lists.
    """

    def dumps(self, value: object) -> bytes:
        """Return a value as text; raises `TypeError` for what JSON has no form for."""
        return json.dumps(value, allow_nan=False, separators=(",", ":")).encode()

    def loads(self, data: bytes) -> Any:
        """Return the value; raises `ValueError` for what was not written here."""
        return json.loads(data)
