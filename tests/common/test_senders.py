"""Threads for the servers of others."""

from __future__ import annotations

import threading

import pytest

from common.senders import Senders
from tests.patience import TIMEOUT


def test_calls_are_made_elsewhere() -> None:
    """By threads with the name of what they do; who puts a call waits for none."""
    senders, seen, gate = Senders("test", threads=2, waiting=10), [], threading.Event()

    def call() -> None:
        gate.wait(TIMEOUT)
        seen.append(threading.current_thread().name)

    assert [senders.put(call) for _ in range(5)] == [True] * 5
    assert seen == []
    gate.set()
    senders.settle()
    assert len(seen) == 5
    assert {name.rpartition("_")[0] for name in seen} == {"test"}


def test_too_many_are_not_taken(caplog: pytest.LogCaptureFixture) -> None:
    """Until there is room again."""
    senders, gate = Senders("test", threads=1, waiting=2), threading.Event()
    assert [senders.put(lambda: gate.wait(TIMEOUT)) for _ in range(3)] == [True, True, False]
    assert not senders.put(lambda: None)
    assert caplog.text.count("one is dropped: test") == 1
    gate.set()
    senders.settle()
    assert senders.put(lambda: None)
    senders.settle()


def test_one_that_fails_takes_no_place(caplog: pytest.LogCaptureFixture) -> None:
    """It is a line of the log, once a minute by reason, and the next one has its turn."""
    senders, seen = Senders("test", threads=1, waiting=1), []

    def fail() -> None:
        raise ConnectionError("no provider\nat all")

    for call in (fail, fail, lambda: seen.append(1)):
        assert senders.put(call)
        senders.settle()
    assert seen == [1]
    assert [record.getMessage() for record in caplog.records] == ["Could not send (test): no provider"]
