"""Where a phone is for matching, the start of a ride and the map."""

from __future__ import annotations

from rides.metering.fixes import Fix, Limits, Reason
from rides.metering.whereabouts import STEADY, Whereabouts, locate

LIMITS = Limits()
METRE = 1 / 111_195.08


def at(seconds: float, metres: float, *, clock: float | None = 0, delay: float = 0, accuracy: float | None = 5) -> Fix:
    """A fix so many metres to the north, made at that time and reported a little later, by a clock that is wrong."""
    said = None if clock is None else 1e9 + seconds + clock
    return Fix(-6.2 + metres * METRE, 106.8, 1e9 + seconds + delay, said, "c", accuracy)


def located(*fixes: Fix) -> tuple[Whereabouts, list[Reason]]:
    where, reasons = None, []
    for fix in fixes:
        where, reason = locate(where, fix, LIMITS)
        reasons.append(reason)
    assert where is not None
    return where, reasons


def test_a_phone_that_was_lost_may_find_itself() -> None:
    """The first fix is of a cell tower, the second of GPS."""
    where, reasons = located(at(0, 0, accuracy=None), at(0.3, 2500))
    assert (where.fix, reasons) == (at(0.3, 2500), ["", ""])


def test_a_phone_is_not_700_km_away_in_an_instant() -> None:
    where, reasons = located(at(0, 0), at(0.3, 700_000))
    assert (where.fix, reasons[-1]) == (at(0, 0), "too_fast")


def test_a_reflection_moves_nobody_who_reports_steadily() -> None:
    """Then back to where it was, as if nothing had been."""
    steady = [at(n, 8 * n) for n in range(STEADY + 3)]
    where, reasons = located(*steady, at(STEADY + 3, 400))
    assert (where.fix, reasons[-1]) == (steady[-1], "too_fast")
    where, reasons = located(*steady, at(STEADY + 3, 400), at(STEADY + 4, 8 * (STEADY + 4)))
    assert (where.fix.latitude, reasons[-1]) == (at(0, 8 * (STEADY + 4)).latitude, "")


def test_several_fixes_that_agree_are_believed() -> None:
    """A ferry, or a phone that was off: it may not be refused for ever."""
    there = [at(20 + n, 60_000 + n) for n in range(6)]
    where, reasons = located(*[at(n, 8 * n) for n in range(10)], *there)
    assert where.fix == there[-1]
    assert reasons[-1] == ""


def test_an_old_fix_moves_nobody_back() -> None:
    """The backlog of a tunnel comes in after the newest."""
    where, reasons = located(at(0, 0), at(60, 500), at(30, 250, delay=31), at(31, 258, delay=31))
    assert (where.fix, reasons[-2:]) == (at(60, 500), ["late", "late"])


def test_null_island_and_cell_towers_are_nowhere() -> None:
    """They neither replace a place nor make one."""
    nowhere = Fix(0, 0, 1e9, None, "c", 5)
    assert locate(None, nowhere, LIMITS) == (None, "no_fix")
    assert locate(None, at(0, 0, accuracy=1500), LIMITS) == (None, "inaccurate")
    where, reasons = located(at(0, 0), nowhere, at(2, 3000, accuracy=1500))
    assert (where.fix, reasons[1:]) == (at(0, 0), ["no_fix", "inaccurate"])


def test_others_are_told_the_right_time() -> None:
    """The phone's own where it is right to a few seconds, else the server's."""
    where, _ = located(at(0, 0, delay=0.4))
    assert where.shown_at == 1e9
    where, _ = located(at(0, 0, clock=3600, delay=0.4), at(1, 8, clock=3600, delay=0.2))
    assert abs(where.shown_at - (1e9 + 1.2)) < 0.01
    where, _ = located(at(0, 0, clock=None))
    assert where.shown_at == 1e9


def test_time_never_runs_backwards() -> None:
    """Neither when the clock is found to be wrong, nor when it is set."""
    last = 0.0
    where: Whereabouts | None = None
    for n in range(60):
        clock = 40 if n < 20 else -3600 if n < 40 else 0
        where, _ = locate(where, at(n, 5 * n, clock=clock, delay=0.5 * (n % 3)), LIMITS)
        assert where is not None
        assert where.at >= last
        last = where.at
    assert where is not None
    assert where.fix == at(59, 295, delay=1.0)
