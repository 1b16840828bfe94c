"""Waits for people who search or book and cancel, over and over."""

from datetime import datetime, timedelta
from typing import Any

import pytest
from django.utils import timezone

from common.errors import RateLimited
from rides.cells import cell_middle
from rides.geo import GeoPoint
from rides.models import Finder, Match, Ride
from rides.services.finders import finder_update
from rides.services.matches import match_confirm
from rides.services.rides import ride_cancel
from tests.cast import BLOK_M, MONAS, book, make_driver, north_of, open_finder, stand_by, told
from tests.rides.test_matching import considered
from users.models import User

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _limited(settings: Any) -> None:
    settings.SEARCH_FREE_CANCELS = 3


def search(passenger: User, place: GeoPoint = MONAS) -> None:
    finder_update(user_id=passenger.pk, is_active=True, location=place, target_location=BLOK_M)


def search_and_cancel(passenger: User) -> None:
    search(passenger)
    finder_update(user_id=passenger.pk, is_active=False)


def wait_of(passenger: User) -> float:
    """The seconds that a passenger has to wait; 0 when the search begins."""
    try:
        search(passenger)
    except RateLimited as exc:
        return round(exc.retry_after)
    return 0


def earlier(by: timedelta) -> None:
    """Let everything have happened earlier."""
    for model, fields in ((Finder, ("created_at", "ended_at")), (Ride, ("created_at", "cancelled_at"))):
        for row in model.objects.all():
            for name in fields:
                when: datetime | None = getattr(row, name)
                setattr(row, name, when and when - by)
            row.save()


def test_some_are_free_then_each_wait_is_twice_as_long(putri: User) -> None:
    """Three cancelled searches are free; then 10 s, 20 s, 40 s … ten minutes."""
    for _ in range(3):
        search_and_cancel(putri)
    waits = []
    for _ in range(9):
        waits.append(wait_of(putri))
        Finder.objects.filter(status="CANCELLED").update(ended_at=timezone.now() - timedelta(minutes=11))
        search_and_cancel(putri)
    assert waits == [10, 20, 40, 80, 160, 320, 600, 600, 600]


def test_a_refused_search_changes_nothing(dewi: User, putri: User) -> None:
    """No phone rings, and nothing is said."""
    for _ in range(3):
        search_and_cancel(putri)
    stand_by(dewi)
    before = len(told(putri))
    assert wait_of(putri) == 10
    assert len(told(putri)) == before
    assert not Match.objects.exists()


def test_an_hour_later_all_is_forgotten(putri: User) -> None:
    """Only cancels within the last hour count."""
    for _ in range(3):
        search_and_cancel(putri)
    earlier(timedelta(hours=1, seconds=1))
    assert wait_of(putri) == 0


def test_moving_the_pin_counts_and_is_refused_like_a_search(putri: User) -> None:
    """A spy who moves instead of cancelling fares no better; the search at the old place goes on."""
    for n in range(4):
        search(putri, north_of(MONAS, n))
    with pytest.raises(RateLimited) as caught:
        search(putri, north_of(MONAS, 10))
    assert caught.value.retry_after == pytest.approx(10, abs=1)
    assert open_finder(putri).location == north_of(MONAS, 3)


def test_searches_that_end_otherwise_cost_nothing(dewi: User, putri: User) -> None:
    """No driver found, or a ride: nothing to wait for."""
    for status in ("NO_DRIVER", "MATCHED") * 3:
        search(putri)
        Finder.objects.filter(status="OPEN").update(status=status, ended_at=timezone.now())
    assert wait_of(putri) == 0


def test_the_limit_can_be_turned_off(putri: User, settings: Any) -> None:
    """0 is no limit, as load tests need."""
    settings.SEARCH_FREE_CANCELS = 0
    for _ in range(20):
        search_and_cancel(putri)
    search(putri)
    assert not open_finder(putri).is_coarse


@pytest.mark.parametrize("by", ["passenger", "driver"])
def test_booking_and_cancelling_costs_the_one_who_cancels(dewi: User, putri: User, by: str) -> None:
    """The passenger waits before the next search, the driver before the next booking."""
    canceller = putri if by == "passenger" else dewi
    for _ in range(3):
        ride = book(dewi, putri)
        ride_cancel(user_id=canceller.pk, ride_id=ride.pk)
    assert wait_of(putri) == (10 if by == "passenger" else 0)
    if by == "driver":
        match = Match.objects.get(status="PENDING")
        with pytest.raises(RateLimited):
            match_confirm(user_id=dewi.pk, match_id=match.pk, accepted=True)
        match_confirm(user_id=putri.pk, match_id=match.pk, accepted=True)
        match_confirm(user_id=dewi.pk, match_id=match.pk, accepted=False)


def test_nobody_pays_for_the_others_cancels(dewi: User, putri: User, sari: User) -> None:
    """Another passenger searches freely."""
    for _ in range(5):
        if wait_of(putri) == 0:
            finder_update(user_id=putri.pk, is_active=False)
    assert wait_of(sari) == 0


def spied(passenger: User, place: GeoPoint) -> list[str]:
    """The drivers whom a look-around from a place shows, in order."""
    search(passenger, place)
    finder = open_finder(passenger)
    matches = Match.objects.filter(finder=finder).order_by("created_at").select_related("driver")
    shown = [match.driver.full_name for match in matches]
    finder_update(user_id=passenger.pk, is_active=False)
    earlier(timedelta(hours=2))
    return shown


def test_a_spy_learns_cells_however_often_they_look(putri: User, settings: Any) -> None:
    """After the free looks of a day, edge and order of the circle are those of cells, not of drivers.

    A driver is moved about within one cell: no search from anywhere tells the difference.
    """
    settings.MATCH_MAX_DRIVERS = 1
    for _ in range(3):
        spied(putri, MONAS)
    middle = cell_middle(north_of(MONAS, 4900))
    near, far = make_driver("+6281200000021", "Near"), make_driver("+6281200000022", "Far")
    seen = set()
    for metres in (-240, -120, 0, 120, 240):
        stand_by(near, north_of(middle, metres))
        stand_by(far, north_of(middle, -metres))
        seen.add(tuple(name for step in range(0, 900, 100) for name in (*spied(putri, north_of(MONAS, step)), "-")))
    assert len(seen) == 1
    assert {"Near", "Far"} & set(next(iter(seen)))


def test_before_that_the_nearest_is_asked(putri: User, settings: Any) -> None:
    """An ordinary passenger gets the driver who is really nearest."""
    settings.MATCH_MAX_DRIVERS = 1
    near, far = make_driver("+6281200000021", "Near"), make_driver("+6281200000022", "Far")
    stand_by(near, north_of(MONAS, 50))
    stand_by(far, north_of(MONAS, 60))
    assert spied(putri, MONAS) == ["Near"]


def test_a_coarse_search_keeps_exact_distances_for_staff(dewi: User, putri: User) -> None:
    """What is kept for support is what was so."""
    for _ in range(3):
        spied(putri, MONAS)
    stand_by(dewi, north_of(MONAS, 1234))
    search(putri)
    assert open_finder(putri).is_coarse
    assert Match.objects.get().distance_km == pytest.approx(1.234, abs=1e-4)
    Match.objects.all().delete()
    assert [decision.driver_id for decision in considered(open_finder(putri), 5)] == [dewi.pk]
