from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from rides.models import Beacon, Candidate, Finder, Match, Ride, SearchAttempt, TrackPoint
from rides.personal_data import RidesData, keeps_track
from rides.positions import positions
from rides.services.payments import payment_process
from rides.staff.audit import audit, rides_with_a_fare
from tests.cast import BLOK_M, MONAS, arrive, propose, stand_by
from users.models import User

DATA = RidesData()


@pytest.fixture
def paid(dewi: User, putri: User) -> Ride:
    ride = arrive(dewi, putri)
    payment_process(user_id=putri.pk, ride_id=ride.pk, total_cost=0, status="ACCEPTED")
    return ride


def places() -> set[float]:
    return {value for model in (Finder, Match) for row in model._base_manager.values() for value in (row["latitude"],)}


@pytest.mark.parametrize("who", ["driver", "passenger"])
def test_tracks_and_places_of_a_person_go(paid: Ride, who: str) -> None:
    """Of where they were about a kilometre is left."""
    user = getattr(paid, who)
    list(DATA.erase_rest(user.pk))
    assert not TrackPoint.objects.exists()
    assert not Candidate.objects.exists()
    match = Match.objects.get()
    assert (match.latitude, match.driver_longitude) == (round(MONAS.latitude, 2), round(MONAS.longitude, 2))
    if who == "passenger":
        assert Finder.objects.get().target_latitude == round(BLOK_M.latitude, 2)
    assert positions().last(user.pk) is None
    assert list(DATA.erase_rest(user.pk)) is not None


def test_a_stranger_loses_nothing(paid: Ride, tono: User) -> None:
    """Only what the person was part of is touched."""
    list(DATA.erase_rest(tono.pk))
    assert TrackPoint.objects.exists()
    assert Match.objects.get().latitude == MONAS.latitude


def test_a_beacon_and_a_position_end_with_the_account(dewi: User, django_capture_on_commit_callbacks: Any) -> None:
    """Nobody is offered a ride to somebody who is gone."""
    stand_by(dewi)
    with django_capture_on_commit_callbacks(execute=True):
        DATA.erase(dewi)
    assert not Beacon.objects.exists()
    assert positions().last(dewi.pk) is None


def test_what_is_old_is_removed_or_coarsened(paid: Ride, settings: Any) -> None:
    """Each kind has a retention time of its own."""
    old = timezone.now() - settings.PLACE_RETENTION - timedelta(days=1)
    for model in (Ride, Finder, Match):
        model._base_manager.update(created_at=old)
    Candidate.objects.update(considered_at=old)
    SearchAttempt.objects.update(begun_at=old)
    list(DATA.expire())
    assert not TrackPoint.objects.exists()
    assert not Candidate.objects.exists()
    assert not SearchAttempt.objects.exists()
    assert places() == {round(MONAS.latitude, 2)}
    assert list(audit()) == []


def test_what_is_young_is_kept(paid: Ride) -> None:
    """A day is not past any retention time."""
    list(DATA.expire())
    assert TrackPoint.objects.exists()
    assert Candidate.objects.exists()
    assert SearchAttempt.objects.exists()
    assert places() == {MONAS.latitude}


def test_places_are_coarsened_once(paid: Ride, sari: User, joko: User, settings: Any) -> None:
    """A watermark says up to when it has been done."""
    Match.objects.update(created_at=timezone.now() - settings.PLACE_RETENTION - timedelta(days=1))
    list(DATA.expire())
    Match.objects.update(latitude=MONAS.latitude)
    list(DATA.expire())
    assert Match.objects.get().latitude == MONAS.latitude


def test_a_fare_without_its_track_is_not_computed_again(paid: Ride, putri: User) -> None:
    """Audit leaves rides out whose points were removed on purpose."""
    assert keeps_track(paid)
    assert paid in rides_with_a_fare()
    User.objects.filter(pk=putri.pk).update(erased_at=timezone.now())
    assert not keeps_track(paid)
    assert paid not in rides_with_a_fare()


def test_everything_about_a_person_is_given_out(paid: Ride, putri: User, tono: User) -> None:
    """Searches, offers and rides with what was paid and where they went; a stranger has none."""
    data = DATA.export(putri)
    assert data["rides"][0]["payment"]["status"] == "ACCEPTED"
    assert data["rides"][0]["track"]
    assert len(data["searches"]) == len(data["offers"]) == 1
    nothing: dict[str, Any] = {
        "beacon": None,
        "position": None,
        "devices": [],
        "searches": [],
        "offers": [],
        "rides": [],
    }
    assert DATA.export(tono) == nothing


def test_an_open_search_is_part_of_it(dewi: User, putri: User) -> None:
    """Also what has led to nothing yet."""
    propose(dewi, putri)
    assert DATA.export(putri)["searches"][0]["status"] == "OPEN"
    assert DATA.export(dewi)["position"] == {"latitude": MONAS.latitude, "longitude": MONAS.longitude}
