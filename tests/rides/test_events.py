from datetime import UTC, datetime
from uuid import UUID

import pytest

from events.base import Event
from rides.events import EVENTS, BeaconUpdated, FinderUpdated, MatchFound, MatchRejected, RideCompleted
from rides.snapshots import payment_snapshot, ride_snapshot
from tests.cast import BLOK_M, MONAS, arrive
from users.models import User

D, P, M = (UUID(int=n) for n in (1, 2, 3))

CONTRACT = {
    "match.found": "match_proposal",
    "match.confirmed": "match_confirm",
    "match.accepted": "match_confirm",
    "match.rejected": "match_rejected",
    "ride.pickup": "ride_pickup",
    "ride.started": "ride_start",
    "ride.arrived": "ride_arrived",
    "ride.completed": "ride_completed",
    "ride.cancelled": "ride_cancelled",
    "payment.processed": "payment_process",
    "user.beacon": "beacon_update",
    "user.finder": "finder_update",
}


def test_every_subject_has_the_type_of_the_contract() -> None:
    found = {event.subject: event.type for event in EVENTS}
    assert len(found) == len(EVENTS)
    assert found.items() >= CONTRACT.items()


@pytest.mark.parametrize("event", EVENTS)
def test_every_event_says_what_it_means(event: type[Event]) -> None:
    assert event.__doc__


def test_a_proposal_is_for_both_and_for_as_long_as_it_can_be_answered() -> None:
    until = datetime(2026, 1, 31, 12, 0, tzinfo=UTC)
    event = MatchFound(
        match_id=M,
        driver_id=D,
        passenger_id=P,
        location=MONAS,
        driver_location=MONAS,
        target_location=BLOK_M,
        match_status="PENDING",
        distance_km=0.5,
        expires_at=until,
    )
    assert event.audience == (D, P)
    assert (event.key, event.valid_until) == (str(M), until)
    data = event.to_data()
    assert data["expires_at"] == "2026-01-31T12:00:00Z"
    assert data["location"] == {"latitude": MONAS.latitude, "longitude": MONAS.longitude}


def test_what_is_ones_own_is_told_to_nobody_else() -> None:
    assert BeaconUpdated(user_id=D, is_active=True).audience == (D,)
    ended = FinderUpdated(user_id=P, is_active=False, reason="no_driver")
    assert ended.to_data() == {"user_id": str(P), "is_active": False, "reason": "no_driver"}
    assert ended.key == str(P)


def test_a_rejection_does_not_expire() -> None:
    assert MatchRejected(match_id=M, driver_id=D, passenger_id=P, reason="taken").valid_until is None


def test_a_completed_ride_carries_ride_and_payment_and_nothing_else(dewi: User, putri: User) -> None:
    from rides.events import PaymentSnapshot, RideSnapshot
    from rides.snapshots import payment_fields, ride_fields

    ride = arrive(dewi, putri, tracked_km=1)
    event = RideCompleted(
        ride=RideSnapshot(**ride_fields(ride)), payment=PaymentSnapshot(**payment_fields(ride.payment, ride))
    )
    assert event.to_data() == {
        "ride": ride_snapshot(ride).to_data(),
        "payment": payment_snapshot(ride.payment, ride).to_data(),
    }
    assert event.audience == (dewi.pk, putri.pk)
    assert event.key == str(ride.pk)
