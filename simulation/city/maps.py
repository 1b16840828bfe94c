"""The streets of an extract of OpenStreetMap: .osm, .osm.gz, .osm.bz2 or .osm.pbf, read by osmium (pyosmium).

Such files come from https://download.geofabrik.de, or from "Export" on https://www.openstreetmap.org for a small part
of a city. Every point of a street is a crossing here, so vehicles follow its bends.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import networkx as nx

from rides.geo import GeoPoint
from simulation.city.streets import Node, Streets, add_street, connected

KMH = {
    "motorway": 80.0, "trunk": 60.0, "primary": 50.0, "secondary": 45.0, "tertiary": 40.0, "unclassified": 30.0,
    "residential": 25.0, "living_street": 10.0, "service": 15.0,
}  # fmt: skip
"""The streets that vehicles use, and how fast where no sign says it."""

ONE_WAY = frozenset({"yes", "true", "1", "-1"})
CLOSED = frozenset({"no", "private"})
LINK_KMH = 30.0
FEWEST = 20
"""Crossings that a city must have."""


def streets_of(path: Path) -> Streets:
    """Return the streets of an extract. Raises `ValueError` for a file that has none, or that cannot be read."""
    try:
        import osmium  # only those who have a map need it
    except ImportError as exc:
        raise ValueError("A map needs osmium: pip install osmium, or requirements-dev.txt.") from exc
    graph: nx.DiGraph[Node] = nx.DiGraph()
    lights: set[int] = set()
    try:
        for item in osmium.FileProcessor(str(path)).with_locations():
            if isinstance(item, osmium.osm.Node):
                if item.tags.get("highway") == "traffic_signals":
                    lights.add(item.id)
            elif isinstance(item, osmium.osm.Way):
                _add(graph, item)
    except (RuntimeError, OSError) as exc:
        raise ValueError(f"{path} cannot be read as a map: {exc}") from exc
    if graph:
        graph = connected(graph)
    if len(graph) < FEWEST:
        raise ValueError(f"{path} has {len(graph)} connected crossings; a city needs {FEWEST}.")
    for node in graph:
        graph.nodes[node]["light"] = node[0] in lights
    return Streets(graph)


def _add(graph: nx.DiGraph[Node], street: Any) -> None:
    """Add a way of the map, where it is one for vehicles and inside the extract."""
    tags = {tag.k: tag.v for tag in street.tags}
    kind = tags.get("highway", "")
    usual = LINK_KMH if kind.endswith("_link") else KMH.get(kind)
    if usual is None or tags.get("access") in CLOSED or tags.get("motor_vehicle") in CLOSED:
        return
    way: list[Node] = []
    for point in street.nodes:
        if point.location.valid():  # others are outside
            graph.add_node(node := (point.ref, 0), place=GeoPoint(point.lat, point.lon))
            way.append(node)
    is_one_way = tags.get("oneway") in ONE_WAY or tags.get("junction") == "roundabout" or kind == "motorway"
    is_tunnel = tags.get("tunnel", "no") not in ("no", "culvert")
    if tags.get("oneway") == "-1":
        way.reverse()
    add_street(graph, way, kmh=_kmh(tags.get("maxspeed", ""), usual), is_one_way=is_one_way, is_tunnel=is_tunnel)


def _kmh(sign: str, usual: float) -> float:
    """Return what a sign says, in km/h; signs in words, and none, say the usual."""
    number, _, unit = sign.partition(" ")
    if not number.isdecimal() or int(number) == 0 or unit not in ("", "km/h", "mph"):
        return usual
    return int(number) * (1.609344 if unit == "mph" else 1.0)
