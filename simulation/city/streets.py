"""The streets of a city as a graph, and how a vehicle comes along them.

Nodes are crossings with a `place` and maybe a `light`; edges, which have a direction, have `metres`, `kmh`, `seconds`
(without lights) and `tunnel`. The grid of `generated` is irregular: crossings are off their place, blocks are missing,
every few streets there is a wide and fast one, and some of the others have one direction. Another source is
`simulation.city.maps`.
"""

from __future__ import annotations

import math
import random
from collections.abc import Iterator
from itertools import pairwise

import msgspec
import networkx as nx

from rides.geo import GeoPoint, distance_km
from simulation.streets import METRES_PER_DEGREE

BLOCK_M = 180.0
"""From one crossing to the next, about."""

SHIFT = 0.25
"""How far a crossing is off its place in the grid, as a share of a block."""

MISSING = 0.12
"""The share of lanes that are not there; wide streets always are."""

AVENUE_EVERY = 4
AVENUE_KMH, LANE_KMH = 45.0, 25.0
TUNNELS = 0.03
"""The share of avenues' blocks that are below ground, where a phone has no fix."""

LIGHTS = 0.3
"""The share of crossings that have traffic lights."""

LIGHT_IS_RED = 0.5
RED_SECONDS = (4.0, 25.0)
JAM = (0.5, 1.0)
"""The pace on a street lies between these shares of its usual one: there are jams."""

ONE_WAY = 0.25
"""The share of lanes that have one direction."""

Node = tuple[int, int]
"""The place of a crossing in the grid; those of a map have their number, and 0."""


class Step(msgspec.Struct, frozen=True):
    """Where a vehicle is after one interval, and whether the sky can be seen from there."""

    place: GeoPoint
    covered: bool = False


class Streets:
    """Streets whose crossings can all be reached from each other."""

    def __init__(self, graph: nx.DiGraph[Node]) -> None:
        self.graph = graph
        self._nodes = sorted(graph.nodes)

    @classmethod
    def generated(cls, center: GeoPoint, *, blocks: int = 12, seed: int = 1) -> Streets:
        """Return a city of `blocks` by `blocks` around `center`; the same seed gives the same city."""
        return cls(_grid(center, blocks, random.Random(seed)))  # noqa: S311

    def place(self, node: Node) -> GeoPoint:
        """Return where a crossing is."""
        place: GeoPoint = self.graph.nodes[node]["place"]
        return place

    def somewhere(self, rng: random.Random) -> Node:
        """Return a random crossing."""
        return rng.choice(self._nodes)

    def at_a_distance(self, start: Node, low_km: float, high_km: float, rng: random.Random) -> Node:
        """Return a random crossing so far away by road; where there is none, the one that fits best."""
        lengths = nx.single_source_dijkstra_path_length(self.graph, start, cutoff=high_km * 2000, weight="metres")
        fitting = sorted(node for node, metres in lengths.items() if low_km * 1000 <= metres <= high_km * 1000)
        middle = (low_km + high_km) * 500
        return rng.choice(fitting) if fitting else min(sorted(lengths), key=lambda node: abs(lengths[node] - middle))

    def nearest(self, place: GeoPoint) -> Node:
        """Return the crossing nearest to a place."""
        shrunk = math.cos(math.radians(place.latitude))

        def distance(node: Node) -> float:
            there = self.place(node)
            return math.hypot(there.latitude - place.latitude, (there.longitude - place.longitude) * shrunk)

        return min(self._nodes, key=distance)

    def way(self, start: Node, target: Node) -> list[Node]:
        """Return the crossings of the quickest way, both ends among them."""
        way: list[Node] = nx.shortest_path(self.graph, start, target, weight="seconds")
        return way

    def length_km(self, way: list[Node]) -> float:
        """Return the true length of a way."""
        return sum(float(self.graph.edges[edge]["metres"]) for edge in pairwise(way)) / 1000

    def drive(self, way: list[Node], *, interval: float, speed: float, rng: random.Random) -> Iterator[Step]:
        """Yield where a vehicle is every `interval` seconds, at `speed` times the usual pace.

        It is seen at every crossing, so that the steps together are as long as the way; at a red light it stands.
        """
        for start, end in pairwise(way):
            edge = self.graph.edges[start, end]
            metres = edge["kmh"] / 3.6 * speed * interval * rng.uniform(*JAM)
            steps = max(1, math.ceil(edge["metres"] / metres))
            here, there = self.place(start), self.place(end)
            for number in range(1, steps):
                yield Step(_between(here, there, number / steps), covered=edge["tunnel"])
            yield Step(there)
            if end != way[-1] and self.graph.nodes[end]["light"] and rng.random() < LIGHT_IS_RED:
                yield from [Step(there)] * round(rng.uniform(*RED_SECONDS) / speed / interval)


def _grid(center: GeoPoint, blocks: int, rng: random.Random) -> nx.DiGraph[Node]:
    graph: nx.DiGraph[Node] = nx.DiGraph()
    for x in range(blocks + 1):
        for y in range(blocks + 1):
            place = _crossing(center, x - blocks / 2, y - blocks / 2, rng)
            graph.add_node((x, y), place=place, light=rng.random() < LIGHTS)
    for x, y in list(graph.nodes):
        for other, line in (((x + 1, y), y), ((x, y + 1), x)):
            avenue = line % AVENUE_EVERY == 0
            if other in graph and (avenue or rng.random() >= MISSING):
                way = [(x, y), other] if rng.random() < 0.5 else [other, (x, y)]
                is_one_way = not avenue and rng.random() < ONE_WAY
                is_tunnel = avenue and rng.random() < TUNNELS
                kmh = AVENUE_KMH if avenue else LANE_KMH
                add_street(graph, way, kmh=kmh, is_one_way=is_one_way, is_tunnel=is_tunnel)
    return connected(graph)


def add_street(graph: nx.DiGraph[Node], way: list[Node], *, kmh: float, is_one_way: bool, is_tunnel: bool) -> None:
    """Add a street along crossings that the graph has already; one with one direction in that of the crossings."""
    for start, end in pairwise(way):
        metres = distance_km(graph.nodes[start]["place"], graph.nodes[end]["place"]) * 1000
        for edge in [(start, end)] if is_one_way else [(start, end), (end, start)]:
            graph.add_edge(*edge, metres=metres, kmh=kmh, seconds=metres / kmh * 3.6, tunnel=is_tunnel)


def connected(graph: nx.DiGraph[Node]) -> nx.DiGraph[Node]:
    """Return the largest part whose crossings can all be reached from each other, by the rules of the road."""
    return nx.DiGraph(graph.subgraph(max(nx.strongly_connected_components(graph), key=len)))


def _crossing(center: GeoPoint, east: float, north: float, rng: random.Random) -> GeoPoint:
    """Return the place of a crossing so many blocks away from the middle, a little off."""
    degree = METRES_PER_DEGREE * math.cos(math.radians(center.latitude))
    east, north = (blocks + rng.uniform(-SHIFT, SHIFT) for blocks in (east, north))
    return GeoPoint(
        round(center.latitude + north * BLOCK_M / METRES_PER_DEGREE, 6),
        round(center.longitude + east * BLOCK_M / degree, 6),
    )


def _between(start: GeoPoint, end: GeoPoint, share: float) -> GeoPoint:
    return GeoPoint(
        start.latitude + (end.latitude - start.latitude) * share,
        start.longitude + (end.longitude - start.longitude) * share,
    )
