"""What an attempt of a search costs the database: bounded, whatever the town and its history are like."""

from __future__ import annotations

from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from rides.services.finders import finder_continue, finder_update
from tests.cast import BLOK_M, MONAS, make_driver, north_of, open_finder, stand_by
from users.models import User

WRITES = ("INSERT", "UPDATE", "DELETE")
NOBODY = (14, 4)
"""Statements, and writes among them, of a search with its first attempt where no driver is around."""
SOMEBODY = (24, 5)
"""And where there are drivers, before their offers."""
OFFER = 2
"""And of each offer: the match and its event, both written."""


def cost_of_search(passenger: User) -> tuple[int, int]:
    """Begin a search; return its statements and its writes."""
    with CaptureQueriesContext(connection) as queries:
        finder_update(user_id=passenger.pk, is_active=True, location=MONAS, target_location=BLOK_M)
    statements = [query["sql"] for query in queries if not query["sql"].startswith(("SAVEPOINT", "RELEASE", "BEGIN"))]
    return len(statements), sum(sql.startswith(WRITES) for sql in statements)


def end_search(passenger: User) -> None:
    finder_update(user_id=passenger.pk, is_active=False)


@pytest.mark.parametrize("drivers", [0, 1, 5, 40])
def test_the_town_does_not_count(putri: User, drivers: int) -> None:
    """Each offer costs the same; the drivers who get none cost nothing."""
    for number in range(drivers):
        stand_by(make_driver(f"+62812000003{number:02}", f"Driver {number}"), north_of(MONAS, 10 + number))
    statements, writes = cost_of_search(putri)
    offers = min(drivers, 5)
    begin = SOMEBODY if drivers else NOBODY
    assert (statements, writes) <= (begin[0] + offers * OFFER, begin[1] + offers * OFFER)
    assert writes <= begin[1] + offers * OFFER


def test_history_does_not_count(putri: User) -> None:
    """The twentieth search costs what the first one does, and so does the next attempt of it."""
    for number in range(6):
        stand_by(make_driver(f"+62812000003{number:02}", f"Driver {number}"), north_of(MONAS, 10 + number))
    costs: list[Any] = []
    for _ in range(20):
        costs.append(cost_of_search(putri))
        end_search(putri)
    assert max(costs) == costs[0]


def test_a_look_within_an_attempt_costs_less(putri: User) -> None:
    """Where nobody is found there is nothing to write but when to look again."""
    finder_update(user_id=putri.pk, is_active=True, location=MONAS, target_location=BLOK_M)
    finder = open_finder(putri)
    finder.due_at = finder.created_at
    finder.save(update_fields=["due_at"])
    with CaptureQueriesContext(connection) as queries:
        finder_continue(finder_id=finder.pk)
    statements = [query["sql"] for query in queries if not query["sql"].startswith(("SAVEPOINT", "RELEASE", "BEGIN"))]
    assert len(statements) <= NOBODY[0]
    assert sum(sql.startswith(WRITES) for sql in statements) == 1
