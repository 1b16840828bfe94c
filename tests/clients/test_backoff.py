import random
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nebengjek_client.backoff import (
    BACKOFF_FIRST,
    BACKOFF_LEAST,
    BACKOFF_MAX,
    RETRY_AFTER_MAX,
    Backoff,
    retry_after,
)


@given(st.integers())
def test_waits_double_with_jitter(seed: int) -> None:
    """Waits double up to a bound and chance shortens each."""
    backoff, full = Backoff(random.Random(seed)), BACKOFF_FIRST
    for _ in range(200):
        assert full * BACKOFF_LEAST <= backoff.next() <= full
        full = min(full * 2, BACKOFF_MAX)
    backoff.reset()
    assert backoff.next() <= BACKOFF_FIRST


def test_waits_differ() -> None:
    """Two who fell out together do not come back together."""
    assert len({Backoff().next() for _ in range(20)}) == 20


@given(st.floats(0, 1e6), st.integers(0, 20))
def test_retry_after_is_the_least(asked: float, failures: int) -> None:
    """The server's `Retry-After` is waited at least, within reason."""
    backoff = Backoff()
    for _ in range(failures):
        backoff.next()
    wait = backoff.next(at_least=asked)
    assert min(asked, RETRY_AFTER_MAX) <= wait <= max(BACKOFF_MAX, min(asked, RETRY_AFTER_MAX) + BACKOFF_FIRST)


def test_announced_waits_are_exact() -> None:
    """A wait that the server announced is taken as it is."""
    assert Backoff().next(announced=3.7) == 3.7
    assert Backoff().next(announced=1e9) == RETRY_AFTER_MAX


def test_announced_attempts_count() -> None:
    """An attempt that was announced counts as one."""
    backoff = Backoff()
    backoff.next(announced=0)
    assert BACKOFF_FIRST * 2 * BACKOFF_LEAST <= backoff.next() <= BACKOFF_FIRST * 2


def test_retry_after_formats() -> None:
    """Retry after is a number or a date."""
    assert [retry_after(value) for value in ("2", "0.5", "-1", "soon", None)] == [2, 0.5, 0, None, None]
    moment = datetime.now(UTC) + timedelta(minutes=1)
    assert retry_after(format_datetime(moment, usegmt=True)) == pytest.approx(60, abs=5)
    assert retry_after("Wed, 21 Oct 2015 07:28:00 GMT") == 0
    assert retry_after("Wed, 21 Oct 2015 07:28:00 -0000") == 0
