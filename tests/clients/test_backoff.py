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
def test_waits_double_up_to_a_bound_and_chance_shortens_each(seed: int) -> None:
    backoff, full = Backoff(random.Random(seed)), BACKOFF_FIRST
    for _ in range(200):
        assert full * BACKOFF_LEAST <= backoff.next() <= full
        full = min(full * 2, BACKOFF_MAX)
    backoff.reset()
    assert backoff.next() <= BACKOFF_FIRST


def test_two_who_fell_out_together_do_not_come_back_together() -> None:
    assert len({Backoff().next() for _ in range(20)}) == 20


@given(st.floats(0, 1e6), st.integers(0, 20))
def test_what_the_server_asks_for_is_waited_at_least_within_reason(asked: float, failures: int) -> None:
    backoff = Backoff()
    for _ in range(failures):
        backoff.next()
    wait = backoff.next(at_least=asked)
    assert min(asked, RETRY_AFTER_MAX) <= wait <= max(BACKOFF_MAX, min(asked, RETRY_AFTER_MAX) + BACKOFF_FIRST)


def test_a_wait_that_the_server_announced_is_taken_as_it_is() -> None:
    assert Backoff().next(announced=3.7) == 3.7
    assert Backoff().next(announced=1e9) == RETRY_AFTER_MAX


def test_an_attempt_that_was_announced_counts_as_one() -> None:
    backoff = Backoff()
    backoff.next(announced=0)
    assert BACKOFF_FIRST * 2 * BACKOFF_LEAST <= backoff.next() <= BACKOFF_FIRST * 2


def test_retry_after_is_a_number_or_a_date() -> None:
    assert [retry_after(value) for value in ("2", "0.5", "-1", "soon", None)] == [2, 0.5, 0, None, None]
    moment = datetime.now(UTC) + timedelta(minutes=1)
    assert retry_after(format_datetime(moment, usegmt=True)) == pytest.approx(60, abs=5)
    assert retry_after("Wed, 21 Oct 2015 07:28:00 GMT") == 0
    assert retry_after("Wed, 21 Oct 2015 07:28:00 -0000") == 0
