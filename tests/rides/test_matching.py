from typing import Any

from rides.matching import consider, free_among
from rides.models import Beacon, Finder
from rides.services.finders import finder_update
from tests.cast import BLOK_M, MONAS, book, make_driver, north_of, open_finder, stand_by
from users.models import User


def search_of(passenger: User) -> Finder:
    finder_update(user_id=passenger.pk, is_active=True, location=MONAS, target_location=BLOK_M)
    return open_finder(passenger)


def test_nobody_is_looked_at_beyond_the_last_one_who_is_asked(putri: User, settings: Any) -> None:
    settings.MATCH_MAX_DRIVERS = 2
    finder = search_of(putri)
    for n in range(4):
        stand_by(make_driver(f"+62812000001{n}", f"Driver {n}"), north_of(MONAS, 100 * n))
    decisions = consider(finder)
    assert [(round(d.distance_km, 1), d.outcome) for d in decisions] == [(0.0, "asked"), (0.1, "asked")]


def test_those_who_cannot_come_do_not_take_the_place_of_those_who_can(dewi: User, putri: User, settings: Any) -> None:
    settings.MATCH_MAX_DRIVERS = 1
    finder = search_of(putri)
    for n in range(60):
        stand_by(make_driver(f"+6281200001{n:02}", f"Stale {n}"), MONAS, age=100)
    stand_by(dewi, north_of(MONAS, 4000))
    decisions = consider(finder)
    assert len(decisions) == 61
    assert decisions[-1].driver_id == dewi.pk
    assert decisions[-1].is_offered
    assert {d.outcome for d in decisions[:-1]} == {"position_too_old"}


def test_a_search_costs_the_same_queries_however_many_drivers_there_are(
    putri: User, django_assert_max_num_queries: Any
) -> None:
    finder = search_of(putri)
    for n in range(30):
        stand_by(make_driver(f"+6281200001{n:02}", f"Driver {n}"), MONAS)
    with django_assert_max_num_queries(4):
        consider(finder)


def test_free_is_who_has_a_beacon_and_no_ride(dewi: User, joko: User, putri: User) -> None:
    stand_by(joko)
    assert free_among([dewi.pk, joko.pk]) == {joko.pk}
    book(joko, putri)
    stand_by(dewi)
    assert free_among([dewi.pk, joko.pk]) == {dewi.pk}
    Beacon.objects.update(is_active=False)
    assert free_among([dewi.pk]) == set()
