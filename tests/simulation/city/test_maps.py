"""An extract of OpenStreetMap, drawn by us: a small grid with a one-way street, a tunnel, a footpath and lights."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from rides.geo import distance_km
from simulation.city.maps import FEWEST, streets_of
from tests.cast import MONAS

SIDE = 6
STEP = 0.001


def number(x: int, y: int) -> int:
    return 1000 + x * 100 + y


def map_of(*ways: tuple[list[int], dict[str, str]], lights: tuple[int, ...] = ()) -> str:
    """Return an extract whose crossings are those of the grid."""
    lines = ['<?xml version="1.0" encoding="UTF-8"?>', '<osm version="0.6">']
    for x in range(SIDE):
        for y in range(SIDE):
            at = number(x, y)
            light = '<tag k="highway" v="traffic_signals"/>' if at in lights else ""
            place = f'lat="{MONAS.latitude + y * STEP:.7f}" lon="{MONAS.longitude + x * STEP:.7f}"'
            lines.append(f'<node id="{at}" version="1" {place}>{light}</node>')
    for way_id, (points, tags) in enumerate(ways, 1):
        refs = "".join(f'<nd ref="{point}"/>' for point in points)
        words = "".join(f'<tag k="{key}" v="{value}"/>' for key, value in tags.items())
        lines.append(f'<way id="{way_id}" version="1">{refs}{words}</way>')
    return "\n".join([*lines, "</osm>"])


def column(x: int) -> list[int]:
    return [number(x, y) for y in range(SIDE)]


def row(y: int) -> list[int]:
    return [number(x, y) for x in range(SIDE)]


GRID: list[tuple[list[int], dict[str, str]]] = [
    *((column(x), {"highway": "residential"}) for x in range(SIDE)),
    *((row(y), {"highway": "secondary", "maxspeed": "50"}) for y in range(SIDE) if y not in (2, 3)),
    (row(2), {"highway": "primary", "oneway": "-1", "maxspeed": "30 mph"}),
    (row(3), {"highway": "footway"}),
    ([number(0, 3), number(5, 3)], {"highway": "tertiary", "tunnel": "yes", "maxspeed": "RO:urban"}),
    ([number(0, 0), 99], {"highway": "residential"}),
]


@pytest.fixture
def extract(tmp_path: Path) -> Path:
    path = tmp_path / "town.osm"
    path.write_text(map_of(*GRID, lights=(number(1, 1),)))
    return path


def test_streets_of_a_map(extract: Path) -> None:
    """Directions, signs, tunnels and lights are those of the map; paths, and points outside, are not streets."""
    streets = streets_of(extract)
    assert len(streets.graph) == SIDE * SIDE
    edges: Any = streets.graph.edges

    def node(x: int, y: int) -> tuple[int, int]:
        return (number(x, y), 0)

    assert edges[node(0, 0), node(0, 1)]["kmh"] == 25
    assert edges[node(0, 0), node(1, 0)]["kmh"] == 50
    assert (node(3, 2), node(2, 2)) in edges
    assert (node(2, 2), node(3, 2)) not in edges
    assert edges[node(3, 2), node(2, 2)]["kmh"] == pytest.approx(48.28, abs=0.01)
    assert edges[node(0, 3), node(5, 3)]["tunnel"]
    assert edges[node(0, 3), node(5, 3)]["kmh"] == 40
    assert (node(1, 3), node(2, 3)) not in edges
    assert [at for at in streets.graph if streets.graph.nodes[at]["light"]] == [node(1, 1)]
    metres = edges[node(0, 0), node(0, 1)]["metres"]
    assert metres == pytest.approx(distance_km(MONAS, streets.place(node(0, 1))) * 1000)


@pytest.mark.parametrize(
    "text",
    ["", "<osm", '<osm version="0.6"></osm>', map_of(*GRID[:1]), map_of(([number(0, 0), 99], {"highway": "primary"}))],
    ids=["empty", "broken", "nothing", "one-street", "outside"],
)
def test_maps_that_are_of_no_use(tmp_path: Path, text: str) -> None:
    """A file that is no map, or hardly has a street, is refused in words."""
    path = tmp_path / "town.osm"
    path.write_text(text)
    with pytest.raises(ValueError, match=rf"town\.osm (cannot be read as a map|has \d+ connected .* needs {FEWEST})"):
        streets_of(path)
    with pytest.raises(ValueError, match="cannot be read"):
        streets_of(tmp_path / "none.osm")
