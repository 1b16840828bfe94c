"""What is due, done by processes of their own."""

import asyncio
from pathlib import Path
from typing import Any

import pytest
from django.utils import timezone
from nats.aio.client import Client
from nats.aio.msg import Msg

from common.threads import in_read_thread, in_write_thread
from devservers.web import ServerProcess
from events.models import OutboxEvent
from events.stream import OUTBOX_SUBJECT
from realtime.server.background import Dispatcher
from realtime.socket.nats_publisher import link
from rides.models import Match
from tests.cast import propose
from tests.database import database_url
from tests.patience import until, within
from users.models import User

pytestmark = pytest.mark.django_db(transaction=True)


async def expire(driver: User, passenger: User) -> Match:
    """Return a proposal that is over."""
    match = await in_write_thread(propose, driver, passenger)
    await in_write_thread(Match.objects.update, expires_at=timezone.now())
    return match


async def is_rejected(match: Match) -> bool:
    return (await in_read_thread(Match.objects.get, pk=match.pk)).status == "REJECTED"


@pytest.mark.usefixtures("real_start")
async def test_dispatchers_share_the_work(tmp_path: Path, dewi: User, putri: User) -> None:
    """Two dispatchers reject an expired offer once, and end on SIGTERM."""
    env = {"DATABASE_URL": database_url()}
    processes = [ServerProcess(tmp_path, "manage.py", "run_dispatcher", **env).launch() for _ in range(2)]
    for process in processes:
        await asyncio.to_thread(process.wait_for, r"(Looking after what is due\.)")
    match = await expire(dewi, putri)
    await until(lambda: is_rejected(match))
    for process in processes:
        assert await asyncio.to_thread(process.stop) == 0
        assert process.output[-1] == "Done.\n"
        assert "Traceback" not in "".join(process.output)
    assert await in_read_thread(OutboxEvent.objects.filter(subject="match.rejected").count) == 1


async def test_it_needs_no_nats(dewi: User, putri: User) -> None:
    """On the embedded default the dispatcher rejects expired offers without NATS."""
    dispatcher = Dispatcher()
    dispatcher.start()
    assert {task.get_name() for task in dispatcher._loops._tasks} == {"clock", "database", "timers"}
    match = await expire(dewi, putri)
    await until(lambda: is_rejected(match))
    await dispatcher.stop()


async def test_the_relay_is_woken(
    distributed: None, nats_client: Client, dewi: User, putri: User, settings: Any
) -> None:
    """The dispatcher wakes the relay after what it did."""
    heard: asyncio.Queue[Msg] = asyncio.Queue()
    dispatcher = Dispatcher()
    dispatcher.start()
    await until(lambda: link()._client is not None)
    match = await in_write_thread(propose, dewi, putri)
    await nats_client.subscribe(OUTBOX_SUBJECT, cb=heard.put)
    await nats_client.flush()
    await in_write_thread(Match.objects.update, expires_at=timezone.now())
    async with within():
        await heard.get()
    await until(lambda: is_rejected(match))
    await dispatcher.stop()
    assert link()._client is None
