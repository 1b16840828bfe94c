"""Two processes that book the same points of one ride at once: a driver moves from one to the other and sends again."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import Any

import pytest
from django.db import connections

from rides.models import Ride, TrackPoint
from rides.services.fares import fare_recompute
from rides.services.rides import ride_arrived
from rides.services.tracks import Report, tracks_record
from rides.staff.audit import audit
from tests.cast import MONAS, backdate, fix_at, north_of, start
from users.models import User

pytestmark = pytest.mark.django_db(transaction=True)
PROCESSES = 4
FIXES = 119


@pytest.fixture
def ride(dewi: User, putri: User) -> Ride:
    """A ride that began ten minutes ago."""
    ride = start(dewi, putri)
    backdate(ride, 600)
    return ride


@pytest.mark.parametrize("rule", [1, 2])
@pytest.mark.parametrize("at_a_time", [1, 7, 40])
def test_the_same_points_are_billed_once(ride: Ride, dewi: User, rule: int, at_a_time: int) -> None:
    """All of them write all of the way, in the same pieces, at the same moments."""
    if rule == 1:
        Ride.objects.update(meter_rule=1, progress="")
    assert ride.started_at is not None
    began = ride.started_at.timestamp()
    fixes = [fix_at(north_of(MONAS, 10.0 * n), began + 2.0 * n) for n in range(1, FIXES + 1)]
    reports = [Report(fix, fix.received_at) for fix in fixes]
    pieces = [reports[n : n + at_a_time] for n in range(0, FIXES, at_a_time)]
    together = Barrier(PROCESSES)

    def write(_: Any) -> None:
        try:
            for piece in pieces:
                together.wait(60)
                tracks_record(reports={ride.pk: piece})
        finally:
            connections.close_all()

    with ThreadPoolExecutor(PROCESSES) as pool:
        list(pool.map(write, range(PROCESSES)))
    ride.refresh_from_db()
    assert 1.1 < ride.tracked_km < 1.2  # an estimate, where the second rule counts
    assert TrackPoint.objects.count() == 1 + PROCESSES * FIXES
    ride_arrived(user_id=dewi.pk, ride_id=ride.pk)
    ride.refresh_from_db()
    assert float(ride.distance_km) == pytest.approx(1.19, abs=0.02)
    assert fare_recompute(ride).cost == ride.total_cost
    assert not list(audit())
