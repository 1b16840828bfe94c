"""Commands and positions that wait, in the order in which they were given.

One command is on its way at a time; the server takes those of a connection one after the other anyway. So the order
also holds when a connection is lost or a command has to be sent again: whatever has no answer yet stays at the head,
and goes out on the next connection with the same `id`, by which the server knows it.

A driver's positions make the fare. Most of them ask for no answer: they go out one behind the other, and are kept until
the answer to something later says that the server has them. On the next connection those that are not confirmed go out
again, before everything else; the points that the server has already change no fare.
"""

from __future__ import annotations

import asyncio
import itertools
import secrets
import time
from collections import deque

from nebengjek_client.errors import CommandExpired, ConnectionEnded, NebengJekError, QueueFull
from nebengjek_client.frames import Data, encode

QUEUE_MAX = 100
"""Commands that wait, the one on its way included."""

QUEUE_MAX_AGE = 540.0
"""Seconds after which a command is not sent any more: below the ten minutes for which the server knows an `id`."""

POSITIONS_MAX = 2000
"""Positions of a driver that are kept, those that were sent included: of half an hour, with one a second."""

CONFIRM_INTERVAL = 5.0
"""Seconds that positions that were sent stay unconfirmed, before the next one asks for an answer."""


class QueuedCommand:
    """A command, whose `answer` can be awaited."""

    def __init__(self, kind: str, data: Data, command_id: str) -> None:
        self.kind = kind
        self.text = encode(kind, data, command_id)
        self.id = command_id
        self.answer: asyncio.Future[Data] = asyncio.get_running_loop().create_future()
        self.sent = False
        self.timer: asyncio.TimerHandle | None = None
        self._given_at = time.monotonic(), time.time()

    @property
    def age(self) -> float:
        """Seconds since it was given, by the clock that makes more of them: one may stop while a phone sleeps."""
        steady, wall = self._given_at
        return max(time.monotonic() - steady, time.time() - wall)


class QueuedPosition:
    """A position; one that is `kept` stays until it is confirmed, of others only the latest waits."""

    def __init__(self, data: Data, *, kept: bool) -> None:
        self.text = encode("location_update", data)
        self.kept = kept
        self.sent_at = 0.0
        self._data = data

    def text_with(self, command_id: str) -> str:
        """Return the frame that asks for an answer."""
        return encode("location_update", self._data, command_id)


Entry = QueuedCommand | QueuedPosition


class CommandQueue:
    """What waits, in its order, and the positions that were sent and are not confirmed."""

    def __init__(
        self, size: int = QUEUE_MAX, max_age: float = QUEUE_MAX_AGE, positions_max: int = POSITIONS_MAX
    ) -> None:
        self._size, self._max_age, self._positions_max = size, max_age, positions_max
        self._waiting: deque[Entry] = deque()
        self._unconfirmed: deque[QueuedPosition] = deque()
        self._news = asyncio.Event()
        self._prefix = secrets.token_hex(8)
        self._numbers = itertools.count(1)

    def __len__(self) -> int:
        return len(self._waiting)

    def new_id(self) -> str:
        """Return an id that no other command has."""
        return f"{self._prefix}-{next(self._numbers)}"

    def put(self, kind: str, data: Data) -> QueuedCommand:
        """Add a command, whose `answer` can be awaited. Raises `QueueFull`."""
        if sum(isinstance(entry, QueuedCommand) for entry in self._waiting) >= self._size:
            raise QueueFull(f"{self._size} commands wait already.")
        command = QueuedCommand(kind, data, self.new_id())
        command.timer = asyncio.get_running_loop().call_later(self._max_age, self._expire, command)
        self._add(command)
        return command

    async def head(self) -> Entry:
        """Wait until there is something to send, and return it; it stays until it is removed."""
        while True:
            while not self._waiting:
                self._news.clear()
                await self._news.wait()
            first = self._waiting[0]
            if isinstance(first, QueuedPosition) or first.age <= self._max_age:
                return first
            self._expire(first)

    def remove(self, entry: Entry) -> None:
        """Take something out, if it is still in."""
        if isinstance(entry, QueuedCommand) and entry.timer is not None:
            entry.timer.cancel()
        if entry in self._waiting:
            self._waiting.remove(entry)
        elif isinstance(entry, QueuedPosition) and entry in self._unconfirmed:
            self._unconfirmed.remove(entry)

    # --- positions ---

    def put_position(self, data: Data, *, keep: bool) -> None:
        """Add a position behind what was given before it; without `keep` it takes the place of an older one."""
        position = QueuedPosition(data, kept=keep)
        own = [entry for entry in self._waiting if isinstance(entry, QueuedPosition)]
        outdated = [entry for entry in own if not entry.kept]
        kept = [*self._unconfirmed, *(entry for entry in own if entry.kept)]
        too_many = max(0, len(kept) + 1 - self._positions_max) if keep else 0
        for entry in [*outdated, *kept[:too_many]]:
            self.remove(entry)
        self._add(position)

    def sent(self, position: QueuedPosition) -> None:
        """Note that a position is on its way; one that is kept now waits to be confirmed."""
        if position not in self._waiting:
            return
        self._waiting.remove(position)
        if position.kept:
            position.sent_at = time.monotonic()
            self._unconfirmed.append(position)

    def asks_for_confirmation(self, position: QueuedPosition) -> bool:
        """Whether this one shall be sent with an `id`, since those before it have been unconfirmed for long."""
        if not position.kept or not self._unconfirmed:
            return False
        return time.monotonic() - self._unconfirmed[0].sent_at >= CONFIRM_INTERVAL

    def confirm(self) -> None:
        """Forget the positions that were sent: the server has them."""
        self._unconfirmed.clear()

    def send_again(self) -> None:
        """Put the positions that are not confirmed before everything else."""
        self._waiting.extendleft(reversed(self._unconfirmed))
        self._unconfirmed.clear()
        self._news.set()

    # --- answers ---

    def settle(self, command: QueuedCommand, answer: Data | NebengJekError) -> None:
        """Hand a command its answer, and take it out."""
        self.remove(command)
        if command.answer.done():
            return
        if isinstance(answer, NebengJekError):
            command.answer.set_exception(answer)
        else:
            command.answer.set_result(answer)

    def end(self, reason: ConnectionEnded) -> None:
        """Give every command its last answer, and forget the positions."""
        for command in [entry for entry in self._waiting if isinstance(entry, QueuedCommand)]:
            self.settle(command, reason)
        self._waiting.clear()
        self._unconfirmed.clear()

    def _add(self, entry: Entry) -> None:
        self._waiting.append(entry)
        self._news.set()

    def _expire(self, command: QueuedCommand) -> None:
        done = "was sent without an answer, and may have been carried out" if command.sent else "was not sent"
        text = f"In {self._max_age:g} s there was no connection for the command; it {done}."
        self.settle(command, CommandExpired(text, sent=command.sent))
