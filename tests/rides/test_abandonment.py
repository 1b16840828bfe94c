"""Leaving a ride whose other side has vanished."""

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from common.errors import ValidationFailed
from rides.abandonment import abandonment, driver_heard_at
from rides.models import Payment, Ride, TrackPoint
from rides.positions import positions
from rides.selectors import ride_is_abandoned
from rides.services.finders import finder_update
from rides.services.rides import ride_cancel
from tests.cast import BLOK_M, MONAS, book, see, start, told
from users.models import User

pytestmark = pytest.mark.django_db


def fall_silent(ride: Ride, seconds: float) -> None:
    """Let nothing have been heard of the driver for so long."""
    then = timezone.now() - timedelta(seconds=seconds)
    Ride.objects.filter(pk=ride.pk).update(started_at=then)
    TrackPoint.objects.filter(ride=ride).update(timestamp=then, received_at=then)
    see(ride.driver_id, MONAS, seconds)
    ride.refresh_from_db()


def test_a_passenger_may_leave_a_silent_driver(dewi: User, putri: User) -> None:
    """After ten minutes, at no cost; support is asked to look, and the passenger may search again."""
    ride = start(dewi, putri)
    fall_silent(ride, 601)
    assert ride_is_abandoned(ride.pk, putri.pk)
    ride_cancel(user_id=putri.pk, ride_id=ride.pk, reason="Nobody drives.")
    ride.refresh_from_db()
    assert (ride.status, ride.cancelled_by, ride.needs_review) == ("CANCELLED", "passenger", "driver_silent")
    assert not Payment.objects.exists()
    assert told(dewi)[-1][1]["cancelled_by"] == "passenger"
    finder_update(user_id=putri.pk, is_active=True, location=MONAS, target_location=BLOK_M)


def test_not_before_the_time_is_over(dewi: User, putri: User) -> None:
    """A tunnel is no reason."""
    ride = start(dewi, putri)
    fall_silent(ride, 590)
    assert not ride_is_abandoned(ride.pk, putri.pk)
    with pytest.raises(ValidationFailed, match="ONGOING"):
        ride_cancel(user_id=putri.pk, ride_id=ride.pk)


def test_a_driver_may_not_leave_a_passenger_so(dewi: User, putri: User, tono: User) -> None:
    """The driver ends the ride by arriving, and a stranger does nothing."""
    ride = start(dewi, putri)
    fall_silent(ride, 9999)
    for user in (dewi, tono):
        with pytest.raises(ValidationFailed):
            ride_cancel(user_id=user.pk, ride_id=ride.pk)
    assert Ride.objects.get().status == "ONGOING"


@pytest.mark.parametrize("sign", ["position", "track"])
def test_any_sign_of_life_counts(dewi: User, putri: User, sign: str) -> None:
    """A position that is not in the track (yet), and a track after a restart that emptied the position store."""
    ride = start(dewi, putri)
    fall_silent(ride, 9999)
    now = timezone.now()
    if sign == "position":
        see(dewi, MONAS, 5)
    else:
        positions().forget(now.timestamp() + 1)
        TrackPoint.objects.filter(ride=ride).update(received_at=now - timedelta(seconds=5))
    assert timedelta(seconds=4) < now - driver_heard_at(ride, now) < timedelta(seconds=6)
    assert abandonment(ride, putri.pk, now) is None


def test_a_phone_ahead_of_time_keeps_nobody(dewi: User, putri: User) -> None:
    """A track from the future is no sign of life."""
    ride = start(dewi, putri)
    fall_silent(ride, 9999)
    TrackPoint.objects.filter(ride=ride).update(timestamp=timezone.now() + timedelta(hours=7))
    assert abandonment(ride, putri.pk, timezone.now()) == "driver_silent"


@pytest.mark.parametrize(("gone", "why"), [("dewi", "driver_deactivated"), ("putri", "passenger_deactivated")])
def test_either_side_may_leave_a_deactivated_one(dewi: User, putri: User, gone: str, why: str) -> None:
    """At once, and it is flagged."""
    ride = start(dewi, putri)
    left, stays = (dewi, putri) if gone == "dewi" else (putri, dewi)
    User.objects.filter(pk=left.pk).update(is_active=False)
    ride_cancel(user_id=stays.pk, ride_id=ride.pk)
    assert Ride.objects.get().needs_review == why


def test_only_a_ride_under_way_is_abandoned(dewi: User, putri: User, settings: Any) -> None:
    """Before the start anybody may cancel, and nothing is flagged."""
    settings.RIDE_SILENCE_TIMEOUT = timedelta(0)
    ride = book(dewi, putri)
    assert abandonment(ride, putri.pk, timezone.now()) is None
    ride_cancel(user_id=putri.pk, ride_id=ride.pk)
    assert Ride.objects.get().needs_review == ""
