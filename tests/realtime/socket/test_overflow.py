"""More happens than any buffer holds, while the client does not read; then he reads, and nothing is amiss."""

from __future__ import annotations

import asyncio
import random
from typing import Any
from uuid import UUID

import pytest
from channels.layers import get_channel_layer
from django.utils import timezone

from common.threads import in_write_thread
from events.models import OutboxEvent
from realtime.delivery.deliver import deliver
from realtime.server.background import Background
from realtime.socket.connections import connections
from rides.services.beacons import beacon_update
from tests.realtime.phone import Phone
from users.models import User

pytestmark = pytest.mark.django_db(transaction=True)

ROOM = 5
"""Messages that a mailbox holds in these tests."""


@pytest.fixture(autouse=True)
def layer() -> Any:
    """A channel layer with small mailboxes."""
    layer = get_channel_layer()
    layer.capacity = ROOM
    return layer


class Reader:
    """What a client reads. While he does not, the server's next frame waits to be sent, as it does on a full socket."""

    def __init__(self, phone: Phone) -> None:
        self.phone = phone
        self.seq: int = phone.ready["seq"]
        self.states: list[dict[str, Any]] = []
        self._reads = asyncio.Event()
        self._reads.set()
        guard: Any
        (guard,) = connections()._live
        consumer = guard.socket
        self._send = consumer.base_send
        consumer.base_send = self._send_when_read

    def stop(self) -> None:
        self._reads.clear()

    def go_on(self) -> None:
        self._reads.set()

    async def read_to(self, seq: int) -> None:
        """Read up to a number: each is the next, or a new state tells where to go on."""
        while self.seq < seq:
            frame = await self.phone.next()
            if frame["type"] == "session_ready":
                assert frame["data"]["seq"] > self.seq
                self.seq = frame["data"]["seq"]
                self.states.append(frame["data"])
            else:
                assert frame["seq"] == self.seq + 1
                assert frame["data"].get("n", self.seq + 1) == self.seq + 1
                self.seq += 1
        assert self.seq == seq

    async def _send_when_read(self, message: Any) -> None:
        await self._reads.wait()
        await self._send(message)


async def happen(user: User, first: int, last: int) -> None:
    """Deliver so many events, in batches as the relay does."""
    numbers = range(first, last + 1)
    events = [
        OutboxEvent(
            event_id=UUID(int=n),
            created_at=timezone.now(),
            type="beacon_update",
            data={"n": n},
            audience={str(user.pk): None},
        )
        for n in numbers
    ]
    for start in range(0, len(events), 7):
        await deliver(events[start : start + 7])
        await asyncio.sleep(0)


@pytest.mark.parametrize("count", [ROOM, ROOM + 1, ROOM + 2, 3 * ROOM, 1500])
async def test_every_notification_comes_once_and_in_order(
    background: Background, dewi: User, layer: Any, count: int
) -> None:
    """The last ones are always among those that were dropped; the heartbeat finds that they are missing."""
    phone = await Phone.of(dewi)
    reader = Reader(phone)
    reader.stop()
    await happen(dewi, 1, count)
    assert layer.dropped or count <= ROOM + 1  # one is on its way to the client
    reader.go_on()
    await reader.read_to(count)
    await happen(dewi, count + 1, count + 1)
    await reader.read_to(count + 1)
    assert reader.states == []
    assert await phone.hears_nothing(0.15)  # three heartbeats
    await phone.hang_up()


async def test_without_a_heartbeat_the_next_notification_brings_what_was_dropped(dewi: User, layer: Any) -> None:
    phone = await Phone.of(dewi)
    reader = Reader(phone)
    reader.stop()
    await happen(dewi, 1, 40)
    assert layer.dropped
    reader.go_on()
    await reader.read_to(ROOM + 1)
    await happen(dewi, 41, 41)
    await reader.read_to(41)
    await phone.hang_up()


@pytest.mark.parametrize("switched", [20, 21])
async def test_what_the_history_does_not_hold_either_is_replaced_by_the_true_state(
    background: Background, dewi: User, settings: Any, switched: int
) -> None:
    settings.HISTORY_MAX = 4
    phone = await Phone.of(dewi)
    reader = Reader(phone)
    reader.stop()
    for number in range(switched):
        await in_write_thread(beacon_update, user_id=dewi.pk, is_active=number % 2 == 0)
    reader.go_on()
    await reader.read_to(switched)
    assert [state["recovered"] for state in reader.states] == [False]
    assert reader.states[0]["state"]["beacon"]["is_active"] == (switched % 2 == 1)
    await in_write_thread(beacon_update, user_id=dewi.pk, is_active=switched % 2 == 0)
    await reader.read_to(switched + 1)
    await phone.hang_up()


@pytest.mark.parametrize("history", [ROOM, 5000])
@pytest.mark.parametrize("seed", range(6))
async def test_reading_and_not_reading_in_any_turn(
    background: Background, dewi: User, settings: Any, seed: int, history: int
) -> None:
    settings.HISTORY_MAX = history
    rng = random.Random(seed)
    phone = await Phone.of(dewi)
    reader = Reader(phone)
    head = 0
    for _ in range(12):
        rng.choice((reader.stop, reader.go_on))()
        more = rng.choice((1, 2, ROOM, 3 * ROOM))
        await happen(dewi, head + 1, head + more)
        head += more
        await asyncio.sleep(rng.choice((0, 0.01, 0.06)))
    reader.go_on()
    await reader.read_to(head)
    assert history == ROOM or not reader.states
    await phone.hang_up()
