"""The estimate during a ride: near enough to book kilometres by, and the same in one process or many."""

from __future__ import annotations

from functools import reduce

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rides.metering.fixes import Fix, Limits
from rides.metering.running import Progress, advance
from tests.rides.metering.test_meter import any_fix, near_fix
from tests.rides.metering.tracks import fix, noisy, straight, track

LIMITS = Limits()


def driven(fixes: list[Fix], limits: Limits = LIMITS) -> Progress:
    return reduce(lambda progress, one: advance(progress, one, limits)[0], fixes, Progress())


@pytest.mark.parametrize("every", [1.0, 5.0, 15.0])
@pytest.mark.parametrize("sigma", [0, 3, 10])
def test_it_is_near_the_truth(every: float, sigma: int) -> None:
    """On a straight road the estimate is within a few per cent and a leg of the truth."""
    fixes = noisy(track(straight(), 600, every, accuracy=max(5.0, sigma)), sigma)
    assert driven(fixes).metres == pytest.approx(6000, rel=0.06, abs=160)


@pytest.mark.parametrize("sigma", [3, 10])
def test_a_stand_books_no_kilometre(sigma: int) -> None:
    """An hour on the spot does not reach a kilometre."""
    assert driven(noisy(track(lambda _: 0j, 3600, accuracy=float(sigma)), sigma, 0.9)).metres < 500


@pytest.mark.parametrize("wrong", [3600.0, -3600.0, 35.0])
def test_a_clock_set_on_the_way_costs_little(wrong: float) -> None:
    """Where a phone's clock is set, a few fixes are lost and the ride goes on."""
    fixes = track(straight(), 600)
    shifted = [msgspec.structs.replace(one, phone_time=(one.phone_time or 0) + wrong) for one in fixes[:300]]
    assert driven([*shifted, *fixes[300:]]).metres == pytest.approx(6000, rel=0.03)


def test_a_backlog_is_only_counted_at_the_end() -> None:
    """Fixes that come in late are refused here; the final measurement has them."""
    fixes = track(straight(), 120)
    progress = driven(fixes)
    after, reason = advance(progress, msgspec.structs.replace(fixes[60], received_at=fixes[-1].received_at + 1), LIMITS)
    assert (after.metres, reason) == (progress.metres, "late")


def test_a_jump_is_not_driven() -> None:
    """A phone that turns up 700 km away has not driven there."""
    fixes = [*track(straight(), 300), *(fix(700_000j + straight()(at), at) for at in range(301, 601))]
    assert driven(fixes).metres == pytest.approx(5990, rel=0.02)


@given(st.lists(any_fix | near_fix, max_size=30), st.integers(0, 30))
@settings(max_examples=60, deadline=None)
def test_another_process_may_go_on(fixes: list[Fix], after: int) -> None:
    """Kept as JSON in between, the estimate is the same to the last bit."""
    kept = msgspec.json.decode(msgspec.json.encode(driven(fixes[:after])), type=Progress)
    assert reduce(lambda progress, one: advance(progress, one, LIMITS)[0], fixes[after:], kept) == driven(fixes)
