import threading
from typing import Any

import pytest
from django.db import connection

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
        User.objects.count()
        return len(connection.queries_log)

    settings.DEBUG = True
    assert await in_write_thread(queries) == await in_read_thread(queries) == 0
