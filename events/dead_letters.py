"""Messages that could not be delivered: kept, to be looked at and replayed after a fix."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import msgspec
from django.utils import timezone

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
    """Keep messages that are given up; one that is kept already stays as it is."""
    DeadLetter.objects.bulk_create(
        [
            DeadLetter(
                stream_id=letter.stream_id,
                sequence=letter.sequence,
                subject=storable(letter.subject)[:255],
                payload=letter.payload,
                headers={storable(name): storable(value) for name, value in letter.headers.items()},
                reason=storable(letter.reason)[:2000],
                created_at=timezone.now(),
            )
            for letter in letters
        ],
        ignore_conflicts=True,
    )


def storable(text: str) -> str:
    """Return a stranger's text without what a database does not take: NUL, and halves of surrogate pairs."""
    return text.replace("\0", "\ufffd").encode("utf-8", "replace").decode()


def dead_letters_request_replay(*, ids: Iterable[int] | None = None) -> int:
    """Ask the bridge to publish these letters (None: all that were never replayed) once more; return how many."""
    letters = DeadLetter.objects.filter(replay_requested_at__isnull=True)
    letters = letters.filter(replayed_at__isnull=True) if ids is None else letters.filter(pk__in=list(ids))
    return letters.update(replay_requested_at=timezone.now())


def dead_letters_to_replay(limit: int) -> list[DeadLetter]:
    """Return letters whose replay was asked for, in the order in which they died."""
    return list(DeadLetter.objects.filter(replay_requested_at__isnull=False).order_by("id")[:limit])


def dead_letter_mark_replayed(letter: DeadLetter) -> None:
    """Note that a letter is in the stream again; another request for it makes another message."""
    DeadLetter.objects.filter(pk=letter.pk).update(
        replayed_at=timezone.now(), replay_requested_at=None, replays=letter.replays + 1
    )


def dead_letter_give_up_replay(letter: DeadLetter) -> None:
    """Note that NATS does not take a letter as it is; the request for its replay has ended."""
    DeadLetter.objects.filter(pk=letter.pk).update(replay_requested_at=None)
