from datetime import timedelta

import pytest
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from rides.models import Beacon, Match, Ride, TrackPoint
from rides.services.finders import finder_update
from rides.staff.overview import Overview, overview
from tests.cast import BLOK_M, MONAS, arrive, book, make_driver, make_user, north_of, propose, stand_by, start
from users.models import User

pytestmark = pytest.mark.django_db

QUERIES = 6


def seen(points_after: int = 0) -> Overview:
    return overview(timezone.now(), points_after)


def test_a_town_where_nothing_happens_is_empty(tono: User) -> None:
    assert seen() == Overview([], [], [], [], [], {})


def test_drivers_are_on_duty_while_their_beacon_is_on(dewi: User, joko: User) -> None:
    stand_by(dewi)
    stand_by(joko)
    Beacon.objects.filter(driver=joko).update(is_active=False)
    (driver,) = seen().drivers
    assert (driver.person.user_id, driver.person.name, driver.person.msisdn) == (dewi.pk, "Dewi", "+6281•••••0001")
    assert (driver.vehicle_type, driver.vehicle_plate) == ("motorcycle", "B 1234 XYZ")


def test_who_gave_no_name_is_called_by_his_number_and_who_was_shut_out_is_not_seen(dewi: User, joko: User) -> None:
    for driver in (dewi, joko):
        stand_by(driver)
    User.objects.filter(pk=dewi.pk).update(full_name="")
    User.objects.filter(pk=joko.pk).update(is_active=False)
    assert [driver.person.name for driver in seen().drivers] == ["+6281•••••0001"]


def test_a_search_is_seen_with_its_proposals_until_they_have_expired(dewi: User, putri: User) -> None:
    match = propose(dewi, putri)
    town = seen()
    (search,) = town.searches
    assert (search.passenger.name, search.pickup, search.target, search.attempts) == ("Putri", MONAS, BLOK_M, 1)
    assert town.proposals == [(match.finder_id, dewi.pk)]
    Match.objects.update(expires_at=timezone.now() - timedelta(seconds=1))
    assert seen().proposals == []


def test_a_ride_is_seen_from_its_booking_to_its_arrival(dewi: User, putri: User, joko: User, sari: User) -> None:
    waiting, driven = book(dewi, putri), start(joko, sari)
    arrived = arrive(make_driver("+6281200000008", "Agus"), make_user("+6281200000009", "Wulan"))
    town = seen()
    rides = {ride.ride_id: ride for ride in town.rides}
    assert rides.keys() == {waiting.pk, driven.pk}
    ride = rides[driven.pk]
    assert (ride.status, ride.driver.person.name, ride.passenger.name) == ("ONGOING", "Joko", "Sari")
    assert (ride.driver.vehicle_plate, ride.pickup, ride.target) == ("B 1234 XYZ", MONAS, BLOK_M)
    assert ride.started_at is not None
    assert rides[waiting.pk].started_at is None
    assert (town.searches, town.proposals) == ([], [])
    assert town.day == {"PICKUP": 1, "ONGOING": 1, arrived.status: 1}


def test_a_track_is_read_from_where_one_has_read_before(dewi: User, putri: User) -> None:
    ride = start(dewi, putri)
    (first,) = seen().points
    assert (first.ride_id, first.place) == (ride.pk, MONAS)
    for metres, accepted in ((50, True), (9000, False)):
        place = north_of(MONAS, metres)
        TrackPoint.objects.create(
            ride=ride, latitude=place.latitude, longitude=place.longitude, timestamp=timezone.now(), accepted=accepted
        )
    assert [point.place for point in seen(first.number).points] == [north_of(MONAS, 50)]


def test_rides_of_yesterday_are_not_counted(dewi: User, putri: User) -> None:
    ride = arrive(dewi, putri)
    Ride.objects.filter(pk=ride.pk).update(created_at=timezone.now() - timedelta(hours=25))
    assert seen().day == {}


def test_it_takes_the_same_few_queries_for_any_number_of_people(
    dewi: User, putri: User, joko: User, sari: User, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    with django_assert_num_queries(QUERIES):
        seen()
    start(dewi, putri)
    propose(joko, sari)
    finder_update(
        user_id=make_user("+6281200000009", "Wulan").pk, is_active=True, location=MONAS, target_location=MONAS
    )
    with django_assert_num_queries(QUERIES):
        seen()
