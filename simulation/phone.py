"""A phone: a client that belongs to somebody, and how fast it is answered."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable

from nebengjek_client import Client, Data, Tokens

FrameLog = Callable[[str, str, Data], object]
"""Called with whose phone it is, `->` or `<-`, and the frame."""

LATENCIES_KEPT = 10_000
"""Enough for the figures of a simulation, and little for a town that runs for weeks."""


class Phone(Client):
    """The client of one person; `latencies` are seconds from a command to its answer."""

    def __init__(self, name: str, url: str, tokens: Tokens, log: FrameLog) -> None:
        super().__init__(url, tokens.access, tokens.refresh, trace=self._note)
        self.name = name
        self.latencies: deque[float] = deque(maxlen=LATENCIES_KEPT)
        self._log = log
        self._asked: dict[str, float] = {}

    @property
    def is_over(self) -> bool:
        """Whether the connection has ended for good, so that only a new phone can help."""
        return self._end is not None

    def _note(self, direction: str, frame: Data) -> None:
        self._log(self.name, direction, frame)
        command_id = frame.get("id")
        if command_id is None:
            return
        if direction == "->":
            self._asked[command_id] = time.perf_counter()
        elif command_id in self._asked:
            self.latencies.append(time.perf_counter() - self._asked.pop(command_id))
