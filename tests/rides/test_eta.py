"""The time to a pick-up."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any, ClassVar
from urllib.parse import unquote

import pytest

from rides.cells import cell_middle
from rides.eta import GreatCircleETA, Way, _client, eta_seconds, route_between
from rides.geo import GeoPoint, distance_km
from tests.cast import MONAS, north_of


class Slow:
    """An engine that says what it was asked."""

    def seconds(self, origins: Sequence[GeoPoint], destination: GeoPoint) -> Sequence[float]:
        assert all(cell_middle(place) == place for place in (*origins, destination))
        return [61, 3600][: len(origins)]


class Broken:
    """An engine that is down."""

    def seconds(self, origins: Sequence[GeoPoint], destination: GeoPoint) -> Sequence[float]:
        raise TimeoutError("no route")

    def way(self, origin: GeoPoint, destination: GeoPoint) -> Way:
        raise TimeoutError("no route")


def test_the_great_circle_is_made_longer_by_the_detour() -> None:
    """25 km/h over 1.4 times the distance: a kilometre takes 201.6 s."""
    [seconds] = GreatCircleETA().seconds([north_of(MONAS, 1000)], MONAS)
    assert seconds == pytest.approx(201.6, rel=1e-4)


def test_times_are_whole_minutes_and_never_none() -> None:
    """Rounded up, and at least one: `0 min` is said of nobody."""
    assert eta_seconds([MONAS, north_of(MONAS, 3000)], MONAS)[0] == 60
    assert all(seconds % 60 == 0 for seconds in eta_seconds([north_of(MONAS, n * 333) for n in range(9)], MONAS))
    assert eta_seconds([], MONAS) == []


def test_they_tell_no_more_than_the_cells() -> None:
    """Anywhere in a cell takes as long as its middle."""
    middle = cell_middle(MONAS)
    places = [north_of(middle, metres) for metres in (-240, -100, 0, 240)]
    assert len(set(eta_seconds(places, north_of(middle, 2000)))) == 1


def test_another_engine_is_a_dotted_path(settings: Any) -> None:
    """It is asked once for all, with cells."""
    settings.ETA_BACKEND = "tests.rides.test_eta.Slow"
    assert eta_seconds([MONAS, MONAS], MONAS) == [120, 3600]


def test_an_engine_that_is_down_stops_no_offer(settings: Any, caplog: pytest.LogCaptureFixture) -> None:
    """The great circle answers, and the log says why, once a minute."""
    settings.ETA_BACKEND = "tests.rides.test_eta.Broken"
    for _ in range(3):
        assert eta_seconds([MONAS], MONAS) == [60]
        assert route_between(MONAS, MONAS).km == 0
    [record] = caplog.records
    assert "Broken failed; using the great circle: " in record.getMessage()
    assert record.exc_info is None


class Roads(BaseHTTPRequestHandler):
    """An OSRM server, as its documentation says it answers; roads are twice as long, at 10 m/s."""

    asked: ClassVar[list[str]] = []
    answer: ClassVar[str] = "Ok"

    def do_GET(self) -> None:
        Roads.asked.append(self.path)
        service, _, _, rest = self.path.lstrip("/").split("/", 3)
        text, _, query = rest.partition("?")
        places = [GeoPoint(float(at.split(",")[1]), float(at.split(",")[0])) for at in text.split(";")]
        options = dict(pair.split("=") for pair in query.split("&"))
        metres = [distance_km(place, places[-1]) * 2000 for place in places[:-1]]
        body: dict[str, Any] = {"code": Roads.answer}
        if service == "table":
            assert unquote(options["sources"]) == ";".join(map(str, range(len(places) - 1)))
            body["durations"] = [[m / 10 if m < 50_000 else None] for m in metres]
        else:
            body["routes"] = [{"distance": metres[0], "duration": metres[0] / 10}]
        self.send_response(200 if Roads.answer == "Ok" else 400)
        self.end_headers()
        self.wfile.write(json.dumps(body).encode())

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def roads(settings: Any) -> Iterator[type[Roads]]:
    """An OSRM server that runs, and is used."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), Roads)
    thread = Thread(target=server.serve_forever)
    thread.start()
    settings.ETA_BACKEND = "rides.eta.OSRMETA"
    settings.OSRM_URL = f"http://127.0.0.1:{server.server_port}"
    Roads.asked, Roads.answer = [], "Ok"
    _client.cache_clear()
    yield Roads
    _client().close()
    _client.cache_clear()
    server.shutdown()
    thread.join()
    server.server_close()


def test_a_routing_engine_says_how_long_ways_are(roads: type[Roads]) -> None:
    """One table for all offers, whose places are cells; and a route for a quote."""
    near, far = north_of(MONAS, 3000), north_of(MONAS, 6000)
    assert eta_seconds([near, far], MONAS) == [eta_by_road(near), eta_by_road(far)]
    assert len(roads.asked) == 1
    way = route_between(MONAS, near)
    assert way.km == pytest.approx(6, rel=1e-3)
    assert way.seconds == pytest.approx(600, rel=1e-3)


def test_a_place_without_a_road_gets_the_great_circle(roads: type[Roads]) -> None:
    """The table has no number for an island."""
    lost = north_of(MONAS, 200_000)
    assert eta_seconds([lost, north_of(MONAS, 3000)], MONAS) == [
        eta_by_circle(lost),
        eta_by_road(north_of(MONAS, 3000)),
    ]


def test_more_places_than_a_table_takes_are_asked_in_parts(roads: type[Roads]) -> None:
    assert len(eta_seconds([north_of(MONAS, 3000)] * 250, MONAS)) == 250
    assert len(roads.asked) == 3


def test_an_engine_that_refuses_or_is_slow_stops_nobody(
    roads: type[Roads], settings: Any, caplog: pytest.LogCaptureFixture
) -> None:
    roads.answer = "InvalidQuery"
    assert route_between(MONAS, north_of(MONAS, 1000)).km == pytest.approx(1.4, rel=1e-4)
    assert "OSRM answered 400: InvalidQuery" in caplog.text
    settings.OSRM_URL = "http://127.0.0.1:9"
    assert eta_seconds([north_of(MONAS, 3000)], MONAS) == [eta_by_circle(north_of(MONAS, 3000))]


def eta_by_circle(place: GeoPoint) -> int:
    seconds = distance_km(cell_middle(place), cell_middle(MONAS)) * 1.4 / 25 * 3600
    return math.ceil(seconds / 60) * 60


def eta_by_road(place: GeoPoint) -> int:
    return math.ceil(distance_km(cell_middle(place), cell_middle(MONAS)) * 2000 / 10 / 60) * 60
