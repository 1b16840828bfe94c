"""Which fixes follow from each other."""

from __future__ import annotations

from rides.metering.fixes import Fix
from rides.metering.outliers import Judge, plausible
from tests.rides.metering.tracks import fix, noisy, straight, track


def kept(fixes: list[Fix], sigma: float = 5.0, max_speed: float = 55.0) -> list[list[int]]:
    """The numbers of the fixes that are kept, those after a jump in another list."""
    judge = Judge(fixes, [one.phone_time or 0 for one in fixes], [sigma] * len(fixes), max_speed)
    pieces: list[list[int]] = [[]]
    for number, jumped in plausible(judge):
        if jumped:
            pieces.append([])
        pieces[-1].append(number)
    return pieces


def test_a_noisy_ride_is_kept() -> None:
    """Noise tears no ride apart, and hardly any fix is left out."""
    chains = kept(noisy(track(straight(), 600), 12, seed=3), sigma=12)
    assert len(chains) == 1
    assert len(chains[0]) > 595


def test_a_spike_is_left_out() -> None:
    """One fix to the side is left out, and the ride goes on."""
    fixes = track(straight(), 60)
    fixes[30] = fix(straight()(30) + 150, 30)
    assert kept(fixes) == [[n for n in range(61) if n != 30]]


def test_a_gap_is_bridged() -> None:
    """After minutes without fixes the chain goes on where the vehicle can be by then."""
    assert len(kept([one for n, one in enumerate(track(straight(), 600)) if not 200 < n < 400])) == 1


def test_what_goes_on_elsewhere_is_followed() -> None:
    """A phone that goes on somewhere else is followed there."""
    fixes = [*track(straight(), 60), *(fix(9000 + straight()(at), at) for at in range(61, 121))]
    assert kept(fixes) == [list(range(61)), list(range(61, 121))]


def test_a_few_fixes_are_no_ride() -> None:
    """A start at a wrong place is left out."""
    fixes = [fix(9000, 0), fix(9000, 1), *track(straight(), 60)[2:]]
    assert kept(fixes) == [list(range(2, 61))]
