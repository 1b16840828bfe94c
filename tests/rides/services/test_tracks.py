from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.utils import timezone

from rides.fares.meter import TrackReport
from rides.models import LedgerEntry, Ride, TrackPoint
from rides.services.rides import ride_arrived
from rides.services.tracks import ReceivedReport, ledger_recompute, tracks_record
from tests.cast import MONAS, backdate, book, north_of, start
from users.models import User


def drive(ride: Ride, *steps: tuple[float, float], accuracy: float = 5) -> None:
    """Record reports at (metres to the north, seconds after the start)."""
    assert ride.started_at is not None
    reports = [
        TrackReport(north_of(MONAS, metres), ride.started_at + timedelta(seconds=seconds), accuracy)
        for metres, seconds in steps
    ]
    now = timezone.now()
    tracks_record(reports={ride.pk: [ReceivedReport(report, now) for report in reports]})


@pytest.fixture
def ride(dewi: User, putri: User) -> Ride:
    """A ride that began ten minutes ago."""
    ride = start(dewi, putri)
    backdate(ride, 600)
    return ride


def test_each_full_kilometre_is_booked_as_it_is_driven(ride: Ride) -> None:
    drive(ride, (600, 30), (1200, 60))
    drive(ride, (2500, 120))
    ride.refresh_from_db()
    assert (ride.distance_km, ride.total_cost) == (Decimal(2), 6000)
    assert [(e.distance_km, e.cost) for e in LedgerEntry.objects.all()] == [(Decimal(1), 3000)] * 2
    assert ride.tracked_km == pytest.approx(2.5, abs=1e-6)


def test_refused_points_are_kept_with_their_reason_and_cost_nothing(ride: Ride) -> None:
    drive(ride, (100, 10))
    drive(ride, (60_000, 20), (200, 9), (200, -700))
    drive(ride, (300, 30), accuracy=51)
    reasons = list(TrackPoint.objects.values_list("accepted", "reason"))
    assert reasons[1:] == [
        (True, ""),
        (False, "too_fast"),
        (False, "out_of_order"),
        (False, "before_start"),
        (False, "inaccurate"),
    ]
    ride.refresh_from_db()
    assert ride.tracked_km == pytest.approx(0.1, abs=1e-6)


def test_points_that_come_again_change_no_fare(ride: Ride, dewi: User) -> None:
    way = [(600, 60), (1200, 120), (900, 180), (1700, 240), (1700, 300), (2300, 360)]
    drive(ride, *way[:4])
    drive(ride, *way[2:4])  # a phone that did not hear that they had come
    drive(ride, *way[1:])
    drive(ride, way[-1])
    ride_arrived(user_id=dewi.pk, ride_id=ride.pk)
    ride.refresh_from_db()
    assert ride.tracked_km == pytest.approx(2.9, abs=1e-6)
    assert sum(booking.cost for booking in ledger_recompute(ride)) == ride.total_cost


def test_the_fare_comes_out_the_same_from_the_kept_points(ride: Ride, dewi: User) -> None:
    drive(ride, *((17.3 * n, 2 * n) for n in range(1, 100)))
    drive(ride, *((17.3 * n, 2 * n) for n in range(100, 200)))
    ride_arrived(user_id=dewi.pk, ride_id=ride.pk)
    ride.refresh_from_db()
    booked = [(entry.distance_km, entry.cost) for entry in ride.ledger.all()]
    assert [(b.distance_km, b.cost) for b in ledger_recompute(ride)] == booked
    assert sum(cost for _, cost in booked) == ride.total_cost
    assert sum(distance for distance, _ in booked) == ride.distance_km
    assert len(booked) == 4


def test_a_new_tariff_does_not_change_the_price_of_a_ride_that_is_booked(ride: Ride, dewi: User, settings: Any) -> None:
    drive(ride, (1500, 120))
    settings.PRICING_RATE_PER_KM = 9000
    settings.RIDES_MIN_DISTANCE_KM = Decimal("0.5")
    ride_arrived(user_id=dewi.pk, ride_id=ride.pk)
    ride.refresh_from_db()
    assert ride.total_cost == 4500
    assert sum(booking.cost for booking in ledger_recompute(ride)) == 4500


def test_points_of_a_ride_that_is_not_under_way_are_dropped(dewi: User, putri: User) -> None:
    ride = book(dewi, putri)
    report = ReceivedReport(TrackReport(MONAS, timezone.now()), timezone.now())
    tracks_record(reports={ride.pk: [report]})
    assert not TrackPoint.objects.exists()
    assert ledger_recompute(ride) == []


def test_many_rides_are_written_at_once_each_with_its_own(
    dewi: User, putri: User, joko: User, sari: User, django_assert_num_queries: Any
) -> None:
    rides = [start(dewi, putri), start(joko, sari)]
    for ride in rides:
        backdate(ride, 600)
    now = timezone.now()
    reports = {
        ride.pk: [
            ReceivedReport(TrackReport(north_of(MONAS, metres), ride.started_at + timedelta(seconds=seconds)), now)
            for metres, seconds in way
            if ride.started_at
        ]
        for ride, way in zip(rides, ([(1500, 100)], [(100, 10), (99_000, 11), (2100, 200)]), strict=True)
    }
    with django_assert_num_queries(8):  # with the transaction
        tracks_record(reports=reports)
    booked = {ride.pk: (ride.total_cost, ride.ledger.count(), ride.track.count()) for ride in Ride.objects.all()}
    assert booked == {rides[0].pk: (3000, 1, 2), rides[1].pk: (6000, 2, 4)}
    assert TrackPoint.objects.filter(accepted=False).get().ride == rides[1]
