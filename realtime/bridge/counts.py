"""What a bridge has done, for its last line and for its metrics."""

from __future__ import annotations

import msgspec


class Counts(msgspec.Struct):
    """Messages by what became of them, and events that were relayed; the names are those of the metrics."""

    delivered: int = 0
    ignored: int = 0
    dead: int = 0
    relayed: int = 0
    replayed: int = 0

    def __str__(self) -> str:
        return " ".join(f"{name}={getattr(self, name)}" for name in self.__struct_fields__)
