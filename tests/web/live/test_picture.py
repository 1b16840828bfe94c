import json
import time
from typing import Any
from uuid import UUID

import pytest
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from realtime import metrics
from rides.models import TrackPoint
from rides.positions import positions
from rides.services.finders import finder_update
from tests.cast import (
    BLOK_M,
    MONAS,
    backdate,
    book,
    connect,
    disconnect,
    make_user,
    north_of,
    propose,
    see,
    stand_by,
    start,
)
from users.models import User
from users.presence import Presence, presence
from web.live import picture
from web.live.picture import NOTHING, Painter, Picture, frame

pytestmark = pytest.mark.django_db
QUERIES = 6


def paint() -> Picture:
    return Painter().paint()


def data_of(old: Picture, new: Picture) -> dict[str, Any]:
    data: dict[str, Any] = json.loads(frame(old, new))["data"]
    return data


def drive(user: User, ride_pk: UUID, metres: float) -> None:
    """A point of a track, and where the driver is."""
    place = north_of(MONAS, metres)
    at = {"latitude": place.latitude, "longitude": place.longitude}
    TrackPoint.objects.create(ride_id=ride_pk, timestamp=timezone.now(), accepted=True, **at)
    see(user, place)


def state(user: User) -> str:
    return str(paint().drivers[str(user.pk)]["state"])


def test_a_driver_goes_through_all_states(dewi: User, putri: User, joko: User, sari: User) -> None:
    stand_by(dewi)
    assert state(dewi) == "free"
    propose(dewi, putri)
    assert state(dewi) == "asked"
    book(joko, sari)
    assert state(joko) == "pickup"


def test_a_driver_under_way_is_riding_even_when_nothing_is_heard_of_him(dewi: User, putri: User) -> None:
    start(dewi, putri)
    see(dewi, MONAS, 3600)
    assert state(dewi) == "riding"


def test_a_driver_with_an_old_place_without_a_connection_or_never_seen_is_away(dewi: User, joko: User) -> None:
    stand_by(dewi, age=61)
    stand_by(joko)
    disconnect(connect(joko))
    assert state(dewi) == "away"
    positions().forget(time.time() + 1)
    assert state(joko) == "away"
    assert paint().drivers[str(joko.pk)]["place"] is None


def test_a_search_is_shown_with_who_is_asked(dewi: User, putri: User) -> None:
    match = propose(dewi, putri)
    search = paint().searches[str(match.finder_id)]
    assert (search["name"], search["asked"], search["attempts"]) == ("Putri", 1, 1)
    assert search["place"] == (MONAS.latitude, MONAS.longitude)
    assert search["target"] == (BLOK_M.latitude, BLOK_M.longitude)
    assert search["since"] == pytest.approx(time.time(), abs=30)


def test_a_ride_is_shown_with_its_people_and_the_driven_part(dewi: User, putri: User) -> None:
    ride = start(dewi, putri)
    for metres in (10, 50, 100):
        drive(dewi, ride.pk, metres)
    now = paint()
    shown = now.rides[str(ride.pk)]
    assert (shown["name"], shown["passenger_name"], shown["state"]) == ("Dewi", "Putri", "riding")
    assert now.drivers[str(dewi.pk)]["ride"] == str(ride.pk)
    places = data_of(NOTHING, now)["tracks"][str(ride.pk)]
    driven = [round((latitude - MONAS.latitude) * 111195) for latitude, _ in places]
    assert driven == pytest.approx([0, 50, 100], abs=1)  # 10 m further is nothing one could see


def test_the_first_frame_has_everything_and_the_next_only_what_changed(dewi: User, putri: User, joko: User) -> None:
    painter = Painter()
    stand_by(joko)
    ride = start(dewi, putri)
    first = painter.paint()
    assert json.loads(frame(NOTHING, first))["type"] == "snapshot"
    assert {item["id"] for item in data_of(NOTHING, first)["drivers"]["set"]} == {str(dewi.pk), str(joko.pk)}
    drive(dewi, ride.pk, 100)
    second = painter.paint()
    data = data_of(first, second)
    assert json.loads(frame(first, second))["type"] == "delta"
    place = north_of(MONAS, 100)
    (moved,) = data["drivers"]["set"]
    assert moved["id"] == str(dewi.pk)
    assert moved["place"] == pytest.approx([place.latitude, place.longitude], abs=1e-5)
    assert moved.keys() <= {"id", "place", "seen"}
    assert data["tracks"] == {str(ride.pk): [moved["place"]]}
    assert data["rides"] == {"set": [], "gone": []}


def test_what_is_over_is_gone(dewi: User, putri: User) -> None:
    painter = Painter()
    match = propose(dewi, putri)
    first = painter.paint()
    finder_update(user_id=putri.pk, is_active=False)
    second = painter.paint()
    assert data_of(first, second)["searches"]["gone"] == [str(match.finder_id)]
    assert data_of(first, second)["drivers"]["set"][0]["state"] == "free"


def test_points_that_are_committed_late_are_not_missed(
    dewi: User, putri: User, joko: User, sari: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    late, early = start(dewi, putri), start(joko, sari)
    painter = Painter()
    first = painter.paint()
    drive(joko, early.pk, 300)
    TrackPoint.objects.filter(ride=early).order_by("-pk")[:1].get()
    waiting = TrackPoint.objects.create(
        ride=late, latitude=-6.17, longitude=106.83, timestamp=timezone.now(), accepted=False
    )
    drive(joko, early.pk, 600)
    second = painter.paint()
    TrackPoint.objects.filter(pk=waiting.pk).update(accepted=True)  # as if its transaction had ended only now
    third = painter.paint()
    assert len(data_of(first, second)["tracks"][str(early.pk)]) == 2
    assert data_of(second, third)["tracks"] == {str(late.pk): [[-6.17, 106.83]]}
    monkeypatch.setattr(picture, "SETTLING", 0.0)
    painter.paint()
    assert painter.paint().tracks[str(early.pk)][1] == 3


def test_the_figures_tell_connections_by_process_and_what_is_done_a_second(dewi: User, putri: User) -> None:
    for number, (user, process) in enumerate([(dewi, "web-1"), (putri, "web-1"), (putri, "web-2")]):
        one = make_user(f"+62812000001{number}", "X").pk
        presence().note([Presence(connection_id=one, user_id=one, role=user.role, process=process)])
    painter = Painter()
    assert painter.paint().figures["rates"] == {"frames_in": 0, "frames_out": 0, "errors": 0}
    for _ in range(1000):
        metrics.sent("error")
        metrics.refused("RATE_LIMIT")
    figures = painter.paint().figures
    assert figures["connections"] == {"passenger": 2, "driver": 1}
    assert figures["processes"] == {"web-1": 2, "web-2": 1}
    assert figures["rates"]["frames_in"] == 0
    assert figures["rates"]["frames_out"] == figures["rates"]["errors"] > 0


def test_the_figures_tell_the_rides_of_the_day(dewi: User, putri: User) -> None:
    backdate(start(dewi, putri), 60)
    assert paint().figures["day"] == {"ONGOING": 1}


def test_a_picture_takes_the_same_few_queries_for_any_number_of_people(
    dewi: User, putri: User, joko: User, sari: User, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    painter = Painter()
    with django_assert_num_queries(QUERIES):
        painter.paint()
    start(dewi, putri)
    propose(joko, sari)
    for number in range(5):
        stand_by(make_user(f"+62812000002{number}", "X", role="driver"))
    with django_assert_num_queries(QUERIES):
        painter.paint()
