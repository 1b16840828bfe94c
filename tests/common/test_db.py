import pytest
from django.db import connection, transaction

from common.db import read_snapshot
from common.threads import in_read_thread, in_write_thread
from users.models import User


@pytest.mark.django_db(transaction=True)
async def test_what_is_written_meanwhile_is_not_seen() -> None:
    import threading

    begun, written = threading.Event(), threading.Event()

    def read() -> tuple[int, int]:
        with read_snapshot():
            before = User.objects.count()
            begun.set()
            assert written.wait(5)
            return before, User.objects.count()

    def write() -> None:
        assert begun.wait(5)
        User.objects.create_user("+6281200000001")
        written.set()

    import asyncio

    counts, _ = await asyncio.gather(in_read_thread(read), in_write_thread(write))
    assert counts == (0, 0)
    assert await in_read_thread(User.objects.count) == 1


@pytest.mark.django_db(transaction=True)
def test_an_error_ends_the_snapshot() -> None:
    with pytest.raises(ZeroDivisionError), read_snapshot():
        raise ZeroDivisionError
    with transaction.atomic():
        User.objects.create_user("+6281200000001")
    assert not connection.in_atomic_block


def test_within_a_transaction_there_is_nothing_to_do(db: None) -> None:
    with read_snapshot():
        assert connection.in_atomic_block
