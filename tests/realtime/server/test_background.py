import asyncio
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.sessions.models import Session
from django.core.exceptions import ImproperlyConfigured
from django.utils import timezone

from common.background_tasks import end
from common.threads import in_read_thread, in_write_thread
from events.models import DeadLetter, OutboxEvent
from realtime import metrics
from realtime.models import CommandReceipt
from realtime.server.background import Background, due_loops, purge_database, purge_memory, share_positions
from rides.geo import GeoPoint
from rides.models import Match
from rides.positions import positions
from rides.positions.base import reported_at
from tests.cast import propose
from tests.patience import within
from users.models import User

pytestmark = pytest.mark.django_db(transaction=True)


async def test_one_server_has_a_database() -> None:
    first, second = Background(), Background()
    first.ensure_started()
    first.ensure_started()
    assert first.is_running
    with pytest.raises(ImproperlyConfigured, match="Another server runs on"):
        second.ensure_started()
    assert not second.is_running
    await first.stop()
    second.ensure_started()
    await second.stop()
    assert not second.is_running


async def test_the_timers_run(background: Background, dewi: User, putri: User) -> None:
    match = await in_write_thread(propose, dewi, putri)
    await in_write_thread(Match.objects.update, expires_at=timezone.now())
    async with within():
        while (await in_read_thread(Match.objects.get, pk=match.pk)).status != "REJECTED":
            await asyncio.sleep(0.02)


async def test_the_timers_may_run_elsewhere(settings: Any, dewi: User, putri: User) -> None:
    settings.SERVE_TIMERS = False
    running = Background()
    running.ensure_started()
    names = {task.get_name() for task in running._loops._tasks}
    await running.stop()
    assert {"relay", "heartbeat", "tracks", "receipts", "memory", "tokens", "lag", "clock", "only_server"} == names
    assert names | set(due_loops()) | {"link", "positions", "roll"} == set(metrics.LOOPS)


async def test_what_nobody_needs_any_more_is_deleted(dewi: User, settings: Any) -> None:
    long_ago = timezone.now() - timedelta(days=30)
    await in_write_thread(
        CommandReceipt.objects.create,
        user=dewi, command_id="1", type="x", digest="x", answer={}, created_at=long_ago,
    )  # fmt: skip
    await in_write_thread(OutboxEvent.objects.create, key="k", data={}, audience={}, published_at=long_ago)
    await purge_database()
    await purge_memory()
    assert await in_read_thread(CommandReceipt.objects.count) == 0
    assert await in_read_thread(OutboxEvent.objects.count) == 0


async def test_what_failed_is_kept_for_a_while_and_no_longer() -> None:
    """Events and messages that were given up can be replayed for `DEAD_LETTER_RETENTION`; then they are deleted."""
    now = timezone.now()
    for age, name in ((timedelta(days=89), "kept"), (timedelta(days=91), "old")):
        event = OutboxEvent(key=name, data={}, audience={}, failed_at=now - age)
        letter = DeadLetter(stream_id="S", sequence=age.days, subject=name, payload=b"", headers={}, reason="x")
        letter.created_at = now - age
        await in_write_thread(event.save)
        await in_write_thread(letter.save)
    await purge_database()
    assert [row.key for row in await in_read_thread(lambda: list(OutboxEvent.objects.all()))] == ["kept"]
    assert [row.subject for row in await in_read_thread(lambda: list(DeadLetter.objects.all()))] == ["kept"]


async def test_sessions_that_have_expired_are_deleted() -> None:
    """One that is still good stays: its member of staff is logged in."""
    now = timezone.now()
    for name, left in (("good", timedelta(days=1)), ("over", timedelta(seconds=-1))):
        session = Session(session_key=name, session_data="", expire_date=now + left)
        await in_write_thread(session.save)
    await purge_database()
    assert await in_read_thread(lambda: [row.pk for row in Session.objects.all()]) == ["good"]


async def test_the_admins_history_ends(dewi: User) -> None:
    """It is deleted oldest first, after `ADMIN_LOG_RETENTION`."""
    for days in (731, 729):
        entry = LogEntry(user=dewi, action_flag=2, object_repr=str(days), action_time=timezone.now() - timedelta(days))
        await in_write_thread(entry.save)
    await purge_database()
    assert await in_read_thread(lambda: [row.object_repr for row in LogEntry.objects.all()]) == ["729"]


async def test_positions_are_shared_when_there_are_some(redis_url: str, settings: Any, dewi: User) -> None:
    """Nobody looks while there are none; afterwards each batch is written, also one of another thread."""
    settings.BACKENDS = settings.DISTRIBUTED_BACKENDS
    settings.POSITIONS_INTERVAL = timedelta(milliseconds=1)
    sharing = asyncio.create_task(share_positions())
    try:
        for latitude in (-6.1, -6.2):
            where = reported_at(GeoPoint(latitude, 106.8), 10.0)
            await in_read_thread(positions().report, dewi.pk, where, 10.0, driver=True)
            async with within():
                while positions().has_unflushed:
                    await asyncio.sleep(0.01)
        assert not sharing.done()
    finally:
        await end(sharing)
