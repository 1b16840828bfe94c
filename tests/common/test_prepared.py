"""Queries whose SQL is made once."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from django.db.models import Exists, OuterRef
from django.utils import timezone

from common.prepared import Prepared, PreparedObjects, PreparedUpdate, padded
from rides.models import Ride
from tests.cast import book
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


def test_objects_are_what_the_orm_would_have_made(dewi: User, putri: User, django_assert_num_queries: Any) -> None:
    """With what was selected beside, what is not there, and annotations; changed ones can be saved."""
    ride = book(dewi, putri)
    has_ride = Exists(Ride.objects.filter(driver=OuterRef("pk")))
    people = PreparedObjects(
        UUID, build=lambda pk: User.objects.filter(pk=pk).select_related("driver", "beacon").annotate(drives=has_ride)
    )
    for user in (dewi, putri, dewi):
        with django_assert_num_queries(1):
            found: Any = people.one(user.pk)
            vehicle = getattr(found, "driver", None)
            beacon = getattr(found, "beacon", None)
        assert found == user
        assert bool(found.drives) == bool(vehicle) == bool(beacon) == (user == dewi)
        if vehicle:
            assert (vehicle.vehicle_plate, vehicle.user) == ("B 1234 XYZ", found)
        found.full_name = "Changed"
        found.save()
    assert set(User.objects.values_list("full_name", flat=True)) == {"Changed"}
    assert people.one(uuid4()) is None
    with_match = PreparedObjects(UUID, build=lambda pk: Ride.objects.filter(pk=pk).select_related("match", "tariff"))
    again = with_match.one(ride.pk)
    assert again is not None
    for field in Ride._meta.concrete_fields:
        assert getattr(again, field.attname) == getattr(ride, field.attname), field.name
    assert again.tariff is None
    assert again.match.location == ride.match.location


def test_values_are_converted_as_the_orm_does(dewi: User) -> None:
    """On SQLite a time is a text, a UUID too, and truth a number."""
    pairs = Prepared(UUID, build=lambda pk: User.objects.filter(pk=pk).values_list("pk", "created_at", "is_active"))
    row = pairs.first(dewi.pk)
    assert row is not None
    assert row == (dewi.pk, User.objects.get(pk=dewi.pk).created_at, True)
    assert row[2] is True


def test_an_update_says_how_many_rows_it_changed(dewi: User, putri: User) -> None:
    """Only those of its condition."""
    rename = PreparedUpdate(UUID, str, build=lambda pk, name: (User.objects.filter(pk=pk), {"full_name": name}))
    assert rename.run(dewi.pk, "Dewi 2") == 1
    assert rename.run(uuid4(), "Nobody") == 0
    assert set(User.objects.values_list("full_name", flat=True)) == {"Dewi 2", "Putri"}


@pytest.mark.parametrize("count", [0, 1, 3, 21, 600])
def test_lists_have_a_few_lengths(count: int) -> None:
    """So that each length has its statement; what is longer than all stays as it is."""
    values = list(range(count))
    made = padded(values)
    assert set(made) == set(values)
    assert made[:count] == values
    assert len(made) in {0, 1, 5, 80, 600}
