from datetime import timedelta
from typing import Any

import pytest

from realtime.server.drain import BATCH, PAUSE, Drain, batch_size
from realtime.socket.connections import Connections


@pytest.mark.parametrize("count", [0, 1, 100, 1999])
def test_few_sockets_are_closed_a_hundred_at_a_time(settings: Any, count: int) -> None:
    settings.SHUTDOWN_SPREAD = timedelta(seconds=5)
    assert batch_size(count) == BATCH


@pytest.mark.parametrize("count", [2001, 5000, 100_000])
def test_many_are_all_closed_within_the_spread(settings: Any, count: int) -> None:
    settings.SHUTDOWN_SPREAD = timedelta(seconds=5)
    batches = count / batch_size(count)
    assert 5 - 2 * PAUSE <= batches * PAUSE <= 5


async def test_nobody_here_is_nobody_to_wait_for(settings: Any) -> None:
    settings.SHUTDOWN_NOTICE = timedelta(0)
    settings.SHUTDOWN_TIMEOUT = timedelta(hours=1)
    drain = Drain(Connections())
    await drain.give_notice()
    assert drain.has_begun
    assert await drain.close_all() > 3500
