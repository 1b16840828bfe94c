"""Questions of many to the database, asked together."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Hashable, Mapping
from typing import Generic, TypeVar

from common.threads import in_read_thread

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")

MOST = 80
"""Keys of one question."""


class Together(Generic[K, V]):
    """Answers each `get` by a call of `ask` that began after it: one at a time, for all who wait.

    Alone, one waits as long as for a call of its own; of a crowd nobody pays for a statement and a change of threads.
    """

    def __init__(self, ask: Callable[[list[K]], Mapping[K, V]]) -> None:
        self._ask = ask
        self._waiting: list[tuple[K, asyncio.Future[V | None]]] = []
        self._asking: asyncio.Task[None] | None = None

    async def get(self, key: K) -> V | None:
        """Return what there is for a key; None for nothing. Raises what `ask` raises."""
        answer: asyncio.Future[V | None] = asyncio.get_running_loop().create_future()
        self._waiting.append((key, answer))
        if self._asking is None:
            self._asking = asyncio.create_task(self._ask_for_all())
        return await answer

    async def _ask_for_all(self) -> None:
        try:
            while self._waiting:
                asked, self._waiting = self._waiting[:MOST], self._waiting[MOST:]
                await self._answer(asked)
        finally:
            self._asking = None

    async def _answer(self, asked: list[tuple[K, asyncio.Future[V | None]]]) -> None:
        waiting = [(key, answer) for key, answer in asked if not answer.done()]  # some have given up
        if not waiting:
            return
        try:
            found = await in_read_thread(self._ask, list({key for key, _ in waiting}))
        except Exception as exc:
            for _, answer in waiting:
                if not answer.done():
                    answer.set_exception(exc)
            return
        for key, answer in waiting:
            if not answer.done():
                answer.set_result(found.get(key))
