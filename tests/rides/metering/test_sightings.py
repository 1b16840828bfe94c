"""Where a phone is now: good fixes replace older ones, bad ones neither count nor stand in the way."""

from __future__ import annotations

import msgspec
import pytest

from rides.metering.fixes import Fix, Limits, Reason
from rides.metering.sightings import Sighting, sight
from tests.rides.metering.tracks import START, fix, straight, track

LIMITS = Limits()


def seen(*fixes: Fix, limits: Limits = LIMITS) -> tuple[Sighting | None, list[Reason]]:
    last, reasons = None, []
    for one in fixes:
        last, reason = sight(last, one, limits)
        reasons.append(reason)
    return last, reasons


def test_a_good_fix_replaces_the_last() -> None:
    """A phone is where its newest good fix is."""
    last, reasons = seen(*track(straight(), 10))
    assert last is not None
    assert last.fix == track(straight(), 10)[-1]
    assert set(reasons) == {""}


@pytest.mark.parametrize(
    ("bad", "reason"),
    [
        (fix(0j, 2, latitude=0.0, longitude=0.0), "no_fix"),
        (fix(100, 2, accuracy=1500.0), "inaccurate"),
        (fix(100, 0.5, received_at=START + 2), "late"),
        (fix(700_000j, 1.3), "too_fast"),
    ],
)
def test_a_bad_fix_moves_nobody(bad: Fix, reason: Reason) -> None:
    """No fix, a cell tower, an older fix and one 700 km away in 0.3 s change nothing."""
    last, reasons = seen(fix(0j, 0), fix(10, 1), bad)
    assert last is not None
    assert last.fix == fix(10, 1)
    assert reasons[-1] == reason


def test_a_bad_fix_blocks_nobody() -> None:
    """After one bad fix that was believed, a few good ones that agree are believed again."""
    last, reasons = seen(fix(5000, 0), *(fix(10 * at, at) for at in range(1, 8)))
    assert last is not None
    assert last.fix == fix(70, 7)
    assert reasons == ["", *["too_fast"] * 3, *[""] * 4]


def test_bad_fixes_that_differ_stay_bad() -> None:
    """Fixes that agree with nothing are never believed."""
    wild = [fix(5000 * n * (-1) ** n, n) for n in range(1, 12)]
    last, reasons = seen(fix(0j, 0), *wild)
    assert last is not None
    assert last.fix == fix(0j, 0)
    assert set(reasons[1:]) == {"too_fast"}


def test_at_any_speed() -> None:
    """Without a limit of speed every place can be reached."""
    _, reasons = seen(fix(0j, 0), fix(700_000j, 1), limits=Limits(max_speed_kmh=0))
    assert reasons == ["", ""]


@pytest.mark.parametrize("wrong", [7 * 3600.0, -3600.0])
def test_the_phones_clock_may_be_wrong(wrong: float) -> None:
    """The age of a fix is by the server's clock, whatever the phone's says."""
    last, reasons = seen(
        *(msgspec.structs.replace(one, phone_time=one.received_at + wrong) for one in track(straight(), 9))
    )
    assert last
    assert last.at == pytest.approx(START + 9.1)
    assert set(reasons) == {""}


def test_a_clock_that_is_set_back_is_followed() -> None:
    """A clock that is set back makes fixes seem old; a few in step with the server's clock are believed."""
    ahead = [msgspec.structs.replace(one, phone_time=one.received_at + 3600) for one in track(straight(), 9)]
    _, reasons = seen(*ahead, *(fix(straight()(at), at) for at in range(10, 20)))
    assert reasons[10:] == [*["late"] * 3, *[""] * 7]


def test_a_backlog_is_not_a_clock_set_back() -> None:
    """Old fixes that come in all at once stay old."""
    old = [fix(straight()(at), at, received_at=START + 60.2 + at / 1000) for at in range(10, 50)]
    last, reasons = seen(fix(0j, 0), fix(600, 60), *old)
    assert last is not None
    assert last.fix == fix(600, 60)
    assert set(reasons[2:]) == {"late"}
