from datetime import timedelta

import pytest
from django.db import connection, transaction
from django.db.models import Q
from django.utils import timezone

from common.db import DELETED_AT_ONCE, database_now, delete_batch, delete_old_steps, delete_steps, read_snapshot
from common.threads import in_read_thread, in_write_thread
from users.models import OneTimeCode, User


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


def test_rows_are_deleted_in_batches(db: None) -> None:
    """Of whatever is due, and nothing else."""
    now = timezone.now()
    OneTimeCode.objects.bulk_create(
        OneTimeCode(msisdn=str(number), address="", code_hash="", created_at=now, expires_at=now)
        for number in range(2 * DELETED_AT_ONCE + 1)
    )
    due = OneTimeCode.objects.exclude(msisdn="7")
    assert delete_batch(due) == DELETED_AT_ONCE
    assert len(list(delete_steps(due))) == 1
    assert OneTimeCode.objects.get().msisdn == "7"
    assert delete_batch(due) == 0


def test_old_rows_are_deleted_from_the_first_on(db: None) -> None:
    """It ends at the first batch without a row that is due, and leaves those between that are not."""
    now = timezone.now()
    OneTimeCode.objects.bulk_create(
        OneTimeCode(msisdn=str(number % 2), address="", code_hash="", created_at=now, expires_at=now)
        for number in range(DELETED_AT_ONCE)
    )
    list(delete_old_steps(OneTimeCode.objects.all(), Q(msisdn="0")))
    assert set(OneTimeCode.objects.values_list("msisdn", flat=True)) == {"1"}
    assert OneTimeCode.objects.count() == DELETED_AT_ONCE / 2


@pytest.mark.skipif(connection.vendor != "postgresql", reason="SQLite has no other clock than ours")
@pytest.mark.django_db
def test_the_database_has_a_clock_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    """A process whose clock is an hour fast reads the same time as the others."""
    before = timezone.now()
    monkeypatch.setattr("django.utils.timezone.now", lambda: before + timedelta(hours=1))
    assert abs(database_now() - before) < timedelta(minutes=1)
