from datetime import timedelta
from random import Random
from typing import Any

import pytest
from django.utils import timezone

from rides import matching
from rides.matching import OfferDecision, available_among, consider, free_among, search_radius_km
from rides.models import Beacon, Candidate, Finder, Match
from rides.services.finders import finder_update
from tests.cast import BLOK_M, MONAS, book, make_driver, north_of, open_finder, stand_by
from users.models import User


def considered(finder: Finder, room: int) -> list[OfferDecision]:
    return consider(finder, list(finder.matches.all()), room)


def search_of(passenger: User) -> Finder:
    finder_update(user_id=passenger.pk, is_active=True, location=MONAS, target_location=BLOK_M)
    return open_finder(passenger)


def test_nobody_is_looked_at_beyond_the_last_one_who_is_asked(putri: User) -> None:
    finder = search_of(putri)
    for n in range(4):
        stand_by(make_driver(f"+62812000001{n}", f"Driver {n}"), north_of(MONAS, 100 * n))
    decisions = considered(finder, 2)
    assert [(round(d.distance_km, 1), d.outcome) for d in decisions] == [(0.0, "asked"), (0.1, "asked")]


def test_those_who_cannot_come_do_not_take_the_place_of_those_who_can(dewi: User, putri: User) -> None:
    finder = search_of(putri)
    for n in range(60):
        stand_by(make_driver(f"+6281200001{n:02}", f"Stale {n}"), MONAS, age=100)
    stand_by(dewi, north_of(MONAS, 4000))
    decisions = considered(finder, 1)
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
    with django_assert_max_num_queries(2):
        considered(finder, 5)


def test_free_is_who_has_a_beacon_and_no_ride(dewi: User, joko: User, putri: User) -> None:
    stand_by(joko)
    assert free_among([dewi.pk, joko.pk]) == {joko.pk}
    book(joko, putri)
    stand_by(dewi)
    assert free_among([dewi.pk, joko.pk]) == {dewi.pk}
    Beacon.objects.update(is_active=False)
    assert free_among([dewi.pk]) == set()


def test_the_radius_grows_evenly_to_the_largest(settings: Any) -> None:
    """The first attempt looks within the first radius, the last one within the largest."""
    assert [search_radius_km(attempt) for attempt in (1, 2, 3, 4)] == [5, 10, 15, 15]
    settings.MATCH_MAX_ATTEMPTS = 1
    assert search_radius_km(1) == 5
    settings.MATCH_MAX_ATTEMPTS, settings.MATCH_MAX_RADIUS_KM = 3, 2
    assert [search_radius_km(attempt) for attempt in (1, 3)] == [5, 5]


def test_a_driver_with_an_open_offer_gets_no_other(
    dewi: User, joko: User, putri: User, sari: User, settings: Any
) -> None:
    """One offer rings at a time; 0 is no limit."""
    stand_by(dewi)
    search_of(putri)
    stand_by(joko, north_of(MONAS, 100))
    finder = search_of(sari)
    assert available_among([dewi.pk, joko.pk]) == set()
    assert free_among([dewi.pk, joko.pk]) == {dewi.pk, joko.pk}
    outcomes = dict(Candidate.objects.filter(finder=finder).values_list("driver", "outcome"))
    assert outcomes == {dewi.pk: "has_an_offer", joko.pk: "asked"}
    settings.MATCH_MAX_OPEN_OFFERS = 2
    assert available_among([dewi.pk, joko.pk]) == {dewi.pk, joko.pk}
    settings.MATCH_MAX_OPEN_OFFERS = 0
    assert available_among([dewi.pk]) == {dewi.pk}


def test_a_lapsed_offer_blocks_nobody_before_the_timers_come(dewi: User, putri: User) -> None:
    """An offer that can no longer be answered does not keep its driver from the next one."""
    stand_by(dewi)
    search_of(putri)
    Match.objects.update(expires_at=timezone.now())
    assert available_among([dewi.pk]) == {dewi.pk}


def ignore(driver: User, offers: int, ago: timedelta = timedelta()) -> None:
    """Let a driver have ignored their last offers."""
    Beacon.objects.filter(driver=driver).update(ignored_offers=offers, ignored_at=timezone.now() - ago)


def test_silent_phones_cannot_starve_a_pick_up(dewi: User, putri: User) -> None:
    """A driver 111 m away comes before any number of nearer ones who let their last offer lapse."""
    finder = search_of(putri)
    for n in range(8):
        silent = make_driver(f"+62812000001{n}", f"Silent {n}")
        stand_by(silent, north_of(MONAS, n))
        ignore(silent, 1)
    stand_by(dewi, north_of(MONAS, 111))
    decisions = considered(finder, 5)
    assert next(d.driver_id for d in decisions if d.is_offered) == dewi.pk
    assert sum(d.is_offered for d in decisions) == 5


def test_who_fell_behind_is_shown_with_the_reason(dewi: User, joko: User, putri: User) -> None:
    """Support sees the nearer driver who was passed over, and why."""
    finder = search_of(putri)
    stand_by(joko)
    ignore(joko, 2)
    stand_by(dewi, north_of(MONAS, 900))
    found = {d.driver_id: d.outcome for d in considered(finder, 1)}
    assert found == {dewi.pk: "asked", joko.pk: "ignores_offers"}


def test_falling_behind_is_bounded(dewi: User, joko: User, putri: User) -> None:
    """However many offers a driver let lapse, one who is 2.6 km farther away comes after them."""
    finder = search_of(putri)
    stand_by(joko)
    ignore(joko, 30_000)
    stand_by(dewi, north_of(MONAS, 2600))
    assert [d.driver_id for d in considered(finder, 1)] == [joko.pk]


def test_falling_behind_is_forgotten(dewi: User, joko: User, putri: User) -> None:
    """Hours later nothing is held against a driver."""
    finder = search_of(putri)
    stand_by(joko)
    ignore(joko, 5, timedelta(hours=6, seconds=1))
    stand_by(dewi, north_of(MONAS, 100))
    assert [d.driver_id for d in considered(finder, 1)] == [joko.pk]


@pytest.mark.parametrize("room", [1, 3, 8])
@pytest.mark.parametrize("seed", range(4))
def test_looking_at_a_few_first_decides_the_same(
    putri: User, monkeypatch: pytest.MonkeyPatch, room: int, seed: int
) -> None:
    """Whether drivers are looked at one by one or all at once, the same get an offer, for the same reasons."""
    finder, chance = search_of(putri), Random(seed)
    for n in range(25):
        driver = make_driver(f"+6281200001{n:02}", f"Driver {n}")
        stand_by(driver, north_of(MONAS, chance.randrange(4900)), age=chance.choice([1, 1, 100]))
        Beacon.objects.filter(driver=driver).update(
            is_active=chance.random() < 0.8, ignored_offers=chance.randrange(4), ignored_at=timezone.now()
        )
    monkeypatch.setattr(matching, "FIRST_LOOK", matching.MAX_CONSIDERED)
    at_once = [(one.driver_id, one.outcome) for one in considered(finder, room)]
    for first, farther in ((1, 2), (3, 3), (20, 4)):
        monkeypatch.setattr(matching, "FIRST_LOOK", first)
        monkeypatch.setattr(matching, "FARTHER", farther)
        assert [(one.driver_id, one.outcome) for one in considered(finder, room)] == at_once
