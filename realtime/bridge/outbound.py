"""From the outbox to the stream; what is in no stream goes from here to the users."""

from __future__ import annotations

from collections.abc import Sequence

from nats.aio.msg import Msg

from common.shards import shard_count
from events.buses.jetstream import JetStreamBus, ShardedBus
from events.models import OutboxEvent
from events.relay import Relay
from events.stream import OUTBOX_SUBJECT
from realtime.bridge.turn import Turn
from realtime.delivery.deliver import begin_epoch, deliver


class Outbound:
    """Relays the outbox; `newest` is the last sequence of the stream when it begins."""

    def __init__(self, turn: Turn, *, newest: int) -> None:
        self._turn = turn
        if shard_count() == 1:
            bus = JetStreamBus(turn.client, self._deliver, self._skip, turn.position.wait_for, newest=newest)
        else:
            bus = ShardedBus(turn.client, deliver, begin_epoch)
        self._relay = Relay(bus, self._count, turn.watchdog.step)

    @property
    def trouble(self) -> str:
        """Why events wait for NATS at this moment; empty while they do not."""
        return self._relay.trouble

    async def run(self) -> None:
        """Relay until cancelled; woken by a message on `OUTBOX_SUBJECT`."""
        subscription = await self._turn.client.subscribe(OUTBOX_SUBJECT, cb=self._wake)
        try:
            await self._relay.run()
        finally:
            if self._turn.client.is_connected:
                await subscription.unsubscribe()

    async def drain(self) -> None:
        """Relay everything that waits."""
        await self._relay.drain()

    def _count(self, relayed: int) -> None:
        self._turn.counts.relayed += relayed

    async def _wake(self, _message: Msg) -> None:
        self._relay.wake()

    async def _deliver(self, events: Sequence[OutboxEvent]) -> None:
        """Deliver events that are in no stream."""
        await deliver(events, self._turn.fence())

    async def _skip(self) -> None:
        """Let all clients get the state, in place of an event that was given up."""
        await begin_epoch(self._turn.fence())
