"""A driver hears while driving that the phone is of no use."""

from __future__ import annotations

import pytest

from common.errors import DomainError
from realtime.socket.position_warnings import PositionWarnings
from rides.metering.fixes import Fix, Reason
from rides.metering.sightings import Sighting

FIX = Fix(-6.2, 106.8, 1e9)


class Heard(list[DomainError]):
    """What was sent."""

    async def send(self, warning: DomainError) -> None:
        self.append(warning)


async def tell(heard: Heard, reasons: list[Reason], clock_error: float = 0.0, apart: float = 1.0) -> None:
    warnings = PositionWarnings(heard.send)
    for n, reason in enumerate(reasons):
        await warnings.note(Sighting(FIX, 1e9, clock_error), reason, 1e9 + n * apart)


@pytest.mark.parametrize(
    ("reason", "field"),
    [("no_fix", "latitude"), ("inaccurate", "accuracy"), ("late", "timestamp"), ("too_fast", "latitude")],
)
async def test_fixes_that_are_refused_in_a_row_are_said_once(reason: Reason, field: str) -> None:
    heard = Heard()
    await tell(heard, [reason] * 50)
    assert [warning.field for warning in heard] == [field]
    assert "phone" in heard[0].message or "positions" in heard[0].message


async def test_single_bad_fixes_are_ordinary() -> None:
    heard = Heard()
    await tell(heard, ["", "inaccurate", "inaccurate", ""] * 20)
    assert heard == []


@pytest.mark.parametrize(
    ("error", "said"), [(-35, "35 s ahead"), (3600, "3600 s behind"), (-29, ""), (29, ""), (-25200, "25200 s ahead")]
)
async def test_a_clock_that_is_wrong_is_said(error: float, said: str) -> None:
    heard = Heard()
    await tell(heard, [""] * 10, clock_error=error)
    assert [said in warning.message for warning in heard] == [True][: bool(said)]
    assert [warning.field for warning in heard] == ["timestamp"][: bool(said)]


async def test_a_backlog_is_no_wrong_clock() -> None:
    """Its fixes come in at once, and the last ones tell the true time."""
    heard = Heard()
    await tell(heard, [""] * 50, clock_error=60, apart=0.01)
    assert heard == []


async def test_it_is_said_again_after_a_minute(monkeypatch: pytest.MonkeyPatch) -> None:
    heard = Heard()
    now = 0.0
    monkeypatch.setattr("time.monotonic", lambda: now)
    warnings = PositionWarnings(heard.send)
    for n in range(125):
        now = float(n)
        await warnings.note(None, "no_fix", 1e9 + n)
    assert len(heard) == 3
