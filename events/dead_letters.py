"""Dead letters: messages that could not be delivered, kept to be replayed after a fix."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import timedelta

import msgspec

from common import clock
from common.db import delete_batch
from events.models import DeadLetter


class Dead(msgspec.Struct, frozen=True):
    """A message that is given up, and why. `stream_id` and `sequence` are its identity."""

    stream_id: str
    sequence: int
    subject: str
    payload: bytes
    headers: Mapping[str, str]
    reason: str


def dead_letters_keep(letters: Iterable[Dead]) -> None:
    """Store dead letters; one that is stored already is left unchanged."""
    DeadLetter.objects.bulk_create(
        [
            DeadLetter(
                stream_id=letter.stream_id,
                sequence=letter.sequence,
                subject=storable(letter.subject)[:255],
                payload=letter.payload,
                headers={storable(name): storable(value) for name, value in letter.headers.items()},
                reason=storable(letter.reason)[:2000],
                created_at=clock.now(),
            )
            for letter in letters
        ],
        ignore_conflicts=True,
    )


def purge_dead_letters(keep: timedelta) -> int:
    """Delete a batch of the letters that are older than `keep`, replayed or not; return how many."""
    return delete_batch(DeadLetter.objects.filter(created_at__lt=clock.now() - keep).order_by("pk"))


def storable(text: str) -> str:
    """Return text without what PostgreSQL does not store: NUL, and unpaired surrogates."""
    return text.replace("\0", "\ufffd").encode("utf-8", "replace").decode()


def dead_letters_request_replay(*, ids: Iterable[int] | None = None) -> int:
    """Request the replay of these letters (None: of all that were never replayed); return how many."""
    letters = DeadLetter.objects.filter(replay_requested_at__isnull=True)
    letters = letters.filter(replayed_at__isnull=True) if ids is None else letters.filter(pk__in=list(ids))
    return letters.update(replay_requested_at=clock.now())


def letters_waiting() -> int:
    """Return how many letters were never replayed."""
    return DeadLetter.objects.filter(replayed_at__isnull=True).count()


def dead_letters_to_replay(limit: int) -> list[DeadLetter]:
    """Return letters whose replay was requested, oldest first."""
    return list(DeadLetter.objects.filter(replay_requested_at__isnull=False).order_by("id")[:limit])


def dead_letter_mark_replayed(letter: DeadLetter) -> None:
    """Mark a letter as replayed; another request publishes it once more."""
    DeadLetter.objects.filter(pk=letter.pk).update(
        replayed_at=clock.now(), replay_requested_at=None, replays=letter.replays + 1
    )


def dead_letter_give_up_replay(letter: DeadLetter) -> None:
    """Withdraw the request to replay a letter that NATS refuses."""
    DeadLetter.objects.filter(pk=letter.pk).update(replay_requested_at=None)
