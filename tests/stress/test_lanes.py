from itertools import pairwise

import pytest

from tests.e2e.conftest import StartServer
from tests.stress.lanes import read_slowly

pytestmark = pytest.mark.e2e


async def test_slow_readers_get_fresh_positions(start_server: StartServer) -> None:
    """A slow reader gets every event in order, and only the latest positions between them."""
    server = start_server(WS_LOCATION_RATE="40")
    reading = await read_slowly(server, seconds=15, period=0.25, rate=40)
    assert reading.probes == list(range(30))
    assert all(later == earlier + 1 for earlier, later in pairwise(reading.numbers))
    assert len(reading.ages) >= 15
    assert reading.sent > 5 * len(reading.ages)  # most were overtaken on their way
    # One on its way and one in his hands, with events between; without the pace he would end 50 behind.
    assert max(reading.behind) <= 15
