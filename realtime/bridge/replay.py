"""Dead letters whose replay was asked for: published to the stream once more."""

from __future__ import annotations

import logging
from uuid import UUID, uuid5

import nats.errors
from nats.aio.client import Client

from common.background_tasks import every
from common.errors import brief
from common.nats import ANSWER_TIMEOUT, AWAY
from common.threads import in_read_thread, in_write_thread
from events.dead_letters import dead_letter_give_up_replay, dead_letter_mark_replayed, dead_letters_to_replay
from events.models import DeadLetter
from events.signature import SIGNATURE_HEADER, is_signed, own_headers, signature_of
from events.stream import ID_HEADER, stream_for
from realtime.bridge.counts import Counts

logger = logging.getLogger(__name__)

INTERVAL = 1.0
"""Seconds between two looks for letters."""

BATCH = 100


class DeadLetterReplay:
    """Publishes letters, each under an id of its own, so that the stream takes them again."""

    def __init__(self, client: Client, counts: Counts) -> None:
        self._context = client.jetstream(timeout=ANSWER_TIMEOUT)
        self._counts = counts

    async def run(self) -> None:
        """Look for letters until cancelled."""
        await every(INTERVAL, self.replay)()

    async def replay(self) -> None:
        """Publish the letters whose replay was asked for."""
        for letter in await in_read_thread(dead_letters_to_replay, BATCH):
            try:
                await self._publish(letter)
            except AWAY:
                raise
            except nats.errors.Error as exc:  # refused: asked for again, it would be refused again
                logger.error("Not replayed: subject=%s sequence=%d %s", letter.subject, letter.sequence, brief(exc))
                await in_write_thread(dead_letter_give_up_replay, letter)
            else:
                await in_write_thread(dead_letter_mark_replayed, letter)
                self._counts.replayed += 1
                logger.info("Replayed: subject=%s sequence=%d", letter.subject, letter.sequence)

    async def _publish(self, letter: DeadLetter) -> None:
        await self._context.publish(
            letter.subject, bytes(letter.payload), stream=stream_for(letter.subject), headers=headers_of_replay(letter)
        )


def headers_of_replay(letter: DeadLetter) -> dict[str, str]:
    """Return the headers of a letter that is published again, with another id: the first one was taken before.

    A message of ours stays one, so that each recipient sees what is theirs: its id is another UUID, and it is signed.
    """
    payload, turn = bytes(letter.payload), f"replay:{letter.pk}:{letter.replays + 1}"
    if is_signed(letter.subject, payload, letter.headers):
        headers = own_headers(letter.headers)
        event_id, slash, shard = headers[ID_HEADER].partition("/")
        headers[ID_HEADER] = f"{uuid5(UUID(event_id), turn)}{slash}{shard}"
        return {**headers, SIGNATURE_HEADER: signature_of(letter.subject, payload, headers)}
    original = letter.headers.get(ID_HEADER) or f"{letter.stream_id}:{letter.sequence}"
    others = {name: value for name, value in letter.headers.items() if not name.startswith("Nats-")}
    return {**others, ID_HEADER: f"{original}:{turn}"}
