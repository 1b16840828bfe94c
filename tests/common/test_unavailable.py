"""What counts as an outage, with and without the client of Redis."""

import sys

import pytest
import redis
from django.db import InterfaceError, OperationalError

from common.unavailable import redis_away, unavailable


def test_redis_and_the_database_may_be_away() -> None:
    assert {redis.ConnectionError, redis.TimeoutError, OperationalError, InterfaceError} <= set(unavailable())
    assert set(redis_away()) < set(unavailable())
    assert OSError not in unavailable()


def test_what_is_not_loaded_raises_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "redis")
    assert redis_away() == ()
    assert set(unavailable()) == {OperationalError, InterfaceError}
