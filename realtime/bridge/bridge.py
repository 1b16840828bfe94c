"""The bridge at work: one at a time relays the outbox to the stream and delivers the stream to the users.

Inwards, a batch is read, checked, delivered by one script in Redis, and then acknowledged. What fails for a passing
reason (Redis, NATS or the database is away) is held and tried again in place: a message that was given back would come
after newer ones. For the same reason the consumer is made anew, just after the last message that was delivered,
whenever messages may be under way to nobody: at a takeover, and when the connection was lost.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from typing import Any
from uuid import UUID

import msgspec
import nats.errors
from django.conf import settings
from django.db import InterfaceError, OperationalError
from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.js.api import AckPolicy, ConsumerConfig, DeliverPolicy
from nats.js.errors import NotFoundError

from common.background_tasks import end
from common.errors import brief
from common.nats import ANSWER_TIMEOUT
from common.nats import AWAY as NATS_AWAY
from common.redis import AWAY as REDIS_AWAY
from common.redis import async_redis
from common.threads import in_read_thread, in_write_thread
from events import dead_letters
from events.buses.base import BusUnavailable
from events.buses.jetstream import JetStreamBus
from events.dead_letters import Dead
from events.models import OutboxEvent
from events.relay import Relay
from events.stream import DURABLE, ID_HEADER, OUTBOX_SUBJECT, STREAM, StreamMismatch, ensure_stream
from realtime.bridge.inbound import Inbound, Unreadable, read_message
from realtime.bridge.lease import KEY, Lease, LeaseLost
from realtime.bridge.pull import Pull, PullBroken
from realtime.bridge.status import STATUS_INTERVAL, last_delivered, position_key, report_status, stream_id
from realtime.delivery.deliver import deliver_with
from realtime.delivery.history.redis import Fence, Fenced, RedisHistory
from rides.selectors import passengers_searching
from rides.services.proposals import match_adopt
from users.selectors import users_missing

logger = logging.getLogger(__name__)

PASSING = (*REDIS_AWAY, *NATS_AWAY, nats.errors.Error, OperationalError, InterfaceError, BusUnavailable)
"""Faults that have nothing to do with the message in hand."""

RETRY_DELAY = 0.5
"""Seconds before what failed is tried again."""

HOLD_INTERVAL = 10.0
"""Seconds between two words to NATS that a batch is being held, not lost."""

ACK_WAIT = 60.0
"""Seconds after which NATS takes a batch for lost of which it heard nothing."""

IDLE = 1.0
"""Seconds that one look for messages lasts where there are none."""

REPLAY_INTERVAL = 1.0
"""Seconds between two looks at the dead letters whose replay was asked for."""

REPLAY_BATCH = 100
KNOWN_USERS = 100_000


class StreamReplaced(Exception):
    """The stream was deleted, and there is another one of its name: what we know of it is about the old one."""


class Progress(msgspec.Struct):
    """What a bridge has done."""

    delivered: int = 0
    ignored: int = 0
    dead: int = 0
    relayed: int = 0
    replayed: int = 0

    def __str__(self) -> str:
        return " ".join(f"{name}={getattr(self, name)}" for name in self.__struct_fields__)


class Bridge:
    """A bridge over a connection to NATS: `run` until `stop`, or `run_once` until there is nothing to do."""

    def __init__(self, client: Client, progress: Progress | None = None) -> None:
        self.progress = progress or Progress()
        self._client = client
        self._context = client.jetstream(timeout=ANSWER_TIMEOUT)
        self._lease = Lease()
        self._history = RedisHistory()
        self._stream_id = ""
        self._position = 0
        self._awaited = 0
        self._moved = asyncio.Condition()
        self._given_up: set[int] = set()
        self._known: set[UUID] = set()
        self._stopping = asyncio.Event()
        self._reopen = False
        self._pull: Pull | None = None

    # --- one bridge at a time ---

    def stop(self) -> None:
        """Finish the batch in hand, and return from `run`."""
        self._stopping.set()
        if self._pull is not None:
            self._pull.wake()

    def connection_was_lost(self) -> None:
        """Note that messages may have been under way when the connection broke."""
        self._reopen = True

    async def run(self) -> None:
        """Be the bridge, or stand by, until told to stop; say how far it is in either case."""
        reporter = asyncio.create_task(self._for_ever("report", self._report_for_ever))
        try:
            await self._take_turns()
        finally:
            await end(reporter)

    async def _take_turns(self) -> None:
        while not self._stopping.is_set():
            if not await self._unless_stopped(self._lease.wait_for()):
                return
            logger.info("Active: lease=%s", self._lease.token)
            try:
                await self._be_active()
            except (LeaseLost, Fenced, StreamReplaced) as exc:
                logger.warning("Not active any more: %s", brief(exc))
            except PASSING as exc:
                logger.warning("The bridge starts over: %s", brief(exc))
                await asyncio.sleep(RETRY_DELAY)
            except StreamMismatch:
                raise
            except Exception:
                logger.exception("The bridge failed and starts over.")
                await asyncio.sleep(RETRY_DELAY)
            finally:
                await self._lease.release()

    async def run_once(self) -> bool:
        """Hand out what waits in the outbox and in the stream; return False where another bridge is active."""
        if not await self._lease.try_take():
            return False
        keeper = asyncio.create_task(self._lease.keep())
        try:
            relay = await self._prepare()
            pull = await self._open()
            inbound = asyncio.create_task(self._deliver_for_ever(pull))
            self.progress.relayed += await relay.drain()
            await self._replay()
            newest = (await self._context.stream_info(STREAM)).state.last_seq
            await _first_of(inbound, keeper, asyncio.create_task(self.wait_delivered(newest)))
            self.stop()
            await inbound
        finally:
            await end(keeper)
            await self._stop_asking()
            await self._lease.release()
        return True

    async def _be_active(self) -> None:
        relay = await self._prepare()
        subscription = await self._client.subscribe(OUTBOX_SUBJECT, cb=_waking(relay))
        inbound = asyncio.create_task(self._deliver_for_ever(await self._open()), name="inbound")
        others = [
            asyncio.create_task(self._lease.keep(), name="lease"),
            asyncio.create_task(self._for_ever("relay", relay.run), name="relay"),
            asyncio.create_task(self._for_ever("replay of dead letters", self._replay_for_ever), name="replays"),
        ]
        try:
            await _first_of(inbound, *others)
        finally:
            await end(*others, inbound)
            await self._stop_asking()
            self.progress.relayed += relay.relayed
            if self._client.is_connected:
                await subscription.unsubscribe()

    async def _prepare(self) -> Relay:
        """Find the stream and our place in it, and return a relay to it."""
        info = await ensure_stream(self._context)
        self._stream_id = stream_id(info)
        self._position = await self._last_position(info.state.last_seq)
        self._awaited = 0
        deliver = self._deliver_directly
        bus = JetStreamBus(self._client, deliver, self.wait_delivered, newest=info.state.last_seq)
        return Relay(bus)

    async def _unless_stopped(self, work: Coroutine[Any, Any, None]) -> bool:
        """Wait for some work; return False, and give it up, when told to stop before."""
        task = asyncio.create_task(work)
        stopped = asyncio.create_task(self._stopping.wait())
        await asyncio.wait((task, stopped), return_when=asyncio.FIRST_COMPLETED)
        stopped.cancel()
        if task.done():
            await task
            return True
        await end(task)
        return False

    async def _report_for_ever(self) -> None:
        while True:
            await report_status(self._context)
            await asyncio.sleep(STATUS_INTERVAL)

    async def _for_ever(self, name: str, loop: Callable[[], Awaitable[None]]) -> None:
        """Run a loop again after every fault, unless the fault is that we are not the one."""
        while True:
            try:
                await loop()
            except (Fenced, LeaseLost, StreamReplaced):
                raise
            except PASSING as exc:
                logger.warning("The %s waits: %s", name, brief(exc))
            except Exception:
                logger.exception("The %s failed and goes on.", name)
            await asyncio.sleep(RETRY_DELAY)

    # --- from the stream to the users ---

    async def wait_delivered(self, sequence: int) -> None:
        """Return when everything in the stream up to `sequence` has been delivered."""
        self._awaited = max(self._awaited, sequence)
        async with self._moved:
            await self._moved.wait_for(lambda: self._position >= sequence)

    async def _last_position(self, newest: int) -> int:
        """Return the last sequence that is known to be delivered: by Redis, or by the acknowledgements."""
        noted = int(await async_redis().get(self._position_key) or 0)
        try:
            info = await self._context.consumer_info(STREAM, DURABLE)
        except NotFoundError:
            return noted
        return last_delivered(noted, info, newest)

    @property
    def _position_key(self) -> str:
        return position_key(self._stream_id)

    async def _open(self) -> Pull:
        """Make the consumer anew, just after what was delivered, and ask it for messages.

        Raises `LeaseLost` when it is another bridge's, and `StreamReplaced` when the stream is not what it was.
        """
        self._reopen = False
        await self._stop_asking()
        if stream_id(await ensure_stream(self._context)) != self._stream_id:
            raise StreamReplaced(f"the stream {STREAM} was made anew")
        if not await self._lease.try_take():
            raise LeaseLost("another bridge has taken over")
        with contextlib.suppress(NotFoundError):
            await self._context.delete_consumer(STREAM, DURABLE)
        start: dict[str, Any] = {"deliver_policy": DeliverPolicy.ALL}
        if self._position:
            start = {"deliver_policy": DeliverPolicy.BY_START_SEQUENCE, "opt_start_seq": self._position + 1}
        config = ConsumerConfig(
            durable_name=DURABLE,
            ack_policy=AckPolicy.EXPLICIT,
            ack_wait=ACK_WAIT,
            max_ack_pending=4 * settings.BRIDGE_BATCH,
            **start,
        )
        await self._context.add_consumer(STREAM, config)
        pull = Pull(self._client, settings.BRIDGE_BATCH)
        await pull.open()
        self._pull = pull
        logger.info("Bridging: stream=%s consumer=%s after=%d", STREAM, DURABLE, self._position)
        return pull

    async def _deliver_for_ever(self, pull: Pull) -> None:
        while not self._stopping.is_set():
            try:
                messages = await pull.next(IDLE)
            except PullBroken as exc:
                logger.warning("Asking anew for messages: %s", exc)
                messages, self._reopen = [], True
            if self._reopen:
                pull = await self._patiently([], self._open)
            elif messages:
                await self._handle(messages)
            elif self._awaited > self._position:
                await self._patiently([], self._skip_deleted)

    async def _stop_asking(self) -> None:
        """Let NATS send us nothing more: it would be lost to whoever is next."""
        pull, self._pull = self._pull, None
        if pull is not None:
            with contextlib.suppress(*PASSING):
                await pull.close()

    async def _handle(self, messages: Sequence[Msg]) -> None:
        """Deliver a batch and acknowledge it, however long that takes."""
        try:
            await self._patiently(messages, lambda: self._deliver(messages))
        except (Fenced, LeaseLost, StreamReplaced):
            raise
        except Exception:
            logger.exception("A batch of %d messages failed; each is tried by itself.", len(messages))
            for message in messages:
                await self._handle_by_itself(message)
        for message in messages:
            if message.metadata.sequence.stream in self._given_up:
                await message.term()
            else:
                await message.ack()
        self._given_up.clear()
        await self._move_to(messages[-1].metadata.sequence.stream)

    async def _handle_by_itself(self, message: Msg) -> None:
        """Deliver one message; one that fails `BRIDGE_MAX_ATTEMPTS` times for a reason of its own is given up."""
        sequence = message.metadata.sequence.stream
        for attempt in range(1, settings.BRIDGE_MAX_ATTEMPTS + 1):
            try:
                await self._patiently([message], lambda: self._deliver([message]))
            except (Fenced, LeaseLost):
                raise
            except Exception as exc:
                reason = f"failed {attempt} times: {type(exc).__name__}: {exc}"
                logger.warning("Message %d on %s %s", sequence, message.subject, reason)
                await asyncio.sleep(RETRY_DELAY)
            else:
                return
        try:
            await self._patiently([message], lambda: self._bury([self._dead(message, reason)]))
        except (Fenced, LeaseLost):
            raise
        except Exception:  # it must not hold up all others
            logger.exception("Message %d is lost: %r %r", sequence, message.subject, message.data)
            self._given_up.add(sequence)

    async def _deliver(self, messages: Sequence[Msg]) -> None:
        """Deliver what can be delivered and keep the rest as dead letters. Doing it again is harmless."""
        good, dead, ignored = self._read(messages)
        strangers = {user for item in good for user in item.delivery.audience} - self._known
        if strangers:
            missing = await in_read_thread(users_missing, strangers)
            self._remember(strangers - missing)
            by_sequence = {message.metadata.sequence.stream: message for message in messages}
            for item in good:
                if nobody := missing.intersection(item.delivery.audience):
                    names = ", ".join(sorted(map(str, nobody)))
                    dead.append(self._dead(by_sequence[item.sequence], f"no such user: {names}"))
            good = [item for item in good if not missing.intersection(item.delivery.audience)]
        await self._adopt([proposal_of(item) for item in good if item.subject == "match.found" and not item.is_ours])
        if dead:
            await self._bury(dead)
        position = messages[-1].metadata.sequence.stream
        await self._history.deliver([item.delivery for item in good if not item.expired], self._fence(position))
        self.progress.delivered += len(good)
        self.progress.ignored += ignored

    async def _adopt(self, proposals: Sequence[dict[str, Any]]) -> None:
        """Make matches of the proposals that fit; one query says that most of them do not."""
        passengers = {proposal["passenger_id"] for proposal in proposals if "passenger_id" in proposal}
        if not passengers:
            return
        searching = await in_read_thread(passengers_searching, passengers)
        for proposal in proposals:
            if proposal.get("passenger_id") in searching:
                await in_write_thread(match_adopt, **proposal)

    def _read(self, messages: Sequence[Msg]) -> tuple[list[Inbound], list[Dead], int]:
        good: list[Inbound] = []
        dead: list[Dead] = []
        ignored = 0
        for message in messages:
            try:
                item = read_message(message, self._stream_id)
            except Unreadable as exc:
                dead.append(self._dead(message, str(exc)))
                continue
            if item is None:
                ignored += 1
            else:
                good.append(item)
        return good, dead, ignored

    async def _deliver_directly(self, events: Sequence[OutboxEvent]) -> None:
        """Deliver events of ours that are in no stream."""
        await deliver_with(lambda deliveries: self._history.deliver(deliveries, self._fence()), events)

    async def _skip_deleted(self) -> None:
        """Find out whether what somebody waits for is still to come: messages end by age, or are deleted."""
        newest = (await self._context.stream_info(STREAM)).state.last_seq
        info = await self._context.consumer_info(STREAM, DURABLE)
        if not info.num_pending and not info.num_ack_pending:
            await self._move_to(newest)

    async def _move_to(self, position: int) -> None:
        async with self._moved:
            self._position = max(self._position, position)
            self._moved.notify_all()

    async def _patiently(self, messages: Sequence[Msg], work: Callable[[], Awaitable[Any]]) -> Any:
        """Do some work; while something is away, try again, and tell NATS that `messages` are being held."""
        loop = asyncio.get_running_loop()
        held_at, said = loop.time(), ""
        while True:
            try:
                return await work()
            except PASSING as exc:
                if said != (said := brief(exc)):
                    logger.warning("Holding %d messages: %s", len(messages), said)
            await asyncio.sleep(RETRY_DELAY)
            if self._stopping.is_set():
                raise LeaseLost("told to stop while something is away")
            if loop.time() - held_at > HOLD_INTERVAL and self._client.is_connected:
                held_at = loop.time()
                for message in messages:
                    await message.in_progress()

    def _fence(self, position: int | None = None) -> Fence:
        return Fence(KEY, self._lease.token, self._position_key, position)

    def _remember(self, users: set[UUID]) -> None:
        if len(self._known) > KNOWN_USERS:
            self._known.clear()
        self._known |= users

    # --- dead letters ---

    def _dead(self, message: Msg, reason: str) -> Dead:
        headers = dict(message.headers or {})
        return Dead(self._stream_id, message.metadata.sequence.stream, message.subject, message.data, headers, reason)

    async def _bury(self, dead: Sequence[Dead]) -> None:
        """Keep messages that are given up, before NATS is told so."""
        await in_write_thread(dead_letters.dead_letters_keep, dead)
        for letter in dead:
            if letter.sequence not in self._given_up:
                self._given_up.add(letter.sequence)
                self.progress.dead += 1
                logger.error(
                    "Dead letter: subject=%s sequence=%d reason=%s", letter.subject, letter.sequence, letter.reason
                )

    async def _replay_for_ever(self) -> None:
        while True:
            await self._replay()
            await asyncio.sleep(REPLAY_INTERVAL)

    async def _replay(self) -> None:
        """Publish the letters whose replay was asked for, each with an id of its own."""
        for letter in await in_read_thread(dead_letters.dead_letters_to_replay, REPLAY_BATCH):
            original = letter.headers.get(ID_HEADER) or f"{letter.stream_id}:{letter.sequence}"
            others = {name: value for name, value in letter.headers.items() if not name.startswith("Nats-")}
            headers = {**others, ID_HEADER: f"{original}:replay:{letter.pk}:{letter.replays + 1}"}
            try:
                await self._context.publish(letter.subject, bytes(letter.payload), stream=STREAM, headers=headers)
            except NATS_AWAY:
                raise
            except nats.errors.Error as exc:
                logger.error("Not replayed: subject=%s sequence=%d %s", letter.subject, letter.sequence, brief(exc))
                await in_write_thread(dead_letters.dead_letter_give_up_replay, letter)
                continue
            await in_write_thread(dead_letters.dead_letter_mark_replayed, letter)
            self.progress.replayed += 1
            logger.info("Replayed: subject=%s sequence=%d", letter.subject, letter.sequence)


def proposal_of(item: Inbound) -> dict[str, Any]:
    """Return what another service's `match.found` says, as `match_adopt` takes it; what is missing is left out."""
    names = ("match_id", "driver_id", "passenger_id", "location", "driver_location", "target_location", "expires_at")
    values = {name: getattr(item.fields, name) for name in names}
    return {name: value for name, value in values.items() if value is not msgspec.UNSET}


async def _first_of(*tasks: asyncio.Task[Any]) -> None:
    """Return, or raise, when one of the tasks does."""
    done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    for task in done:
        await task


def _waking(relay: Relay) -> Callable[[Msg], Awaitable[None]]:
    async def wake(_message: Msg) -> None:
        relay.wake()

    return wake
