"""When a fix was made, by the server's clock."""

from __future__ import annotations

import random

import msgspec
import pytest

from rides.metering.clock import true_times
from rides.metering.fixes import Fix, Limits
from rides.metering.meter import measure
from tests.rides.metering.tracks import START, straight, track


def wrong(fixes: list[Fix], seconds: float) -> list[Fix]:
    return [msgspec.structs.replace(one, phone_time=(one.phone_time or 0) + seconds) for one in fixes]


@pytest.mark.parametrize("seconds", [0.0, 35.0, 25_200.0, -3600.0, -1024 * 7 * 86_400.0])
def test_a_wrong_clock_is_put_right(seconds: float) -> None:
    """However wrong a clock is, the fixes are as old as they are."""
    fixes = wrong(track(straight(), 100), seconds)
    assert true_times(fixes) == pytest.approx([START + n + 0.1 for n in range(101)], abs=1e-3)


@pytest.mark.parametrize("seconds", [-7200.0, -5.0, 5.0, 7200.0])
def test_a_clock_that_is_set_is_followed(seconds: float) -> None:
    """Fixes before and after a clock was set are a second apart, as they were made."""
    fixes = track(straight(), 100)
    assert true_times([*wrong(fixes[:50], seconds), *fixes[50:]]) == pytest.approx(
        [START + n + 0.1 for n in range(101)], abs=1e-3
    )


def test_a_slow_network_changes_little() -> None:
    """Delays of up to two seconds are not taken for the clock."""
    rng = random.Random(1)
    fixes = [
        msgspec.structs.replace(one, received_at=one.received_at + rng.uniform(0, 2)) for one in track(straight(), 100)
    ]
    fixes.sort(key=lambda one: one.received_at)
    made = sorted(true_times(fixes))
    assert made == pytest.approx([START + n + 0.1 for n in range(101)], abs=1)


@pytest.mark.parametrize("slow", [0.5, 1.5, 3.0, 20.0])
@pytest.mark.parametrize("clock", [0.0, 40.0, -25_200.0])
def test_a_better_network_keeps_the_order(slow: float, clock: float) -> None:
    """A first connection that was never quick does not reach into the next one: that would bill a zigzag."""
    fixes = wrong(track(straight(), 100), clock)
    fixes = [
        msgspec.structs.replace(one, received_at=one.received_at + slow) if n < 50
        else msgspec.structs.replace(one, received_at=one.received_at + max(0, slow - (n - 50)), connection="b")
        for n, one in enumerate(fixes)
    ]  # fmt: skip
    made = true_times(fixes)
    assert made == sorted(made)
    assert measure(fixes, Limits(), START).metres == pytest.approx(measure(track(straight(), 100), Limits()).metres)


@pytest.mark.parametrize("slow", [0.0, 3.0, 8.0, 15.0, 30.0])
@pytest.mark.parametrize("clock", [0.0, 60.0, -3600.0])
@pytest.mark.parametrize("limits", [Limits(), Limits(max_speed_kmh=0)], ids=["a-vehicle", "any-pace"])
def test_what_is_sent_again_was_made_once(slow: float, clock: float, limits: Limits) -> None:
    """A connection to a server that stood still is never quick, and begins and ends with what others bring as well."""
    fixes = wrong(track(straight(), 100), clock)
    came = fixes[:40]
    for name, part, late in (("b", fixes[30:70], 10 + slow), ("c", fixes[60:], 10)):
        opened = part[0].received_at + late
        came += [
            msgspec.structs.replace(one, received_at=max(one.received_at + late - 10, opened), connection=name)
            for one in part
        ]
    came.sort(key=lambda one: one.received_at)
    assert measure(came, limits).metres == pytest.approx(measure(track(straight(), 100), limits).metres, rel=0.01)


@pytest.mark.parametrize("forward", [5.0, 60.0])
def test_a_clock_set_while_away_keeps_the_order(forward: float) -> None:
    """Set forward between a slow connection and a quick one."""
    fixes = track(straight(), 100)
    before = [msgspec.structs.replace(one, received_at=one.received_at + 3) for one in fixes[:50]]
    after = [msgspec.structs.replace(one, connection="b") for one in wrong(fixes[55:], forward)]
    made = true_times([*before, *after])
    assert made == sorted(made)
    assert made[-1] - made[0] == pytest.approx(100, abs=4)


def test_without_phone_time() -> None:
    """A fix without a time was made when it came in."""
    fixes = track(straight(), 10, phone_time=None)
    assert true_times(fixes) == [one.received_at for one in fixes]


def test_a_backlog_in_parts_is_of_the_time_when_it_was_made() -> None:
    """A network that comes for a moment takes one old fix with it; the next connection brings the rest."""
    fixes = track(straight(), 100)
    parts = [
        *fixes[:50],
        *[msgspec.structs.replace(one, received_at=START + 56, connection="b") for one in fixes[50:52]],
        *[msgspec.structs.replace(one, received_at=START + 60.1, connection="c") for one in fixes[52:60]],
        *[msgspec.structs.replace(one, connection="c") for one in fixes[60:]],
    ]
    assert true_times(parts) == pytest.approx([START + n + 0.1 for n in range(101)], abs=0.11)


def test_a_few_fixes_of_another_phone_keep_their_clock() -> None:
    """One that is an hour wrong is no backlog of the other."""
    fixes = track(straight(), 100)
    other = [msgspec.structs.replace(one, connection="b") for one in wrong(fixes[98:], -3600)]
    assert true_times([*fixes[:98], *other]) == pytest.approx([START + n + 0.1 for n in range(101)], abs=1e-3)
