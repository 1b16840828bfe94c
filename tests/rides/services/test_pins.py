"""The PIN of a ride: only the passenger is shown it, and the driver needs it to start."""

from typing import Any

import pytest
from django.core.cache import cache

from common.errors import RateLimited, ValidationFailed
from events.models import OutboxEvent
from rides.models import Ride
from rides.selectors import user_state
from rides.services.pins import PAUSE, pin_make
from rides.services.rides import ride_start
from tests.cast import book
from users.models import User

pytestmark = pytest.mark.django_db


@pytest.fixture
def ride(dewi: User, putri: User, settings: Any) -> Ride:
    """A booked ride with a PIN."""
    settings.RIDE_PIN = True
    return book(dewi, putri)


def start(ride: Ride, pin: str | None) -> None:
    ride_start(user_id=ride.driver_id, ride_id=ride.pk, pin=pin)


def wrong(ride: Ride) -> str:
    """Another PIN."""
    return f"{(int(ride.pin) + 1) % 10_000:04}"


def test_the_right_pin_starts_the_ride(ride: Ride) -> None:
    """Four digits, as the passenger says them."""
    start(ride, ride.pin)
    assert Ride.objects.get().status == "ONGOING"


@pytest.mark.parametrize("kind", ["none", "wrong", "empty"])
def test_without_it_nothing_starts(ride: Ride, kind: str) -> None:
    """Neither without a PIN nor with another."""
    with pytest.raises(ValidationFailed) as caught:
        start(ride, {"none": None, "wrong": wrong(ride), "empty": ""}[kind])
    assert caught.value.field == "pin"
    assert Ride.objects.get().status == "PICKUP"


def test_five_wrong_ones_end_the_try_for_a_minute(ride: Ride) -> None:
    """Even the right one waits then; afterwards it is taken."""
    for _ in range(5):
        with pytest.raises(ValidationFailed):
            start(ride, wrong(ride))
    for pin in (wrong(ride), ride.pin):
        with pytest.raises(RateLimited) as caught:
            start(ride, pin)
        assert PAUSE - 5 < caught.value.retry_after <= PAUSE
    cache.set(f"pin-pause:{ride.pk}", 0.0)
    start(ride, ride.pin)


def test_asking_without_a_pin_costs_no_try(ride: Ride) -> None:
    """An app that does not know of PINs yet locks nobody out."""
    for _ in range(10):
        with pytest.raises(ValidationFailed):
            start(ride, None)
    start(ride, ride.pin)


def test_only_the_passenger_is_shown_it(ride: Ride, dewi: User, putri: User) -> None:
    """In `ride_pickup` and in the state; neither the driver nor the outbox nor another service has it."""
    event = OutboxEvent.objects.get(type="ride_pickup")
    assert event.audience[str(putri.pk)]["pin"] == ride.pin
    assert event.audience[str(dewi.pk)] is None
    assert "pin" not in event.data
    states = {user: user_state(user.pk, user.role).ride for user in (dewi, putri)}
    assert [state.pin if state else "no ride" for state in states.values()] == [None, ride.pin]


def test_it_is_gone_when_the_ride_has_started(ride: Ride, putri: User) -> None:
    """Nobody needs it any more."""
    start(ride, ride.pin)
    state = user_state(putri.pk, putri.role).ride
    assert state is not None
    assert state.pin is None


def test_without_pins_a_ride_starts_as_ever(dewi: User, putri: User) -> None:
    """Rides have none by default, and one that is sent anyway is of no matter."""
    ride = book(dewi, putri)
    assert ride.pin == ""
    assert OutboxEvent.objects.get(type="ride_pickup").audience[str(putri.pk)] is None
    start(ride, "1234")


def test_a_pin_is_four_digits(settings: Any) -> None:
    """Also those that begin with zeros."""
    settings.RIDE_PIN = True
    pins = {pin_make() for _ in range(200)}
    assert all(len(pin) == 4 and pin.isdecimal() for pin in pins)
    assert len(pins) > 150
