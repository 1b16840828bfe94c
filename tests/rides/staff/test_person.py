from types import SimpleNamespace
from typing import Any

from rides.staff import person
from tests.cast import arrive, propose, stand_by
from users.models import User
from users.staff.panels import Panel

REQUEST: Any = SimpleNamespace(user=SimpleNamespace(has_perm=lambda _permission: True))
NOBODY: Any = SimpleNamespace(user=SimpleNamespace(has_perm=lambda _permission: False))


def facts(user: User) -> dict[str, str]:
    [panel] = person.now(user, REQUEST)
    return {name: cell.text for name, cell in panel.facts}


def test_nothing_is_happening_to_a_stranger(tono: User) -> None:
    """The panel says so."""
    [panel] = person.now(tono, REQUEST)
    assert (panel.facts, panel.empty) == ([], "Nothing is happening.")


def test_what_is_happening_to_a_driver_and_a_passenger(dewi: User, putri: User) -> None:
    """Beacon and position of one, search of the other, then the ride of both."""
    stand_by(dewi, age=5)
    assert set(facts(dewi)) == {"Beacon", "Position"}
    assert (facts(dewi)["Beacon"], facts(dewi)["Position"]) == ("on", "5 s ago")
    arrive(dewi, putri)
    assert facts(putri)["Ride"] == "Arrived"
    assert facts(putri)["Payment due"] == "Rp 0"


def test_the_last_rides_and_searches(dewi: User, putri: User, tono: User) -> None:
    """The newest first, with the other party; a driver has no searches."""
    propose(dewi, putri)
    [searches] = person.searches(putri, REQUEST)
    assert searches.lines[0][1].text == "Open"
    assert list(person.searches(dewi, REQUEST)) == []
    [none] = person.rides(tono, REQUEST)
    assert none.lines == []


def test_a_detour_and_a_second_payment_are_seen_at_once(dewi: User, putri: User) -> None:
    """The driven distance stands beside the direct one; each payment leads to itself and to its ride."""
    ride = arrive(dewi, putri, tracked_km=2.5)
    [rides] = person.rides(putri, REQUEST)
    line = dict(zip(rides.columns, rides.lines[0], strict=True))
    assert (line["Driven"].text, line["Direct"].text) == ("2.500 km", "8.292 km")
    [payments] = person.payments(putri, REQUEST)
    line = dict(zip(payments.columns, payments.lines[0], strict=True))
    assert (line["Amount"].text, line["Status"].text, line["Paid"].text) == ("Rp 7.500", "Pending", "")
    assert str(ride.pk) in line["Ride"].link
    assert str(ride.payment.pk) in line["Asked"].link
    assert list(person.payments(dewi, REQUEST)) == []


def test_without_the_permission_there_is_nothing(putri: User) -> None:
    """No panel, not even an empty one."""
    panels: list[Panel] = [*person.now(putri, NOBODY), *person.rides(putri, NOBODY), *person.searches(putri, NOBODY)]
    panels += person.payments(putri, NOBODY)
    assert panels == []
