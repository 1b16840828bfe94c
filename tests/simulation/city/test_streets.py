import random
from itertools import pairwise

import networkx as nx
import pytest

from rides.geo import distance_km
from simulation.city.streets import Streets
from tests.cast import MONAS


@pytest.fixture(scope="module")
def streets() -> Streets:
    return Streets.generated(MONAS, seed=3)


def test_a_seed_gives_a_city(streets: Streets) -> None:
    """The same seed gives the same streets, another seed others; every crossing can be reached."""
    assert nx.utils.graphs_equal(streets.graph, Streets.generated(MONAS, seed=3).graph)
    assert not nx.utils.graphs_equal(streets.graph, Streets.generated(MONAS, seed=4).graph)
    assert nx.is_strongly_connected(streets.graph)
    assert len({edge["kmh"] for *_, edge in streets.graph.edges(data=True)}) == 2


def test_some_streets_have_one_direction(streets: Streets) -> None:
    """About a quarter of the lanes has one direction, no avenue has, and no way goes against it."""
    edges = streets.graph.edges
    lanes = {frozenset(edge) for edge in edges if edges[edge]["kmh"] == 25}
    one_way = [edge for edge in edges if edge[::-1] not in edges]
    assert 0.15 < len(one_way) / len(lanes) < 0.35
    assert {edges[edge]["kmh"] for edge in one_way} == {25}
    start, end = one_way[0]
    assert len(streets.way(end, start)) > 2


@pytest.mark.parametrize("speed", [1, 7, 500])
def test_steps_are_as_long_as_the_way(streets: Streets, speed: float) -> None:
    """The steps of a drive add up to the length of the way, at any speed, and end at the target."""
    way = streets.way((0, 0), (9, 11))
    steps = list(streets.drive(way, interval=1, speed=speed, rng=random.Random(1)))
    places = [streets.place(way[0]), *(step.place for step in steps)]
    assert sum(distance_km(a, b) for a, b in pairwise(places)) == pytest.approx(streets.length_km(way), rel=1e-6)
    assert places[-1] == streets.place((9, 11))


def test_ways_are_the_quickest(streets: Streets) -> None:
    """The way is the quickest, which need not be the shortest."""
    start, end = (0, 1), (12, 11)
    shortest = nx.shortest_path(streets.graph, start, end, weight="metres")
    assert streets.length_km(streets.way(start, end)) >= streets.length_km(shortest)
    assert streets.way(start, start) == [start]


def test_targets_are_at_the_distance(streets: Streets) -> None:
    """A target lies as far by road as was asked for, or as near to it as there are crossings."""
    rng = random.Random(2)
    for _ in range(20):
        start = streets.somewhere(rng)
        target = streets.at_a_distance(start, 0.5, 1, rng)
        assert 0.5 <= nx.dijkstra_path_length(streets.graph, start, target, weight="metres") / 1000 <= 1
    far = streets.at_a_distance((0, 0), 100, 101, rng)
    assert distance_km(streets.place((0, 0)), streets.place(far)) > 2
    assert streets.nearest(streets.place((3, 4))) == (3, 4)
