"""How many statements each command costs; what is new in one of them is a decision, and is seen here."""

from collections.abc import Callable
from itertools import count
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from realtime.models import CommandReceipt
from rides.geo import GeoPoint
from rides.models import Match, Ride
from tests.cast import BLOK_M, MONAS, backdate, connect, drive, make_driver, see, stand_by
from tests.realtime.commands.test_dispatch import send
from users.models import User

Spend = Callable[..., int]

pytestmark = pytest.mark.django_db(transaction=True)

LOCKS: dict[str, int] = {"one": 1, "search": 3}
"""What row locks cost beside on PostgreSQL. A search also locks the drivers it found, and reads of them once more."""


@pytest.fixture
def spend(settings: Any) -> Spend:
    """Send a command, and return how many statements it cost, without BEGIN and COMMIT; `locks` names its locks."""
    settings.SEARCH_FREE_CANCELS = 100  # as in production the cancelled rides of a driver are looked at
    numbers = count()

    def send_counted(user: User, kind: str, locks: str, **data: Any) -> int:
        with CaptureQueriesContext(connection) as captured:
            assert send(user, kind, data, str(next(numbers)))["type"] == "ack"
        said = [query["sql"] for query in captured.captured_queries]
        assert not [sql for sql in said if "SAVEPOINT" in sql]
        spent = sum(not sql.startswith(("BEGIN", "COMMIT")) for sql in said)
        return spent - (LOCKS[locks] if connection.features.has_select_for_update else 0)

    return send_counted


def place(point: GeoPoint) -> dict[str, float]:
    return {"latitude": point.latitude, "longitude": point.longitude}


TRIP = {"location": place(MONAS), "target_location": place(BLOK_M)}


def test_the_commands_of_a_ride_cost_few_statements(putri: User, sari: User, spend: Spend) -> None:
    """With five offers each time, of which four are rejected; the marks are those of docs/performance.md."""
    drivers = [make_driver(f"+62812000001{n:02}", f"Driver {n}") for n in range(6)]
    for driver in drivers:
        stand_by(driver)
    dewi = drivers[0]
    assert spend(dewi, "beacon_update", "one", is_active=False) == 5
    assert spend(dewi, "beacon_update", "one", is_active=True, **place(MONAS)) == 5
    assert spend(putri, "finder_update", "search", is_active=True, **TRIP) == 9
    assert Match.objects.filter(passenger=putri).count() == 5
    assert spend(putri, "finder_update", "one", is_active=False) == 7
    spend(putri, "finder_update", "search", is_active=True, **TRIP)
    match = Match.objects.filter(passenger=putri, status="PENDING").order_by("created_at")[0]
    driver = match.driver
    answer = {"match_id": str(match.pk), "accepted": True}
    assert spend(driver, "match_confirm", "one", **answer) == 8
    assert spend(putri, "match_confirm", "one", **answer) == 11
    ride = Ride.objects.get()
    see(putri, MONAS)
    assert spend(driver, "ride_start", "one", ride_id=str(ride.pk)) == 6
    ride.refresh_from_db()
    backdate(ride, 200)
    drive(ride, *((50 * n, 5 * n) for n in range(1, 21)))
    assert spend(driver, "ride_arrived", "one", ride_id=str(ride.pk)) == 8
    ride.refresh_from_db()
    pay = {"ride_id": str(ride.pk), "total_cost": ride.adjusted_cost, "status": "ACCEPTED"}
    assert spend(putri, "payment_process", "one", **pay) == 7
    assert spend(driver, "ride_rate", "one", ride_id=str(ride.pk), rating=5) == 7


def test_offers_to_others_are_rejected_by_one_statement(putri: User, sari: User, spend: Spend, settings: Any) -> None:
    """A driver with offers of two searches books one: the search of the other is woken by one statement more."""
    settings.MATCH_MAX_OPEN_OFFERS = 0
    dewi = make_driver("+6281200000190", "Dewi")
    stand_by(dewi)
    for passenger in (putri, sari):
        spend(passenger, "finder_update", "search", is_active=True, **TRIP)
    match = Match.objects.get(passenger=putri)
    spend(putri, "match_confirm", "one", match_id=str(match.pk), accepted=True)
    cost = spend(dewi, "match_confirm", "one", match_id=str(match.pk), accepted=True)
    assert Match.objects.get(passenger=sari).reason == "taken"
    assert cost == 15


def test_a_command_that_is_sent_again_costs_two_statements(dewi: User) -> None:
    """Its receipt is looked for, then read."""
    connect(dewi)
    send(dewi, "beacon_update", {"is_active": True}, "again")
    with CaptureQueriesContext(connection) as captured:
        assert send(dewi, "beacon_update", {"is_active": True}, "again")["type"] == "ack"
    assert sum(query["sql"].startswith("SELECT") for query in captured.captured_queries) == 2
    assert CommandReceipt.objects.count() == 1
