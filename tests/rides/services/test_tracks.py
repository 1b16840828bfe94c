import time
from decimal import Decimal
from typing import Any

import pytest

from rides.models import LedgerEntry, Ride, TrackPoint
from rides.services import tracks
from rides.services.fares import fare_recompute
from rides.services.rides import ride_arrived
from rides.services.tracks import Report, tracks_record
from tests.cast import MONAS, backdate, book, drive, fix_at, north_of, start
from users.models import User


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
    """While the ride is under way, the estimate says what it makes of each fix."""
    drive(ride, (100, 10))
    drive(ride, (60_000, 20), (200, 9))
    drive(ride, (300, 30), accuracy=51)
    reasons = list(TrackPoint.objects.values_list("accepted", "reason"))
    assert reasons[1:] == [(True, ""), (False, "too_fast"), (False, "late"), (False, "inaccurate")]
    ride.refresh_from_db()
    assert ride.tracked_km == pytest.approx(0.1, abs=1e-3)


def test_a_ride_of_the_first_rule_keeps_it(ride: Ride, dewi: User) -> None:
    """Rides that were booked before the meter knew of noise are measured as they were promised."""
    Ride.objects.update(meter_rule=1, progress="")
    drive(ride, (100, 10), (60_000, 20), (110, 12), (2500, 100))
    assert list(TrackPoint.objects.values_list("reason", flat=True)) == ["", "", "too_fast", "", ""]
    ride_arrived(user_id=dewi.pk, ride_id=ride.pk)
    ride.refresh_from_db()
    assert (ride.total_cost, ride.needs_review) == (7500, "")
    assert fare_recompute(ride).cost == 7500


def test_no_phone_makes_a_ride_grow_without_end(ride: Ride, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each phone has so many points, and one a second since the start; a flood costs the other nothing."""
    monkeypatch.setattr(tracks, "FREE_POINTS", 100)
    backdate(ride, 20)
    at = time.time()
    flood = [Report(fix_at(north_of(MONAS, n), at), at, by_driver=n % 2 == 0) for n in range(1000)]
    for _ in range(2):
        tracks_record(reports={ride.pk: flood})
    ride.refresh_from_db()
    assert (ride.kept_points, ride.kept_passenger_points) == (ride.track.count(), ride.passenger_track.count())
    assert 120 <= ride.kept_points <= 125
    assert 119 <= ride.kept_passenger_points <= 125


def test_an_honest_phone_is_never_bounded(ride: Ride, monkeypatch: pytest.MonkeyPatch) -> None:
    """One fix a second fits, also all at once after a tunnel, and those that come in after the end."""
    monkeypatch.setattr(tracks, "FREE_POINTS", 10)
    drive(ride, *((10.0 * n, float(n)) for n in range(500)))
    Ride.objects.update(status="ARRIVED")
    drive(ride, *((10.0 * n, float(n)) for n in range(500, 600)))
    assert TrackPoint.objects.count() == 601


def test_the_running_estimate_outlives_the_process(ride: Ride) -> None:
    """Each write goes on where the last one ended, whichever process made it."""
    way = [(17.3 * n, 2.0 * n) for n in range(1, 200)]
    for n in range(0, len(way), 7):
        drive(ride, *way[n : n + 7])
    ride.refresh_from_db()
    assert ride.tracked_km == pytest.approx(17.3 * 199 / 1000, rel=0.02)
    assert ride.distance_km == 3


def test_a_new_tariff_does_not_change_the_price_of_a_ride_that_is_booked(ride: Ride, dewi: User, settings: Any) -> None:
    drive(ride, (1500, 120))
    settings.PRICING_RATE_PER_KM = 9000
    settings.RIDES_MIN_DISTANCE_KM = Decimal("0.5")
    ride_arrived(user_id=dewi.pk, ride_id=ride.pk)
    ride.refresh_from_db()
    assert ride.total_cost == 4500
    assert fare_recompute(ride).cost == 4500


def test_points_of_a_ride_that_has_not_started_are_dropped(dewi: User, putri: User) -> None:
    ride = book(dewi, putri)
    fix = fix_at(MONAS, time.time())
    tracks_record(reports={ride.pk: [Report(fix, fix.received_at)]})
    assert not TrackPoint.objects.exists()


def test_points_that_come_after_the_end_are_kept_and_change_no_price(ride: Ride, dewi: User) -> None:
    """A phone that was in a tunnel at the end delivers its backlog; it must not change what was agreed."""
    drive(ride, (1500, 120))
    ride_arrived(user_id=dewi.pk, ride_id=ride.pk)
    drive(ride, (1700, 140))
    point = TrackPoint.objects.latest("id")
    assert (point.accepted, point.reason) == (False, "late")
    ride.refresh_from_db()
    assert fare_recompute(ride).cost == ride.total_cost == 4500


def test_many_rides_are_written_at_once_each_with_its_own(
    dewi: User, putri: User, joko: User, sari: User, django_assert_num_queries: Any
) -> None:
    rides = [start(dewi, putri), start(joko, sari)]
    for ride in rides:
        backdate(ride, 600)
    reports = {
        ride.pk: [
            Report(fix_at(north_of(MONAS, metres), at := ride.started_at.timestamp() + seconds), at)
            for metres, seconds in way
            if ride.started_at
        ]
        for ride, way in zip(rides, ([(1500, 100)], [(100, 10), (99_000, 11), (2100, 200)]), strict=True)
    }
    with django_assert_num_queries(7):  # with the transaction
        tracks_record(reports=reports)
    booked = {ride.pk: (ride.total_cost, ride.ledger.count(), ride.track.count()) for ride in Ride.objects.all()}
    assert booked == {rides[0].pk: (3000, 1, 2), rides[1].pk: (6000, 2, 4)}
    assert TrackPoint.objects.filter(accepted=False).get().ride == rides[1]
