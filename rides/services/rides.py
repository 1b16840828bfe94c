"""A ride from the pick-up to its end."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from typing import Literal
from uuid import UUID

from django.conf import settings
from django.db import transaction
from django.db.models import Q, QuerySet

from common import clock
from common.errors import CommonReason, ValidationFailed
from common.prepared import PreparedObjects
from common.rows import insert_rows, update_row
from common.text import in_one_line
from events.outbox import emit
from rides.abandonment import abandonment
from rides.events import PaymentProcessed, RideArrived, RideCancelled, RideStarted
from rides.fares.tariff import share
from rides.gateways import payment_url
from rides.geo import GeoPoint, distance_km
from rides.metering.fixes import Fix
from rides.metering.whereabouts import is_near
from rides.models import PASSENGER_BUSY, Payment, PaymentStatus, Ride, RideStatus
from rides.positions import Position, positions
from rides.reasons import RideReason
from rides.services.fares import SETTLED, ride_settle
from rides.services.locking import lock_ride
from rides.services.pins import pin_check
from rides.services.tracks import track_begin
from rides.snapshots import payment_fields, ride_fields
from users.models import User

Side = Literal["driver", "passenger", "staff", "system"]
NOT_YOURS = "There is no such ride of yours."
STAFF_CANCELS = (RideStatus.PICKUP, RideStatus.ONGOING, RideStatus.ARRIVED)


@transaction.atomic(savepoint=False)
def ride_start(
    *,
    user_id: UUID,
    ride_id: UUID,
    latitude: float | None = None,
    longitude: float | None = None,
    pin: str | None = None,
) -> None:
    """Take the passenger on board.

    Both must be within 100 m of each other by their last known positions; the coordinates in the frame do not count.
    The fare begins at the driver's known position. A ride with a PIN needs it (`RIDE_PIN`).
    """
    ride = own_ride(user_id, ride_id, "driver")
    require_status(ride, RideStatus.PICKUP, "started")
    start = _meeting_point(ride)
    pin_check(ride, pin)
    now = clock.now()
    ride.status = RideStatus.ONGOING
    ride.started_at = now
    track_begin(ride, start, now)
    update_row(ride, "status", "started_at", "progress", "kept_points")
    emit(RideStarted(**ride_fields(ride)))


@transaction.atomic(savepoint=False)
def ride_arrived(*, user_id: UUID, ride_id: UUID, adjustment_factor: float = 1.0) -> None:
    """End the drive: book the rest of the distance, apply the driver's adjustment and ask for payment.

    The caller has flushed the track that the phone has reported so far (`tracks_record`).
    """
    ride = own_ride(user_id, ride_id, "driver")
    require_status(ride, RideStatus.ONGOING, "ended")
    _arrive(ride, adjustment_factor)


@transaction.atomic
def ride_finish_by_staff(*, ride_id: UUID) -> None:
    """End a drive at what was driven so far, as the driver would, for a driver who cannot."""
    ride = ride_locked(ride_id)
    require_status(ride, RideStatus.ONGOING, "finished")
    _arrive(ride, 1.0)


@transaction.atomic
def ride_review(*, ride_id: UUID, seen: str) -> bool:
    """Note that staff have looked at a flagged ride. Return False, and change nothing, for other flags than `seen`."""
    return bool(seen) and Ride.objects.filter(pk=ride_id, needs_review=seen).update(needs_review="") == 1


@transaction.atomic(savepoint=False)
def ride_cancel(*, user_id: UUID, ride_id: UUID, reason: str = "") -> None:
    """Cancel a ride before it has started; both sides may.

    A ride that is under way may be left when the other side has vanished (`rides.abandonment`): it costs nothing, and
    support is asked to look at it.
    """
    ride = own_ride(user_id, ride_id, "driver", "passenger")
    left = abandonment(ride, user_id, clock.now())
    if left is None:
        require_status(ride, RideStatus.PICKUP, "cancelled")
    ride.needs_review = left or ""
    _cancel(ride, "driver" if user_id == ride.driver_id else "passenger", reason)


@transaction.atomic
def ride_cancel_by_staff(*, ride_id: UUID, reason: str = "") -> None:
    """Cancel a ride at any time before it is paid; a pending payment is cancelled with it.

    Raises `ValidationFailed` when the ride is over.
    """
    ride = ride_locked(ride_id)
    if ride.status not in STAFF_CANCELS:
        raise ValidationFailed(
            f"The ride is {ride.status} and cannot be cancelled.", reason=RideReason.WRONG_RIDE_STATUS, field="ride_id"
        )
    payment = Payment.objects.filter(ride=ride, status=PaymentStatus.PENDING).first()
    if payment is not None:
        payment.status = PaymentStatus.REJECTED
        payment.processed_at = clock.now()
        payment.save(update_fields=["status", "processed_at"])
        emit(PaymentProcessed(**payment_fields(payment, ride)))
    _cancel(ride, "staff", reason)


@transaction.atomic
def ride_cancel_overdue(*, ride_id: UUID) -> bool:
    """Cancel a ride that has not started within `PICKUP_TIMEOUT`; return False when it has."""
    ride = ride_locked(ride_id)
    if ride.status != RideStatus.PICKUP or clock.now() - ride.created_at < settings.PICKUP_TIMEOUT:
        return False
    _cancel(ride, "system", "The ride did not start in time.")
    return True


def pickups_cancel(user_id: UUID, reason: str) -> None:
    """Cancel the booked rides of a user that have not started, within the caller's transaction."""
    for ride in Ride.objects.filter(Q(driver=user_id) | Q(passenger=user_id), status=RideStatus.PICKUP):
        _cancel(ride, "system", reason)


def own_ride(user_id: UUID, ride_id: UUID, *sides: str) -> Ride:
    """Return a ride in which the user is one of `sides` (`driver`, `passenger`), with both parties locked.

    Raises `ValidationFailed`, in the same words for a ride that does not exist and one of other people.
    """
    lock_ride(ride_id, user_id)
    ride = _OWN.one(ride_id, user_id)
    if ride is None or user_id not in [getattr(ride, f"{side}_id") for side in sides] or _is_hidden(ride, user_id):
        raise ValidationFailed(NOT_YOURS, reason=CommonReason.NOT_FOUND, field="ride_id")
    return ride


def _is_hidden(ride: Ride, user_id: UUID) -> bool:
    """Whether a ride is over and was one of an earlier owner of the user's number."""
    is_over = ride.status not in PASSENGER_BUSY
    return is_over and User.objects.filter(pk=user_id, history_from__gt=ride.created_at).exists()


def require_status(ride: Ride, status: RideStatus, verb: str) -> None:
    """Raise `ValidationFailed` unless the ride has this status."""
    if ride.status != status:
        raise ValidationFailed(
            f"A ride that is {ride.status} cannot be {verb}; it must be {status}.",
            reason=RideReason.WRONG_RIDE_STATUS,
            field="ride_id",
        )


def ride_locked(ride_id: UUID) -> Ride:
    """Return any ride, with both parties locked; raises `ValidationFailed` when there is none."""
    lock_ride(ride_id)
    ride = _RIDE.one(ride_id)
    if ride is None:
        raise ValidationFailed("There is no such ride.", reason=CommonReason.NOT_FOUND, field="ride_id")
    return ride


def _with_match(ride_id: UUID) -> QuerySet[Ride]:
    """Return a ride with the places that its events show, its row locked: `tracks_record` locks that alone."""
    return Ride.objects.select_related("match").select_for_update(of=("self",)).filter(pk=ride_id).order_by()


_RIDE = PreparedObjects(UUID, build=_with_match)
_OWN = PreparedObjects(
    UUID, UUID, build=lambda pk, user: _with_match(pk).filter(Q(driver_id=user) | Q(passenger_id=user))
)


def _arrive(ride: Ride, adjustment_factor: float) -> None:
    """Settle the fare, and ask for the payment."""
    now = clock.now()
    ride_settle(ride, now)
    shares = share(ride.total_cost, Decimal(str(adjustment_factor)), settings.PRICING_ADMIN_FEE_PERCENT)
    ride.status = RideStatus.ARRIVED
    ride.arrived_at = now
    ride.adjustment_factor = adjustment_factor
    ride.adjusted_cost = shares.adjusted_cost
    update_row(ride, *SETTLED, "status", "arrived_at", "adjustment_factor", "adjusted_cost")
    payment = Payment(
        ride=ride,
        total_cost=shares.adjusted_cost,
        admin_fee=shares.admin_fee,
        driver_payout=shares.driver_payout,
        created_at=now,
    )
    payment.qr_code_url = payment_url(payment.pk, payment.total_cost)
    insert_rows([payment])
    emit(RideArrived(**ride_fields(ride)), PaymentProcessed(**payment_fields(payment, ride)))


def _cancel(ride: Ride, by: Side, reason: str) -> None:
    reason = in_one_line(reason)
    ride.status = RideStatus.CANCELLED
    ride.cancelled_by = by
    ride.cancel_reason = reason
    ride.cancelled_at = clock.now()
    update_row(ride, "status", "needs_review", "cancelled_by", "cancel_reason", "cancelled_at")
    emit(
        RideCancelled(
            ride_id=ride.pk,
            driver_id=ride.driver_id,
            passenger_id=ride.passenger_id,
            cancelled_by=by,
            reason=reason,
        )
    )


def _meeting_point(ride: Ride) -> Fix:
    """Return the driver's fix beside the passenger; raise `ValidationFailed` when they are not there.

    Of each side the last fix beyond doubt counts, and the newest where the phone may have been lost before: so a single
    wrong fix neither starts a ride nor prevents it.
    """
    driver = _recent(positions().last(ride.driver_id))
    if driver is None:
        seconds = settings.LOCATION_MAX_AGE.total_seconds()
        raise ValidationFailed(
            f"Your position is not known: send location_update first (at most {seconds:g} s old).",
            reason=RideReason.POSITION_UNKNOWN,
        )
    passenger = _recent(positions().last(ride.passenger_id))
    places = [_point(fix) for fix in _candidates(passenger)] if passenger else [ride.match.location]
    metres, start = min(
        ((distance_km(_point(fix), place) * 1000, fix) for fix in _candidates(driver) for place in places),
        key=lambda pair: pair[0],
    )
    if metres > settings.RIDES_START_DISTANCE_M:
        limit = settings.RIDES_START_DISTANCE_M
        raise ValidationFailed(
            f"You are {metres:.0f} m from the passenger; the limit is {limit} m.", reason=RideReason.TOO_FAR_AWAY
        )
    return start


def _candidates(position: Position) -> Iterator[Fix]:
    sighting = position.where.sighting
    yield position.where.fix
    yield sighting.fix
    if sighting.refused is not None and sighting.refused_at >= sighting.at and is_near(sighting.fix, sighting.refused):
        yield sighting.refused


def _point(fix: Fix) -> GeoPoint:
    return GeoPoint(fix.latitude, fix.longitude)


def _recent(position: Position | None) -> Position | None:
    oldest = clock.timestamp() - settings.LOCATION_MAX_AGE.total_seconds()
    return position if position and position.made_at >= oldest else None
