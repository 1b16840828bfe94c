"""The objects that a process has one of."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any

from common.process import Process
from realtime.socket.rate_limits import MemoryMinuteLimit


def test_the_first_caller_makes_it() -> None:
    """Every caller gets the same object, however many threads ask at once."""
    process, made = Process(), []

    def make() -> object:
        made.append(object())
        return made[-1]

    with ThreadPoolExecutor(8) as pool:
        found = set(pool.map(lambda _: process.one("key", make), range(100)))
    assert found == {made[0]}
    assert len(made) == 1


def test_making_one_may_need_another() -> None:
    """An object may ask for others while it is made."""
    process = Process()
    assert process.one("outer", lambda: ["outer", process.one("inner", lambda: "inner")]) == ["outer", "inner"]


def test_backends_are_named_by_settings(settings: Any) -> None:
    """A backend is of the class that the settings name, one for each list of arguments."""
    settings.BACKENDS = settings.EMBEDDED_BACKENDS
    process = Process()
    limit = process.backend("minute_limit", "WS_COSTLY_RATE")
    assert isinstance(limit, MemoryMinuteLimit)
    assert process.backend("minute_limit", "WS_COSTLY_RATE") is limit
    assert process.backend("minute_limit", "WS_CONNECT_RATE") is not limit


def test_both_ways_have_the_same_backends(settings: Any) -> None:
    """Whatever has a backend in one process has one in many."""
    assert settings.EMBEDDED_BACKENDS.keys() == settings.DISTRIBUTED_BACKENDS.keys()
    assert not set(settings.EMBEDDED_BACKENDS.values()) & set(settings.DISTRIBUTED_BACKENDS.values())


def test_a_reset_forgets_everything() -> None:
    """After a reset the process is as if it had just started."""
    process = Process()
    before = process.one("key", object)
    process.reset()
    assert process.one("key", object) is not before
