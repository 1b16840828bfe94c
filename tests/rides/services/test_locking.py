from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any
from uuid import UUID

import pytest
from django.db import connection, connections, transaction

from rides.services.locking import lock_affairs, lock_users
from tests.cast import propose
from users.models import User


@contextmanager
def locking(*user_ids: UUID) -> Iterator[None]:
    with transaction.atomic():
        lock_affairs(*user_ids)
        yield


def unlocked() -> set[UUID]:
    """The users whom another transaction can lock at once."""

    def look() -> set[UUID]:
        try:
            with transaction.atomic():
                return set(User.objects.select_for_update(no_key=True, skip_locked=True).values_list("pk", flat=True))
        finally:
            connections.close_all()

    with ThreadPoolExecutor(1) as pool:
        return pool.submit(look).result()


@pytest.mark.django_db(transaction=True)
def test_everybody_with_an_open_match_is_locked(
    dewi: User, putri: User, tono: User, django_assert_num_queries: Any
) -> None:
    """By one statement, from either side; on SQLite by none, where the transaction holds the only lock already."""
    if not connection.features.has_select_for_update:
        with django_assert_num_queries(0):
            lock_affairs(dewi.pk)
        return
    propose(dewi, putri)
    for one in (dewi, putri):
        with locking(one.pk):
            assert unlocked() == {tono.pk}
    with locking(tono.pk):
        assert unlocked() == {dewi.pk, putri.pk}


@pytest.mark.django_db(transaction=True)
def test_passengers_are_locked_first(dewi: User, putri: User, django_assert_num_queries: Any) -> None:
    """Everywhere in this order, so that nobody waits for somebody who waits for them."""
    if connection.features.has_select_for_update:
        with transaction.atomic(), django_assert_num_queries(1) as captured:
            lock_affairs(dewi.pk, putri.pk)
        assert 'ORDER BY "users_user"."role" DESC, 1 ASC FOR NO KEY UPDATE' in captured.captured_queries[0]["sql"]


def test_nobody_is_locked_for_nothing(db: None, django_assert_num_queries: Any) -> None:
    with django_assert_num_queries(0):
        assert not lock_users([])
