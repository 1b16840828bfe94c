import asyncio
import time
from datetime import datetime, timedelta
from typing import Any

import pytest
import time_machine

from realtime.socket import token_expiry as expiry
from realtime.socket.token_expiry import TokenWatch
from tests.patience import until


class Told:
    """What a watch has said."""

    def __init__(self) -> None:
        self.warnings: list[datetime] = []
        self.ends = 0

    async def warn(self, expires_at: datetime) -> None:
        self.warnings.append(expires_at)

    async def end(self) -> None:
        self.ends += 1


@pytest.fixture
def told() -> Told:
    """Nothing said yet."""
    return Told()


async def test_it_warns_once_and_then_ends(told: Told, settings: Any) -> None:
    settings.WS_TOKEN_NOTICE = timedelta(seconds=10)
    watch = TokenWatch(told.warn, told.end)
    watch.start(time.time() + 1000)
    await asyncio.sleep(0.01)
    assert (told.warnings, told.ends) == ([], 0)
    expires_at = time.time() + 9
    watch.start(expires_at)
    await until(lambda: told.warnings)
    assert told.warnings[0].timestamp() == pytest.approx(expires_at)
    assert told.ends == 0
    with time_machine.travel(expires_at + 0.01):
        watch._look()  # as its timer does
        await until(lambda: told.ends)
    assert (len(told.warnings), told.ends) == (1, 1)
    watch.stop()


async def test_a_fresh_token_starts_anew(told: Told, settings: Any) -> None:
    settings.WS_TOKEN_NOTICE = timedelta(seconds=10)
    watch = TokenWatch(told.warn, told.end)
    watch.start(time.time() + 0.1)
    watch.start(time.time() + 1000)
    await asyncio.sleep(0.2)
    assert told.ends == 0
    watch.stop()


async def test_what_has_expired_ends_at_once_and_what_is_stopped_never(told: Told) -> None:
    TokenWatch(told.warn, told.end).start(time.time() - 1)
    await asyncio.sleep(0.01)
    assert told.ends == 1
    watch = TokenWatch(told.warn, told.end)
    watch.start(time.time() + 0.05)
    watch.stop()
    await asyncio.sleep(0.1)
    assert told.ends == 1


async def test_a_long_wait_is_cut_into_pieces_that_follow_the_wall_clock(
    told: Told, monkeypatch: pytest.MonkeyPatch, settings: Any
) -> None:
    settings.WS_TOKEN_NOTICE = timedelta(0)
    monkeypatch.setattr(expiry, "LONGEST_TIMER", 0.02)
    now = time.time()
    watch = TokenWatch(told.warn, told.end)
    watch.start(now + 3600)
    monkeypatch.setattr("common.clock.timestamp", lambda: now + 3601)
    await asyncio.sleep(0.1)
    assert told.ends == 1
