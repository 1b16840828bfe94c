"""Batches of messages from the stream: read, checked, and delivered to the users that they name."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence
from uuid import UUID

from channels.layers import get_channel_layer
from nats.aio.msg import Msg

from common.threads import in_read_thread, in_write_thread
from events.buses.jetstream import published_events
from events.dead_letters import Dead, dead_letters_keep
from events.signature import own_headers
from realtime.bridge.handing import Handing
from realtime.bridge.proposals import proposal_of
from realtime.bridge.reading import Incoming, Unreadable, claimed_id, read_message
from realtime.bridge.status import claim_server, was_another
from realtime.bridge.turn import Turn
from realtime.delivery.deliveries import DeliveringLayer, on_their_way
from rides.selectors import passengers_searching
from rides.services.proposals import match_adopt
from users.selectors import users_missing

logger = logging.getLogger(__name__)

DELIVERING = "delivering messages"
"""The name of this work for the watchdog."""

KNOWN_USERS = 100_000
"""Users whose existence is remembered; beyond, all are looked up again."""


class Batches:
    """Delivers batches. Delivering one again is harmless: users keep the numbers, dead letters are kept once."""

    def __init__(self, turn: Turn) -> None:
        self.dead: set[int] = set()
        """Sequences of the current batch that became dead letters: NATS must not deliver them again."""

        self._turn, self._counts = turn, turn.counts
        self._stream = turn.position.stream
        self._last = turn.position.sequence
        self._layer: DeliveringLayer = get_channel_layer()
        self._users = KnownUsers()
        self._handing = Handing(turn.client, turn.shard)

    async def deliver(self, messages: Sequence[Msg]) -> None:
        """Deliver what can be delivered, and keep the rest as dead letters."""
        readable, dead, ignored = self._read(messages, await self._believed(messages))
        missing = await self._users.missing({user for item in readable for user in item.delivery.audience})
        good = [item for item in readable if missing.isdisjoint(item.delivery.audience)]
        dead += [self._without_user(item, missing) for item in readable if item not in good] if missing else []
        ours = await self._handing.hand_on(good)
        await self._adopt_proposals(good)
        await self.keep_dead(dead)
        last = messages[-1].metadata.sequence.stream
        with on_their_way("bridge", [item.delivery for item in ours]) as deliveries:
            expired = await self._layer.deliver_batch(
                deliveries, self._turn.fence(last), after_gap=self._are_after_gap(messages)
            )
        if expired:
            logger.info("%d messages had expired before they could be delivered.", expired)
        self._last = max(self._last, last)
        self._counts.delivered += len(good)
        self._counts.ignored += ignored

    async def begin(self) -> None:
        """Let the clients get the state where something from before this turn may be missing."""
        position, shard = self._turn.position, self._turn.shard
        if not position.is_certain:
            logger.warning("Going on after %d, which is uncertain: all clients get the state.", position.sequence)
            await self.skip_to(position.sequence)
        elif await was_another(shard):
            logger.warning("The server of shard %d was that of another one: its clients get the state.", shard)
            await self.skip_to(position.sequence)
        await claim_server(shard)

    async def give_up(self, message: Msg, reason: str) -> None:
        """Keep a message as a dead letter."""
        await self.keep_dead([self._dead(message, reason)])
        self._last = max(self._last, message.metadata.sequence.stream)

    async def skip_to(self, sequence: int) -> None:
        """Go on after a sequence although not everything up to it was delivered, or may not have been."""
        await self._layer.deliver_batch([], self._turn.fence(sequence), after_gap=True)
        self._last = max(self._last, sequence)

    async def keep_dead(self, letters: Sequence[Dead]) -> None:
        """Store dead letters, before the messages are terminated in NATS."""
        if not letters:
            return
        await in_write_thread(dead_letters_keep, letters)
        for letter in letters:
            if letter.sequence not in self.dead:
                self.dead.add(letter.sequence)
                self._counts.dead += 1
                logger.error(
                    "Dead letter: subject=%s sequence=%d reason=%s", letter.subject, letter.sequence, letter.reason
                )

    async def _adopt_proposals(self, items: Iterable[Incoming]) -> None:
        """Make matches of other services' proposals that fit; one query sorts out most of those that do not."""
        found = [proposal_of(item) for item in items if item.subject == "match.found" and not item.is_ours]
        proposals = [proposal for proposal in found if proposal is not None]
        if not proposals:
            return
        searching = await in_read_thread(passengers_searching, {proposal.passenger_id for proposal in proposals})
        for proposal in proposals:
            if proposal.passenger_id in searching:
                await in_write_thread(match_adopt, proposal=proposal)
                self._turn.watchdog.progress(DELIVERING)

    async def _believed(self, messages: Sequence[Msg]) -> set[str]:
        """Return the ids of unsigned messages that say, word for word, what the outbox has under their id.

        Those are what a version without signatures has published. Of others the headers mean nothing.
        """
        claims = {event_id: message for message in messages if (event_id := claimed_id(message))}
        if not claims:
            return set()
        known = await in_read_thread(published_events, list(claims))
        believed = {
            event_id
            for event_id, message in claims.items()
            if known.get(event_id) == (message.subject, message.data, own_headers(message.headers))
        }
        if forged := len(claims) - len(believed):
            logger.warning("%d messages claim to be ours and are not signed: read as another service's.", forged)
        return believed

    def _read(self, messages: Sequence[Msg], believed: set[str]) -> tuple[list[Incoming], list[Dead], int]:
        """Return what can be read, what cannot, and how many messages are on subjects that are not bridged."""
        readable: list[Incoming] = []
        dead: list[Dead] = []
        ignored = 0
        for message in messages:
            try:
                item = read_message(message, self._stream, believed)
            except Unreadable as exc:
                dead.append(self._dead(message, str(exc)))
                continue
            if item is None:
                ignored += 1
            else:
                readable.append(item)
        return readable, dead, ignored

    def _are_after_gap(self, messages: Sequence[Msg]) -> bool:
        """Return whether messages before or between these left the stream before they were delivered."""
        last = self._last
        for message in messages:
            sequence = message.metadata.sequence.stream
            if sequence > last + 1:
                logger.warning(
                    "Messages %d to %d are gone from the stream: all clients get the state.", last + 1, sequence - 1
                )
                return True
            last = max(last, sequence)
        return False

    def _without_user(self, item: Incoming, missing: set[UUID]) -> Dead:
        names = ", ".join(sorted(map(str, missing.intersection(item.delivery.audience))))
        return self._dead(item.message, f"no such user: {names}")

    def _dead(self, message: Msg, reason: str) -> Dead:
        sequence = message.metadata.sequence.stream
        headers = dict(message.headers or {})
        return Dead(self._stream, sequence, message.subject, message.data, headers, reason)


class KnownUsers:
    """Who exists; users are never deleted, so one who was found once need not be looked up again."""

    def __init__(self) -> None:
        self._known: set[UUID] = set()

    async def missing(self, users: set[UUID]) -> set[UUID]:
        """Return which of these users do not exist."""
        unknown = users - self._known
        if not unknown:
            return set()
        missing = await in_read_thread(users_missing, unknown)
        if len(self._known) > KNOWN_USERS:
            self._known.clear()
        self._known |= unknown - missing
        return missing
