from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from io import StringIO

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone

from events.models import OutboxEvent
from rides.models import Finder, LedgerEntry, Match, Payment, Ride, TrackPoint
from rides.services.payments import payment_process
from rides.services.rides import ride_arrived, ride_cancel_by_staff
from rides.staff.audit import audit
from tests.cast import MONAS, backdate, book, drive, start
from users.models import User


def ride_to_the_end(driver: User, passenger: User) -> Ride:
    ride = start(driver, passenger)
    backdate(ride, 600)
    drive(ride, (2300, 500))
    ride_arrived(user_id=driver.pk, ride_id=ride.pk)
    payment_process(user_id=passenger.pk, ride_id=ride.pk, total_cost=6900, status="ACCEPTED")
    Ride.objects.filter(pk=ride.pk).update(created_at=ride.started_at)
    ride.refresh_from_db()
    return ride


@pytest.fixture
def ride(dewi: User, putri: User) -> Ride:
    """A ride that was paid; beside it one that goes on, and one that staff cancelled."""
    ride = ride_to_the_end(dewi, putri)
    ride_cancel_by_staff(ride_id=start(dewi, putri).pk)
    book(dewi, putri)
    OutboxEvent.objects.update(published_at=timezone.now())
    return ride


def test_good_books_are_found_good(ride: Ride) -> None:
    seen: list[int] = []
    assert list(audit(lambda: seen.append(1))) == []
    assert len(seen) == 1
    out = StringIO()
    call_command("audit", stdout=out)
    assert "Nothing is wrong with 1 rides" in out.getvalue()


def second_ride(ride: Ride) -> None:
    other = Ride.objects.filter(status="CANCELLED")
    assert ride.created_at
    other.update(created_at=ride.created_at + timedelta(seconds=1))


WRONGS: dict[str, Callable[[Ride], object]] = {
    "at once": second_ride,
    "the ledger has": lambda ride: LedgerEntry.objects.filter(ride=ride, cost=900).update(cost=901),
    "the ledger has 2.2": lambda ride: LedgerEntry.objects.filter(ride=ride, cost=900).update(
        distance_km=Decimal("0.2")
    ),
    "by its kept points": lambda ride: TrackPoint.objects.filter(ride=ride).update(latitude=MONAS.latitude),
    "nobody was asked": lambda ride: Payment.objects.filter(ride=ride).delete(),
    "paid without a completed": lambda ride: Payment.objects.filter(ride=ride).update(status="REJECTED"),
    "is not the cost": lambda ride: Payment.objects.filter(ride=ride).update(
        total_cost=6901, driver_payout=6901 - 345, admin_fee=345
    ),
    "accepted without a ride": lambda ride: Match.objects.filter(ride=ride).update(status="REJECTED"),
    "open while its passenger": lambda ride: Finder.objects.filter(
        pk=Match.objects.get(ride__status="PICKUP").finder_id
    ).update(status="OPEN"),
    "(ride.completed): broken": lambda _: OutboxEvent.objects.filter(subject="ride.completed").update(
        failed_at=timezone.now(), error="broken"
    ),
    "still waits": lambda _: OutboxEvent.objects.filter(subject="ride.completed").update(
        published_at=None, created_at=timezone.now() - timedelta(minutes=2)
    ),
}


@pytest.mark.parametrize("text", WRONGS)
def test_what_must_never_be_is_found(ride: Ride, text: str) -> None:
    WRONGS[text](ride)
    findings = list(audit())
    assert findings
    assert any(text in finding for finding in findings), findings
    with pytest.raises(CommandError, match="findings in"):
        call_command("audit", stdout=StringIO())
