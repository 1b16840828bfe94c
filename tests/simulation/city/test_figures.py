import pytest

from simulation.city.figures import figures, outcomes
from simulation.city.record import Event, Facts, Record, Seen
from tests.simulation.city.ride import NOW, honest, ride, say, tell, told


def values(record: Record, facts: Facts) -> dict[str, list[float]]:
    return {figure.name: figure.values for figure in figures(record, facts)}


def test_offers_are_timed_to_the_drivers_phone() -> None:
    """An offer counts from its row to the driver's phone; the passenger's phone and a second delivery do not count."""
    record, facts = honest()
    at = next(seen.at for seen in record.frames["Joko"] if seen.kind == "match_proposal")
    events = [Event(user, at - 0.25, "match_proposal", "m", is_sure=False) for user in ("d", "p")]
    tell(record, "Joko", told("match_proposal", 8, {"match_id": "m"}))
    assert values(record, Facts([], events))["offer to device"] == [pytest.approx(250, abs=1)]
    assert values(record, facts)["offer to device"] == []


def test_presses_are_timed_to_the_other_screen() -> None:
    """A command counts until the other party is shown it; what one's own screen shows does not."""
    record = Record()
    record.people = honest()[0].people
    say(record, "Joko", "ride_start", {"ride_id": "r1"}, "c")
    tell(record, "Joko", told("ride_start", 1, {"ride_id": "r1"}))
    record.frames["Putri"].append(Seen(NOW + 0.5, "<-", told("ride_start", 1, {"ride_id": "r1"})))
    assert values(record, Facts())["press to screen"] == [pytest.approx(500, abs=1)]


def test_fares_and_searches() -> None:
    """The fare's error is a share of the road, and a search counts when it found a driver."""
    record, facts = honest()
    found = values(record, facts)
    assert found["fare error"] == [pytest.approx(0.03 / 2.03 * 100)]
    assert len(found["time to a driver"]) == 1
    assert values(record, Facts([ride(true_km=None)]))["fare error"] == []
    assert outcomes(Facts([ride(), ride(), ride(status="CANCELLED")])) == {"COMPLETED": 2, "CANCELLED": 1}
