from typing import Any

from django.utils import timezone

from rides.models import Ride, TrackPoint
from rides.staff.trackmap import track_on_map
from tests.cast import BLOK_M, MONAS, book, start
from users.models import User


def test_a_map_has_what_counts_what_does_not_and_the_places(dewi: User, putri: User) -> None:
    ride = start(dewi, putri)
    when = timezone.localtime(ride.created_at).replace(hour=7, minute=8, second=9)
    wrong = {"latitude": -6.1234567891, "longitude": 106.9, "timestamp": when, "accepted": False}
    TrackPoint.objects.create(ride=ride, reason="too_fast", **wrong)
    track = track_on_map(ride, [BLOK_M])
    assert track["measured"] == [(BLOK_M.latitude, BLOK_M.longitude)]
    assert track["driven"] == [(MONAS.latitude, MONAS.longitude)]
    assert track["refused"] == [(-6.123457, 106.9, "too fast", "07:08:09")]
    assert track["pickup"] == (MONAS.latitude, MONAS.longitude)
    assert track["target"] == (BLOK_M.latitude, BLOK_M.longitude)


def test_a_ride_that_has_not_begun_has_only_its_places(dewi: User, putri: User) -> None:
    track = track_on_map(book(dewi, putri), ())
    assert (track["driven"], track["refused"]) == ([], [])


def test_it_costs_one_query_however_long_the_ride(dewi: User, putri: User, django_assert_num_queries: Any) -> None:
    ride = Ride.objects.select_related("match").get(pk=start(dewi, putri).pk)
    more = {"latitude": -6.2, "longitude": 106.9, "timestamp": ride.created_at, "accepted": True}
    TrackPoint.objects.bulk_create(TrackPoint(ride=ride, **more) for _ in range(500))
    with django_assert_num_queries(1):
        assert len(track_on_map(ride, ())["driven"]) == 501
