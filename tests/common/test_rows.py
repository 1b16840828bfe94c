"""Rows that are written without the ORM's compiler."""

from datetime import timedelta
from decimal import Decimal
from typing import Any
from uuid import uuid4

import pytest
from django.db import DatabaseError, IntegrityError, transaction
from django.utils import timezone

from common.rows import PARAMETERS, insert_rows, update_row
from events.models import OutboxEvent
from rides.models import Beacon, Candidate, DeviceReceipt, LedgerEntry, Quote, Ride
from tests.cast import book, open_finder, propose
from users.models import User

pytestmark = pytest.mark.django_db


def event(n: int, **fields: Any) -> OutboxEvent:
    return OutboxEvent(
        key=f"k{n}", type="t", subject="s.s", data={"n": n, "é": None}, audience={str(n): None}, **fields
    )


def test_an_inserted_row_is_what_the_orm_would_have_saved(dewi: User, putri: User) -> None:
    """Numbers, texts, JSON, times, defaults of the model and of the database, nothing."""
    book(dewi, putri)
    ours = Ride.objects.get()
    read = {field.attname: getattr(ours, field.attname) for field in Ride._meta.concrete_fields}
    Ride.objects.all().delete()
    insert_rows([Ride(**read)])
    again = Ride.objects.get()
    assert {field.attname: getattr(again, field.attname) for field in Ride._meta.concrete_fields} == read
    insert_rows([LedgerEntry(ride=again, distance_km=Decimal("1.000000001"), cost=-3, created_at=again.created_at)])
    assert LedgerEntry.objects.get().distance_km == Decimal("1.000000001")
    insert_rows([Beacon(driver=putri, changed_at=again.created_at)])
    assert Beacon.objects.get(driver=putri).ignored_offers == 0


def test_rows_are_numbered_in_their_order(django_assert_num_queries: Any) -> None:
    """Also where they take several statements; each has its own key and the time at which it was written."""
    fields = len(OutboxEvent._meta.concrete_fields) - 1
    count = PARAMETERS // fields + 1
    with django_assert_num_queries(2):
        insert_rows([event(n) for n in range(count)])
    rows = list(OutboxEvent.objects.order_by("id"))
    assert [row.data["n"] for row in rows] == list(range(count))
    assert len({row.event_id for row in rows}) == count
    assert timezone.now() - rows[0].created_at < timedelta(minutes=1)


def test_nothing_is_inserted_for_nothing(django_assert_num_queries: Any) -> None:
    """Without a statement."""
    with django_assert_num_queries(0):
        insert_rows([])


def test_a_row_that_is_there_is_refused_or_replaced(dewi: User, putri: User) -> None:
    """A constraint of the database refuses it, unless it is to replace the row."""
    propose(dewi, putri)
    finder, now = open_finder(putri), timezone.now()
    row = {"finder": finder, "driver": dewi, "attempt": 7, "position_age_s": 0.5, "considered_at": now}
    insert_rows([Candidate(**row, distance_km=1.5, outcome="asked")])
    with pytest.raises(IntegrityError), transaction.atomic():
        insert_rows([Candidate(**row, distance_km=2.5, outcome="asked")])
    insert_rows([Candidate(**row, distance_km=3.5, outcome="blocked")], replaces=("finder", "attempt", "driver"))
    kept = Candidate.objects.get(finder=finder, attempt=7)
    assert (kept.distance_km, kept.outcome) == (3.5, "blocked")


def test_only_what_is_named_is_updated(dewi: User) -> None:
    """The rest stays as it is in the database, whatever the object says."""
    row = DeviceReceipt.objects.create(user=dewi, seq=1, received_at=timezone.now())
    before, row.seq, row.received_at = row.received_at, 2, row.received_at + timedelta(days=1)
    update_row(row, "seq")
    kept = DeviceReceipt.objects.get()
    assert (kept.seq, kept.received_at) == (2, before)


def test_a_row_that_is_gone_cannot_be_updated(dewi: User) -> None:
    """Like `save(update_fields=…)`."""
    with pytest.raises(DatabaseError, match="There is no Quote"):
        update_row(Quote(pk=uuid4(), total_cost=1), "total_cost")
