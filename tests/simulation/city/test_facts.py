from datetime import timedelta

import pytest
from django.utils import timezone

from rides.models import LedgerEntry, Ride
from rides.services.payments import payment_process
from rides.services.rides import ride_arrived
from simulation.city import facts
from simulation.city.facts import Reader
from simulation.city.invariants import check
from simulation.city.record import Driven, Record
from tests.cast import backdate, drive, start
from users.models import User

pytestmark = pytest.mark.django_db
AN_HOUR = timedelta(hours=1)


def test_the_books_are_read(dewi: User, putri: User) -> None:
    """A ride that was paid comes with its road, ledger and payment; a double entry in the ledger is a violation."""
    ride = start(dewi, putri)
    backdate(ride, 600)
    drive(ride, (2300, 500))
    ride_arrived(user_id=dewi.pk, ride_id=ride.pk)
    payment_process(user_id=putri.pk, ride_id=ride.pk, total_cost=6900, status="ACCEPTED")
    users, since = {str(dewi.pk), str(putri.pk)}, timezone.now() - AN_HOUR
    found = Reader(since).read(users, {str(ride.pk): Driven(2.3)})
    assert [(f.status, f.total_cost, f.true_km, f.payments) for f in found.rides] == [
        ("COMPLETED", 6900, 2.3, (("ACCEPTED", 6900),))
    ]
    assert check(Record(), found) == []
    LedgerEntry.objects.create(ride=ride, distance_km=0, cost=1, created_at=timezone.now())
    assert [violation.rule for violation in check(Record(), Reader(since).read(users, {}))] == ["books"]


def test_rides_that_are_over_are_read_once_more_in_the_end(
    dewi: User, putri: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While a run lasts only what goes on is read again; in the end everything, so that nothing is booked unseen."""
    monkeypatch.setattr(facts, "OVERLAP", timedelta())
    ride = start(dewi, putri)
    users, reader = {str(dewi.pk), str(putri.pk)}, Reader(timezone.now() - AN_HOUR)

    def statuses(*, is_over: bool) -> list[str]:
        return [fact.status for fact in reader.read(users, {}, is_over=is_over).rides]

    assert statuses(is_over=False) == ["ONGOING"]
    ride_arrived(user_id=dewi.pk, ride_id=ride.pk)
    assert statuses(is_over=False) == ["ARRIVED"]
    Ride.objects.filter(pk=ride.pk).update(status="CANCELLED", cancelled_at=timezone.now() - AN_HOUR / 2)
    assert statuses(is_over=False) == ["ARRIVED"]  # as if it had ended before the last look
    assert statuses(is_over=True) == ["CANCELLED"]


def test_events_are_those_of_phones(dewi: User, putri: User) -> None:
    """Each person's notifications are expected, offers only perhaps; strangers' and older ones are not looked at."""
    ride = start(dewi, putri)
    since = timezone.now() - AN_HOUR
    reader = Reader(since)
    events = reader.read({str(dewi.pk)}, {}).events
    assert {event.user_id for event in events} == {str(dewi.pk)}
    assert {event.kind for event in events} >= {"match_proposal", "ride_pickup", "ride_start"}
    assert {event.ref for event in events if event.kind == "ride_start"} == {str(ride.pk)}
    assert all((event.until is not None) == (event.kind == "match_proposal") for event in events)
    assert reader.read({str(dewi.pk)}, {}).events == []  # each is told once
    assert Reader(timezone.now() + AN_HOUR).read({str(dewi.pk)}, {}).events == []
