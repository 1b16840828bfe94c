from datetime import timedelta
from typing import Any

import pytest
from django.db.models import F
from django.utils import timezone

from common.errors import Conflict, Unauthorized
from events.models import OutboxEvent
from rides.models import Ride, TrackPoint
from rides.services.payments import payment_process
from rides.staff.audit import audit
from tests.cast import arrive, book, propose, told_types
from users.models import Erasure, User
from users.services import account_erase, erasure_steps, expiry_steps
from users.tokens import authenticate, tokens_issue


def ride_paid(driver: User, passenger: User) -> Ride:
    ride = arrive(driver, passenger)
    payment_process(user_id=passenger.pk, ride_id=ride.pk, total_cost=0, status="ACCEPTED")
    return ride


def test_an_account_ends_at_once_and_its_traces_later(dewi: User, putri: User) -> None:
    """Tokens end in the transaction; tracks and events go in steps, and the books still add up."""
    ride = ride_paid(dewi, putri)
    token = tokens_issue(putri)["access"]
    account_erase(user_id=putri.pk)
    with pytest.raises(Unauthorized):
        authenticate(token)
    assert TrackPoint.objects.exists()
    OutboxEvent.objects.update(published_at=timezone.now())
    for _ in erasure_steps():
        pass
    assert not TrackPoint.objects.exists()
    assert not any(str(putri.pk) in event.audience for event in OutboxEvent.objects.all())
    assert list(audit()) == []
    ride.refresh_from_db()
    assert (ride.status, ride.passenger_id) == ("COMPLETED", putri.pk)


def test_an_erasure_ends_once_everything_was_delivered(putri: User) -> None:
    """It is repeated for ten minutes, because events that wait for their delivery cannot be removed."""
    account_erase(user_id=putri.pk)
    list(erasure_steps())
    assert OutboxEvent.objects.exists()
    assert Erasure.objects.get().finished_at is None
    OutboxEvent.objects.update(published_at=timezone.now())
    Erasure.objects.update(requested_at=F("requested_at") - timedelta(minutes=11))
    list(erasure_steps())
    assert not OutboxEvent.objects.exists()
    assert Erasure.objects.get().finished_at is not None
    assert list(erasure_steps()) == []


def test_nobody_leaves_during_a_ride_or_without_paying(dewi: User, putri: User) -> None:
    """Neither side ends its account while the ride needs it."""
    book(dewi, putri)
    for user in (dewi, putri):
        with pytest.raises(Conflict):
            account_erase(user_id=user.pk)
    ride = Ride.objects.get()
    Ride.objects.update(status="ARRIVED")
    for user in (dewi, putri):
        with pytest.raises(Conflict):
            account_erase(user_id=user.pk)
    Ride.objects.filter(pk=ride.pk).update(status="COMPLETED")
    account_erase(user_id=putri.pk)


def test_open_offers_end_with_the_account(dewi: User, putri: User) -> None:
    """The other side hears that the offer is cancelled."""
    propose(dewi, putri)
    account_erase(user_id=putri.pk)
    assert told_types(dewi)[-1] == "match_rejected"


@pytest.mark.django_db(transaction=True)
def test_no_step_holds_the_database_for_long(dewi: User, putri: User, settings: Any) -> None:
    """Each transaction changes a bounded number of rows, however many are due."""
    ride = ride_paid(dewi, putri)
    now = timezone.now()
    point = {"latitude": 1.0, "longitude": 1.0, "timestamp": now, "accepted": True}
    TrackPoint.objects.bulk_create([TrackPoint(ride=ride, **point) for _ in range(1000)], batch_size=500)
    Ride.objects.update(created_at=now - settings.TRACK_RETENTION - timedelta(days=1))
    before, steps = TrackPoint.objects.count(), 0
    for _ in expiry_steps():
        left = TrackPoint.objects.count()
        assert before - left <= 200
        before, steps = left, steps + 1
    assert (before, steps >= 5) == (0, True)
