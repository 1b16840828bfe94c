from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, nullcontext
from typing import Any
from uuid import UUID

import pytest
from django.db import connection, connections, transaction

from common.errors import Unauthorized
from rides.services.locking import lock_affairs, lock_match, lock_ride, lock_users
from tests.cast import book, propose
from users.acting import acting
from users.models import User
from users.tokens import Claims


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
        sql = captured.captured_queries[0]["sql"]
        assert sql.startswith('SELECT "users_user"."id" AS "pk", "users_user"."role" AS "role", ')
        assert "ORDER BY 2 DESC, 1 ASC FOR NO KEY UPDATE" in sql


def test_nobody_is_locked_for_nothing(db: None, django_assert_num_queries: Any) -> None:
    with django_assert_num_queries(0):
        assert not lock_users([])


@pytest.mark.django_db(transaction=True)
def test_the_lock_of_the_actor_checks_the_token(dewi: User, putri: User) -> None:
    """Whoever is locked beside them; on SQLite the command itself has looked, under the only lock."""
    held = Claims(user_id=dewi.pk, role=dewi.role, exp=1e12)
    old = Claims(user_id=dewi.pk, role=dewi.role, exp=1e12, ver=7)
    locks = connection.features.has_select_for_update
    with transaction.atomic(), acting(held) as actor:
        lock_affairs(putri.pk)
        assert not actor.is_certain
        lock_affairs(putri.pk, dewi.pk)
        assert actor.is_certain == locks
    with transaction.atomic(), acting(old):
        lock_affairs(putri.pk)
        with pytest.raises(Unauthorized) if locks else nullcontext():
            lock_affairs(dewi.pk)
    with transaction.atomic():
        lock_affairs(dewi.pk)  # on nobody's behalf


@pytest.mark.django_db(transaction=True)
def test_strangers_cannot_lock_others(dewi: User, putri: User, tono: User) -> None:
    """A match or a ride is locked for its own people only; services name none and lock any."""
    if not connection.features.has_select_for_update:
        return
    ride = book(dewi, putri)
    for lock, pk in ((lock_match, ride.match_id), (lock_ride, ride.pk)):
        with transaction.atomic():
            lock(pk, tono.pk)
            assert unlocked() == {dewi.pk, putri.pk, tono.pk}
            lock(pk, dewi.pk)
            assert unlocked() == {tono.pk}
        with transaction.atomic():
            lock(pk)
            assert unlocked() == {tono.pk}
