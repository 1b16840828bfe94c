"""Asking several servers at once, none of them for longer than a set time: one that is frozen hides nothing else."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from concurrent.futures import Future, wait
from typing import Generic, TypeVar

from django.db import connections

from common.process import process

T = TypeVar("T")

PATIENCE = 3.0
"""Seconds for all answers together."""


class Unanswered(Exception):
    """A question has had no answer in time."""


class Answers(Generic[T]):
    """What was asked, by name: the future of each answer."""

    def __init__(self, futures: Mapping[str, Future[T]]) -> None:
        self._futures = futures
        wait(futures.values(), PATIENCE)

    def of(self, name: str) -> T:
        """Return an answer; raises what was raised instead, or `Unanswered`."""
        future = self._futures[name]
        if not future.done():
            raise Unanswered(f"no answer within {PATIENCE:g} s")
        return future.result()


class Asker:
    """Asks each question in a thread of its own; one that is still unanswered from before is not asked once more.

    So there are never more threads than questions, however often somebody asks while a server is frozen.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._running: dict[str, Future[object]] = {}

    def ask(self, questions: Mapping[str, Callable[[], T]]) -> Answers[T]:
        """Ask all of them, and wait for at most `PATIENCE`."""
        with self._lock:
            futures = {name: self._future(name, question) for name, question in questions.items()}
        return Answers(futures)

    def _future(self, name: str, question: Callable[[], T]) -> Future[T]:
        running = self._running.get(name)
        if running is not None and not running.done():
            return running  # type: ignore[return-value]  # a name has one type of answer
        future: Future[T] = Future()
        self._running[name] = future  # type: ignore[assignment]
        # A daemon: it must not hold the process up at its end.
        threading.Thread(target=_answer, args=(future, question), name=f"ask-{name}", daemon=True).start()
        return future


def asker() -> Asker:
    """Return the asker of this process."""
    return process.one(Asker, Asker)


def _answer(future: Future[T], question: Callable[[], T]) -> None:
    try:
        answer = question()
    except BaseException as exc:
        connections.close_all()
        future.set_exception(exc)
    else:
        connections.close_all()  # before anybody goes on: the tests would find the database in use
        future.set_result(answer)
