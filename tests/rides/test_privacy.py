"""What each side learns of the other before and after both have confirmed."""

from collections.abc import Callable
from typing import Any
from uuid import UUID

import pytest

from events.models import OutboxEvent
from rides.cells import cell_distance_km, cell_middle
from rides.geo import GeoPoint
from rides.models import Match, Ride
from rides.selectors import user_state
from rides.services.finders import finder_update
from rides.services.matches import match_confirm
from rides.services.rides import ride_cancel
from tests.api import as_user
from tests.cast import BLOK_M, MONAS, arrive, book, north_of, stand_by, start
from users.models import User

pytestmark = pytest.mark.django_db

PLACE = north_of(MONAS, 1234)


@pytest.fixture
def match(dewi: User, putri: User) -> Match:
    """An offer to a driver 1,234 m away."""
    stand_by(dewi, PLACE)
    finder_update(user_id=putri.pk, is_active=True, location=MONAS, target_location=BLOK_M)
    return Match.objects.get()


def point(data: dict[str, float]) -> GeoPoint:
    return GeoPoint(**data)


def seen(user: User, kind: str) -> dict[str, Any]:
    """The newest notification of a type as this user sees it."""
    event = OutboxEvent.objects.filter(type=kind).order_by("-id")[0]
    view = event.audience[str(user.pk)]
    data: dict[str, Any] = event.data if view is None else view
    return data


def offer_in_state(user: User) -> dict[str, Any]:
    return user_state(user.pk, user.role).proposals[0].to_data()


def test_a_passenger_sees_the_drivers_cell(match: Match, putri: User) -> None:
    """In the offer, in the confirmation by one side, and in the state; what is their own is exact."""
    match_confirm(user_id=match.driver_id, match_id=match.pk, accepted=True)
    for data in (seen(putri, "match_proposal"), seen(putri, "match_confirm"), offer_in_state(putri)):
        assert point(data["driver_location"]) == cell_middle(PLACE)
        assert (point(data["location"]), point(data["target_location"])) == (MONAS, BLOK_M)
        assert data["distance_km"] == cell_distance_km(PLACE, MONAS)
        assert data["eta_seconds"] % 60 == 0


def test_a_driver_sees_the_passengers_cells(match: Match, dewi: User) -> None:
    """Where somebody waits and wants to go is only roughly said before both have confirmed."""
    match_confirm(user_id=match.passenger_id, match_id=match.pk, accepted=True)
    for data in (seen(dewi, "match_proposal"), seen(dewi, "match_confirm"), offer_in_state(dewi)):
        assert point(data["driver_location"]) == PLACE
        assert point(data["location"]) == cell_middle(MONAS)
        assert point(data["target_location"]) == cell_middle(BLOK_M)
        assert data["distance_km"] == cell_distance_km(PLACE, MONAS)


def test_both_see_all_once_both_have_confirmed(match: Match, dewi: User, putri: User) -> None:
    """Then they have to find each other."""
    for user in (dewi, putri):
        match_confirm(user_id=user.pk, match_id=match.pk, accepted=True)
    for user in (dewi, putri):
        data = seen(user, "match_confirm")
        assert data["match_status"] == "ACCEPTED"
        assert (point(data["driver_location"]), point(data["location"])) == (PLACE, MONAS)
        assert data["distance_km"] == pytest.approx(1.234, abs=1e-4)
        assert point(seen(user, "ride_pickup")["driver_location"]) == PLACE


def test_no_view_has_a_place_of_the_other(match: Match, dewi: User, putri: User) -> None:
    """Nowhere in what is sent, whatever the field is called."""
    for user, secret in ((putri, PLACE), (dewi, MONAS)):
        text = str(seen(user, "match_proposal")) + str(offer_in_state(user))
        assert str(secret.latitude) not in text
        assert "1.23" not in text


def test_other_services_see_what_is_so(match: Match) -> None:
    """What goes over NATS is exact: a service that routes or prices needs it."""
    data = OutboxEvent.objects.get(type="match_proposal").data
    assert point(data["driver_location"]) == PLACE
    assert UUID(data["driver_id"]) == match.driver_id


def cancel(driver: User, passenger: User) -> Ride:
    ride = book(driver, passenger)
    ride_cancel(user_id=passenger.pk, ride_id=ride.pk)
    return ride


@pytest.mark.parametrize("end", [arrive, cancel])
def test_a_driver_forgets_the_door(dewi: User, putri: User, end: Callable[[User, User], Ride]) -> None:
    """Of a ride that is over the driver reads roughly where it was, in the list, in detail and in the state."""
    ride = end(dewi, putri)
    for user, places in ((dewi, (roughly(MONAS), roughly(BLOK_M))), (putri, (MONAS, BLOK_M))):
        client, state = as_user(user), user_state(user.pk, user.role)
        card = state.last_ride or state.ride
        assert card is not None
        [listed] = client.get("/api/rides/").json()["results"]
        for body in (listed, client.get(f"/api/rides/{ride.pk}/").json(), card.to_data()):
            assert (point(body["location"]), point(body["target_location"])) == places


def roughly(place: GeoPoint) -> GeoPoint:
    return GeoPoint(round(place.latitude, 3), round(place.longitude, 3))


def test_a_driver_on_a_ride_knows_the_door(dewi: User, putri: User) -> None:
    """Until it is over."""
    start(dewi, putri)
    ride = user_state(dewi.pk, dewi.role).ride
    assert ride is not None
    assert (ride.location, ride.target_location) == (MONAS, BLOK_M)
