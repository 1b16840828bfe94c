from datetime import timedelta

import pytest
from django.utils import timezone

from rides.models import LedgerEntry
from rides.services.payments import payment_process
from rides.services.rides import ride_arrived
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
    facts = Reader(since).read(users, {str(ride.pk): Driven(2.3)})
    assert [(f.status, f.total_cost, f.true_km, f.payments) for f in facts.rides] == [
        ("COMPLETED", 6900, 2.3, (("ACCEPTED", 6900),))
    ]
    assert check(Record(), facts) == []
    LedgerEntry.objects.create(ride=ride, distance_km=0, cost=6900, created_at=timezone.now())
    assert [violation.rule for violation in check(Record(), Reader(since).read(users, {}))] == ["books"]


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
