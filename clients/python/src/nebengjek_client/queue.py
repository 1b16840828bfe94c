"""Commands that wait for their answer, in the order in which they were given.

One is on its way at a time; the server takes those of a connection one after the other anyway. So the order also holds
when a connection is lost or a command has to be sent again: whatever has no answer yet stays at the head, and goes out
on the next connection with the same `id`, by which the server knows it.
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


class QueuedCommand:
    """A command, or a position: that has no `answer`."""

    def __init__(self, text: str, command_id: str, answer: asyncio.Future[Data] | None) -> None:
        self.text = text
        self.id = command_id
        self.answer = answer
        self.sent = False
        self.timer: asyncio.TimerHandle | None = None
        self._given_at = time.monotonic(), time.time()

    @property
    def age(self) -> float:
        """Seconds since it was given, by the clock that makes more of them: one may stop while a phone sleeps."""
        steady, wall = self._given_at
        return max(time.monotonic() - steady, time.time() - wall)


class CommandQueue:
    """Commands in their order, and among them at most one position: the latest."""

    def __init__(self, size: int = QUEUE_MAX, max_age: float = QUEUE_MAX_AGE) -> None:
        self._size, self._max_age = size, max_age
        self._waiting: deque[QueuedCommand] = deque()
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
        if sum(command.answer is not None for command in self._waiting) >= self._size:
            raise QueueFull(f"{self._size} commands wait already.")
        command_id = self.new_id()
        loop = asyncio.get_running_loop()
        command = QueuedCommand(encode(kind, data, command_id), command_id, loop.create_future())
        command.timer = loop.call_later(self._max_age, self._expire, command)
        self._add(command)
        return command

    def put_position(self, text: str) -> None:
        """Keep a position behind the commands that were given before it, instead of an older one."""
        self.drop_position()
        self._add(QueuedCommand(text, "", None))

    def drop_position(self) -> None:
        """Forget the position: there is a newer one."""
        for command in [command for command in self._waiting if command.answer is None]:
            self.remove(command)

    async def head(self) -> QueuedCommand:
        """Wait until there is something to send, and return it; it stays until it is removed."""
        while True:
            while not self._waiting:
                self._news.clear()
                await self._news.wait()
            first = self._waiting[0]
            if first.age <= self._max_age:
                return first
            self._expire(first)

    def remove(self, command: QueuedCommand) -> None:
        """Take a command out, if it is still in."""
        if command.timer is not None:
            command.timer.cancel()
        if command in self._waiting:
            self._waiting.remove(command)

    def settle(self, command: QueuedCommand, answer: Data | NebengJekError) -> None:
        """Hand a command its answer, and take it out."""
        self.remove(command)
        if command.answer is None or command.answer.done():
            return
        if isinstance(answer, NebengJekError):
            command.answer.set_exception(answer)
        else:
            command.answer.set_result(answer)

    def end(self, reason: ConnectionEnded) -> None:
        """Give every command its last answer."""
        for command in list(self._waiting):
            self.settle(command, reason)

    def _add(self, command: QueuedCommand) -> None:
        self._waiting.append(command)
        self._news.set()

    def _expire(self, command: QueuedCommand) -> None:
        done = "was sent without an answer, and may have been carried out" if command.sent else "was not sent"
        text = f"In {self._max_age:g} s there was no connection for the command; it {done}."
        self.settle(command, CommandExpired(text, sent=command.sent))
