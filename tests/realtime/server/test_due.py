"""The timers sleep until something is due, and are woken by what this process commits."""

import asyncio
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from common.background_tasks import end
from common.threads import in_read_thread, in_write_thread
from realtime.server import due
from realtime.server.due import DueLoop, seconds_until_due
from rides.models import Finder, Match
from rides.services.finders import finder_update
from rides.timers import next_due
from rides.windows import window_after
from tests.cast import BLOK_M, MONAS, book, propose, stand_by
from tests.patience import until, within
from users.models import User

pytestmark = pytest.mark.django_db(transaction=True)


def test_the_first_thing_that_is_due_counts(dewi: User, joko: User, putri: User, sari: User, settings: Any) -> None:
    """An offer that expires, a search that goes on, or a ride that does not start."""
    assert next_due() is None
    ride = book(dewi, putri)
    assert next_due() == ride.created_at + settings.PICKUP_TIMEOUT
    match = propose(joko, sari)
    assert next_due() == match.finder.due_at
    soon = timezone.now() + timedelta(seconds=0.5)
    Match.objects.filter(pk=match.pk).update(expires_at=soon)
    assert next_due() == soon
    assert 0 < seconds_until_due() <= 0.5


async def test_nothing_is_looked_for_while_nothing_happens(
    dewi: User, putri: User, monkeypatch: pytest.MonkeyPatch, settings: Any
) -> None:
    """No poll in between: the loop sleeps until the offer expires, and a commit wakes it."""
    looks: list[float] = []

    def look() -> float:
        looks.append(seconds_until_due())
        return looks[-1]

    monkeypatch.setattr(due, "seconds_until_due", look)
    monkeypatch.setattr(due, "LONGEST_SLEEP", 60.0)
    settings.TIMERS_INTERVAL = timedelta(milliseconds=1)
    running = asyncio.create_task(DueLoop().run())
    try:
        await asyncio.sleep(0.3)
        assert len(looks) == 1
        match = await in_write_thread(propose, dewi, putri)
        async with within():
            while len(looks) == 1:
                await asyncio.sleep(0.01)
        assert (await in_read_thread(Match.objects.get, pk=match.pk)).status == "PENDING"
    finally:
        await end(running)


async def test_a_window_ends_by_itself(dewi: User, putri: User, settings: Any) -> None:
    """A search is written down at once, and matched when its window ends, by the loop alone."""
    settings.MATCH_WINDOW = timedelta(seconds=0.3)
    running = asyncio.create_task(DueLoop().run())
    try:
        await in_write_thread(stand_by, dewi)
        await in_write_thread(search, putri)
        finder = await in_read_thread(Finder.objects.get)
        await until(lambda: in_read_thread(Match.objects.exists))
        match = await in_read_thread(Match.objects.get)
        assert match.created_at >= window_after(finder.due_at)
    finally:
        await end(running)


def search(passenger: User) -> None:
    """Look for a driver."""
    finder_update(user_id=passenger.pk, is_active=True, location=MONAS, target_location=BLOK_M)
