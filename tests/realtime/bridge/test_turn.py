import asyncio

from nats.aio.client import Client

from realtime.bridge.counts import Counts
from realtime.bridge.lease import KEY, Lease
from realtime.bridge.position import Position
from realtime.bridge.turn import Turn
from realtime.bridge.watchdog import Watchdog
from realtime.delivery.fence import Fence


def test_deliveries_count_only_under_the_lease_of_the_turn() -> None:
    lease, position = Lease(), Position("S:1", 3)
    turn = Turn(Client(), lease, position, Counts(), Watchdog(), asyncio.Event())
    assert turn.fence(7) == Fence(KEY, lease.token, position.key, 7)
    assert turn.fence().position is None
