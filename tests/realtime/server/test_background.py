import asyncio
from datetime import timedelta
from typing import Any

import pytest
from django.core.exceptions import ImproperlyConfigured
from django.utils import timezone

from common.threads import in_read_thread, in_write_thread
from events.models import OutboxEvent
from realtime import metrics
from realtime.models import CommandReceipt
from realtime.server.background import Background, due_loops, purge_database, purge_memory
from rides.models import Match
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
    assert {"relay", "heartbeat", "tracks", "receipts", "memory", "tokens", "lag"} == names
    assert names | set(due_loops()) | {"link", "positions"} == set(metrics.LOOPS)


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
