"""Queries whose SQL is made once."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from django.db.models import Exists
from django.utils import timezone

from common.prepared import Prepared
from users.models import OneTimeCode, User

pytestmark = pytest.mark.django_db

NAMES = Prepared(UUID, build=lambda user_id: User.objects.filter(pk=user_id).values_list("full_name", "is_active"))


def test_each_call_has_its_own_values(dewi: User, putri: User, django_assert_num_queries: Any) -> None:
    """One statement for each call, with the row of the one who was asked for."""
    for user in (dewi, putri, dewi):
        with django_assert_num_queries(1):
            row = NAMES.first(user.pk)
        assert row is not None
        assert (row[0], bool(row[1])) == (user.full_name, True)
    assert NAMES.first(uuid4()) is None


def test_constants_of_the_query_stay(dewi: User) -> None:
    """Values that are no arguments are kept from call to call, and so is each argument in each place."""
    since = Prepared(
        UUID,
        datetime,
        build=lambda user_id, when: User.objects.filter(
            pk=user_id, role="driver", created_at__gt=when, last_login=None
        ).values_list(Exists(User.objects.filter(pk=user_id, created_at__gt=when))),
    )
    now = timezone.now()
    assert since.first(dewi.pk, now - timedelta(days=1)) is not None
    assert since.first(dewi.pk, now + timedelta(days=1)) is None
    assert since.first(dewi.pk, datetime(1901, 1, 1, tzinfo=UTC)) is not None


def test_an_argument_must_be_used() -> None:
    """A query that forgets one of its arguments is a mistake in the code."""
    forgetful = Prepared(UUID, build=lambda _user_id: OneTimeCode.objects.values_list("pk"))
    with pytest.raises(ValueError, match="not in its SQL"):
        forgetful.first(uuid4())


def test_all_rows_are_returned(dewi: User, putri: User) -> None:
    """For texts too, and by the same SQL on each call."""
    named = Prepared(str, build=lambda name: User.objects.filter(full_name=name).values_list("msisdn"))
    assert named.rows("Dewi") == [(dewi.msisdn,)]
    assert named.rows("Nobody") == []
    everybody = Prepared(UUID, build=lambda pk: User.objects.exclude(pk=pk).order_by("msisdn").values_list("msisdn"))
    assert everybody.rows(dewi.pk) == [(putri.msisdn,)]
