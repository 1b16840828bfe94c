import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from django.db import DatabaseError, connection, connections, transaction

from common import threads
from common.threads import in_read_thread, in_write_thread
from users.models import User

pytestmark = pytest.mark.django_db(transaction=True)


async def test_writes_have_one_thread_and_reads_others() -> None:
    def where() -> str:
        return threading.current_thread().name

    writers = {await in_write_thread(where) for _ in range(5)}
    assert len(writers) == 1
    assert writers.isdisjoint({await in_read_thread(where) for _ in range(5)})


async def test_arguments_results_and_errors_come_through() -> None:
    user = await in_write_thread(User.objects.create_user, "+6281200000001", full_name="Dewi")
    assert await in_read_thread(User.objects.get, pk=user.pk) == user
    with pytest.raises(User.DoesNotExist):
        await in_read_thread(User.objects.get, full_name="Nobody")


async def test_with_debug_on_no_log_of_queries_is_kept(settings: Any) -> None:
    def queries() -> int:
        with transaction.atomic():
            User.objects.count()
        return len(connection.queries_log)

    settings.DEBUG = True
    assert await in_write_thread(queries) == await in_read_thread(queries) == 0


@pytest.mark.skipif(connection.vendor == "sqlite", reason="There is no server that could restart.")
async def test_a_connection_is_checked_when_it_was_idle_or_another_failed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Not before each call, which would cost a round trip."""

    def session() -> tuple[int, int]:
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_backend_pid()")
            return cursor.fetchone()[0], len(looks)

    looks: list[bool] = []
    usable = type(connections["default"]).is_usable

    def look(self: Any) -> bool:
        looks.append(True)
        return bool(usable(self))

    monkeypatch.setattr(type(connections["default"]), "is_usable", look)
    monkeypatch.setattr(threads, "CHECK_AFTER", 60.0)
    one = ThreadPoolExecutor(1)
    monkeypatch.setattr(threads, "_writers", lambda: one)
    await in_write_thread(session)
    first, _ = await in_write_thread(session)
    looks.clear()
    assert await in_write_thread(session) == (first, 0)
    with pytest.raises(DatabaseError):
        await in_read_thread(User.objects.raw("nonsense").__len__)
    assert await in_write_thread(session) == (first, 1)
    monkeypatch.setattr(threads, "CHECK_AFTER", 0.0)
    assert await in_write_thread(session) == (first, 2)
    await in_write_thread(connections.close_all)
    one.shutdown()
