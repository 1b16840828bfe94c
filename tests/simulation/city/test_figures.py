import pytest

from simulation.city.figures import Figure, figures, outcomes, usage
from simulation.city.record import Event, Facts, Fault, Record, Sample, Seen, Somebody
from tests.simulation.city.ride import NOW, honest, ride, say, tell, told


def values(record: Record, facts: Facts) -> dict[str, list[float]]:
    return {figure.name: figure.values for figure in figures(record, facts)}


def test_offers_are_timed_to_the_drivers_phone() -> None:
    """An offer counts from its row to the driver's phone; the passenger's phone and a second delivery do not count."""
    record, facts = honest()
    at = next(seen.at for seen in record.frames["Joko"] if seen.kind == "match_proposal")
    events = [Event(user, at - 0.25, "match_proposal", "m", until=at + 30) for user in ("d", "p")]
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


def test_usage_goes_on_through_restarts() -> None:
    """The processor of each process counts from its start, or the first look; memory at its most."""
    samples = [
        Sample(100, "web-1", 7, 5.0, 100), Sample(102, "web-1", 7, 6.0, 300), Sample(104, "web-1", 8, 0.5, 50),
        Sample(106, "web-1", 8, 1.5, 60), Sample(108, "web-1", 8, 1.0, 60), Sample(100, "nats", 9, 1.0, 10),
    ]  # fmt: skip
    nats, web = usage(samples)
    assert (web.target, web.cpu, web.share, web.memory) == ("web-1", 2.5, 2.5 / 8, 300)
    assert (nats.cpu, nats.share) == (0, 0)
    assert "2.5 s of processor (31% of one)" in str(web)


def test_recovery_is_the_longest_wait_around_a_fault() -> None:
    """Commands sent during a fault or right after it count, by what happened to which kind of process."""
    record = Record()
    record.people = honest()[0].people
    for number, delay in enumerate([0.1, 3.0, 0.2]):
        data = {"ride_id": f"r{number}"}
        said = {"type": "ride_start", "data": data, "id": f"c{number}"}
        record.frames["Joko"].append(Seen(NOW + 10 * number, "->", said))
        record.frames["Putri"].append(Seen(NOW + 10 * number + delay, "<-", told("ride_start", number, data)))
    faults = [Fault(NOW + 9, NOW + 10, "web-2", "kill"), Fault(NOW + 19, NOW + 21, "web-1", "kill")]
    found = values(record, Facts(faults=[*faults, Fault(NOW + 50, NOW + 51, "nats", "freeze")]))
    assert found["recovery after kill of web"] == [pytest.approx(3), pytest.approx(0.2)]
    assert not any("nats" in name for name in found)


def test_supply_is_counted_when_a_search_begins() -> None:
    """With the one driver on a ride there is nobody free for a search; with him free there is one for each."""
    record, facts = honest()
    assert len(values(record, facts)["time to a driver, fewer than 2"]) == 1
    record.people |= {f"d{n}": Somebody(f"d{n}", f"d{n}", f"D{n}", f"+62813{n:08}", is_driver=True) for n in range(3)}
    assert len(values(record, facts)["time to a driver, 2 to 10"]) == 1


def test_a_line_has_the_tail() -> None:
    """A figure says its median and how bad it gets."""
    assert str(Figure("f", "ms", "", [float(n) for n in range(1, 1001)])) == (
        "f: p50 501, p99 991, p99.9 1000 ms (1000 times)"
    )
