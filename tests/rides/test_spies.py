"""What one account can find out about drivers by searching, however cleverly and often."""

from __future__ import annotations

import random
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.db.models import F
from django.utils import timezone

from common.errors import RateLimited
from events.models import OutboxEvent
from rides.cells import STEP_KM, cell_middle
from rides.geo import GeoPoint, distance_km
from rides.matching import consider, rings_beyond, search_radius_km
from rides.models import Finder, FinderStatus
from rides.services.finders import finder_update
from rides.services.patience import PassengerDay
from tests.cast import BLOK_M, MONAS, make_driver, north_of, stand_by
from users.models import User

SEARCHES = 1000
MIDDLE = cell_middle(north_of(MONAS, 4700))
CORNERS = [
    GeoPoint(MIDDLE.latitude + north * 0.0022, MIDDLE.longitude + east * 0.0022)
    for north, east in ((-1, -1), (1, 1), (-1, 1), (1, -1))
]
"""The corners of a cell: places of one driver that must look the same."""


def looks(passenger: User, *, is_coarse: bool) -> Iterator[Finder]:
    """Yield the searches of a spy who lets the edge of each circle cut the cell, and looks from all around it."""
    chance = random.Random(1)
    for number in range(SEARCHES):
        attempt = 1 + number % 3
        reach = search_radius_km(attempt) * 1000 + chance.uniform(-400, 400)
        if number % 2:
            reach = chance.uniform(0, 700)
        east = chance.uniform(-0.004, 0.004)
        place = north_of(GeoPoint(MIDDLE.latitude, MIDDLE.longitude + east), -reach)
        yield Finder(
            passenger=passenger,
            attempts=attempt,
            is_coarse=is_coarse,
            latitude=place.latitude,
            longitude=place.longitude,
            target_latitude=BLOK_M.latitude,
            target_longitude=BLOK_M.longitude,
        )


def is_restless(passenger: User) -> bool:
    return PassengerDay.of(passenger.pk, timezone.now()).is_restless()


def test_the_corners_are_far_apart_and_of_one_cell() -> None:
    """Else the tests below would prove nothing."""
    assert {cell_middle(corner) for corner in CORNERS} == {MIDDLE}
    assert distance_km(*CORNERS[:2]) > 0.6


@pytest.mark.parametrize("is_coarse", [False, True], ids=["the first searches of a day", "all later ones"])
def test_no_search_tells_where_in_its_cell_a_driver_is(putri: User, dewi: User, is_coarse: bool) -> None:
    """A thousand searches see the same, wherever in 500 m the driver is; so nobody is located better than 300 m."""
    seen = set()
    for corner in CORNERS[:2]:
        stand_by(dewi, corner)
        seen.add(
            tuple(any(one.is_offered for one in consider(look, [], 5)) for look in looks(putri, is_coarse=is_coarse))
        )
    assert len(seen) == 1
    assert 100 < sum(next(iter(seen))) < SEARCHES - 100  # they see something, and not always


def test_later_searches_of_a_day_do_not_compare_drivers(putri: User, dewi: User, joko: User) -> None:
    """Nor does the order of the offers say who is nearer within a cell."""
    sets = set()
    for mine, others in (CORNERS[:2], reversed(CORNERS[:2])):
        stand_by(dewi, mine)
        stand_by(joko, others)
        shown = [
            tuple(one.driver_id for one in consider(look, [], 1) if one.is_offered)
            for look in looks(putri, is_coarse=True)
        ]
        sets.add(tuple(shown))
    assert len(sets) == 1


def test_what_is_told_is_made_of_cells(putri: User, dewi: User, settings: Any) -> None:
    """Place, distance and time of the offers of real searches, too."""
    settings.SEARCH_FREE_CANCELS = 0
    told_to_putri = set()
    for corner in CORNERS:
        before = OutboxEvent.objects.count()
        stand_by(dewi, corner)
        for metres in range(-800, 900, 100):
            place = north_of(MIDDLE, metres)
            finder_update(user_id=putri.pk, is_active=True, location=place, target_location=BLOK_M)
            finder_update(user_id=putri.pk, is_active=False)
        events = OutboxEvent.objects.order_by("id")[before:]
        offers = [one.audience[str(putri.pk)] for one in events if one.type == "match_proposal"]
        hidden = ("match_id", "expires_at")
        told_to_putri.add(str([{name: value for name, value in one.items() if name not in hidden} for one in offers]))
    assert len(told_to_putri) == 1
    assert str(MIDDLE.latitude) in next(iter(told_to_putri))


def test_who_lets_searches_lapse_is_no_better_off(putri: User, settings: Any) -> None:
    """A search that nobody answered is worth as much to a spy as one that was cancelled; it costs no wait."""
    settings.SEARCH_FREE_CANCELS = 5
    for _ in range(5):
        assert not is_restless(putri)
        finder_update(user_id=putri.pk, is_active=True, location=MONAS, target_location=BLOK_M)
        Finder.objects.filter(status="OPEN").update(status=FinderStatus.NO_DRIVER, ended_at=timezone.now())
    assert is_restless(putri)
    finder_update(user_id=putri.pk, is_active=True, location=MONAS, target_location=BLOK_M)
    assert Finder.objects.get(status="OPEN").is_coarse
    Finder.objects.update(created_at=F("created_at") - timedelta(hours=25))
    assert not is_restless(putri)


def test_phones_ring_for_real_searches_only(putri: User, dewi: User, settings: Any) -> None:
    """Searching and cancelling without a pause, a spy gets a handful of searches an hour."""
    settings.SEARCH_FREE_CANCELS = 5
    stand_by(dewi)
    rung = 0
    for _ in range(SEARCHES):
        try:
            finder_update(user_id=putri.pk, is_active=True, location=MONAS, target_location=BLOK_M)
        except RateLimited:
            continue
        rung += 1
        finder_update(user_id=putri.pk, is_active=False)
    assert 1 <= rung <= 6


def test_who_is_beyond_the_circle_is_counted_once(putri: User) -> None:
    """The circle and the rings of support have the same edge."""
    near = make_driver("+6281200000031", "Edge")
    finder = Finder(passenger=putri, attempts=1, latitude=MONAS.latitude, longitude=MONAS.longitude)
    for metres in range(4000, 6000, 50):
        stand_by(near, north_of(MONAS, metres))
        considered = len(consider(finder, [], 5))
        beyond = sum(drivers for _, _, drivers in rings_beyond(finder))
        assert considered + beyond == 1, metres
        assert considered == (metres < 5000) or abs(metres - 5000) < 1000 * STEP_KM, metres
