"""The Grafana dashboard: of the schema, over metrics that exist, and with a word about each panel."""

from __future__ import annotations

import enum
import json
import sys
import types
from collections.abc import Iterator
from itertools import combinations
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

import pytest
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.cog.plugins import register_default_plugins
from grafana_foundation_sdk.models import units
from grafana_foundation_sdk.models.dashboard import Dashboard

from nebengjek.settings import BASE_DIR
from tests.deploy import promql

DASHBOARD: dict[str, Any] = json.loads((BASE_DIR / "deploy" / "grafana" / "nebengjek.json").read_text())
ROWS = [panel for panel in DASHBOARD["panels"] if panel["type"] == "row"]
PANELS = [panel for panel in DASHBOARD["panels"] if panel["type"] != "row"]
UNITS = {unit for unit in vars(units).values() if isinstance(unit, str)}
WIDTH = 24
"""Columns of Grafana's grid."""


def by_title(panel: dict[str, Any]) -> str:
    """Return the name of a test of a panel."""
    return str(panel["title"])


def model() -> Any:
    """Return the dashboard as Grafana's own model of it."""
    register_default_plugins()
    return Dashboard.from_json(DASHBOARD)


def lost(before: Any, after: Any, path: str) -> Iterator[str]:
    """Say what a model did not keep: fields that it does not know."""
    if isinstance(before, dict) and isinstance(after, dict):
        for name, value in before.items():
            yield from lost(value, after[name], f"{path}.{name}") if name in after else [f"{path}.{name}"]
    elif isinstance(before, list) and isinstance(after, list) and len(before) == len(after):
        for place, (one, other) in enumerate(zip(before, after, strict=True)):
            yield from lost(one, other, f"{path}[{place}]")
    elif before != after:
        yield path


def wrong(value: Any, hint: Any, path: str) -> Iterator[str]:
    """Say which values of a model are not of the declared type."""
    origin, options = get_origin(hint), get_args(hint)
    if origin in (Union, types.UnionType):
        if all(list(wrong(value, option, path)) for option in options):
            yield path
    elif not is_of(value, origin if origin in (list, dict) else hint):
        yield path
    elif origin in (list, dict):
        items = value.items() if isinstance(value, dict) else enumerate(value)
        for name, item in items:
            yield from wrong(item, options[-1], f"{path}.{name}")
    elif type(value).__module__.startswith("grafana_foundation_sdk"):
        for name, declared in get_type_hints(type(value)).items():
            yield from wrong(getattr(value, name), declared, f"{path}.{name}")


def is_of(value: Any, hint: Any) -> bool:
    """Tell whether a value is of a type; enumerations are still plain text and numbers."""
    if hint in (Any, object):
        return True
    if get_origin(hint) is Literal:
        return value in get_args(hint)
    if issubclass(hint, enum.Enum):
        return value in {member.value for member in hint}
    if hint in (int, float):
        return type(value) is int or type(value) is hint  # True is no number
    return isinstance(value, hint)


def test_the_schema_knows_every_field() -> None:
    """What Grafana's model does not keep would be ignored by Grafana too."""
    kept = json.loads(JSONEncoder().encode(model()))
    assert list(lost(DASHBOARD, kept, "dashboard")) == []


def test_every_value_is_of_its_type() -> None:
    """Grafana's model says what each field may hold."""
    assert list(wrong(model(), Dashboard, "dashboard")) == []


@pytest.mark.parametrize(
    ("panel", "change"),
    [({"gridPos": {"h": "8", "w": 4, "x": 0, "y": 1}}, "types"), ({"titel": "x"}, "fields")],
)
def test_a_wrong_panel_is_found(panel: dict[str, Any], change: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The two tests above see a misspelt field, and text where a number must be."""
    monkeypatch.setitem(DASHBOARD, "panels", [{**PANELS[0], **panel}])
    kept = json.loads(JSONEncoder().encode(model()))
    found = {"fields": list(lost(DASHBOARD, kept, "dashboard")), "types": list(wrong(model(), Dashboard, "dashboard"))}
    assert found[change]


def test_its_rows_are_the_questions_asked() -> None:
    """People, delivery, rides, processes, errors."""
    assert [row["title"] for row in ROWS] == ["People", "Delivery", "Rides", "Processes", "Errors"]


@pytest.mark.parametrize("panel", PANELS, ids=by_title)
def test_a_panel_explains_itself(panel: dict[str, Any]) -> None:
    """It has a title, a description in sentences, a unit that Grafana has, and something to draw."""
    assert panel["title"]
    assert panel["description"].endswith(".")
    assert panel["fieldConfig"]["defaults"]["unit"] in UNITS
    assert [target["refId"] for target in panel["targets"]] == list("ABCDEFGH"[: len(panel["targets"])])
    assert all(target["legendFormat"] for target in panel["targets"])


def test_panels_do_not_cover_each_other() -> None:
    """Each panel has its number and its place in the grid."""
    assert len({panel["id"] for panel in DASHBOARD["panels"]}) == len(DASHBOARD["panels"])
    places = [panel["gridPos"] for panel in DASHBOARD["panels"]]
    assert all(place["x"] + place["w"] <= WIDTH for place in places)
    for one, other in combinations(places, 2):
        apart_x = one["x"] + one["w"] <= other["x"] or other["x"] + other["w"] <= one["x"]
        apart_y = one["y"] + one["h"] <= other["y"] or other["y"] + other["h"] <= one["y"]
        assert apart_x or apart_y


@pytest.mark.skipif(sys.platform != "linux", reason="process_… metrics are shown on Linux only")
def test_panels_ask_for_what_is_shown(db: None, monkeypatch: pytest.MonkeyPatch, settings: Any) -> None:
    """Every query is PromQL, over metrics, labels and values that processes show."""
    shown = promql.shown_by_all(monkeypatch, settings)
    queries = {f"{panel['title']} {target['refId']}": target["expr"] for panel in PANELS for target in panel["targets"]}
    queries |= {annotation["name"]: annotation["expr"] for annotation in DASHBOARD["annotations"]["list"]}
    found = {name: list(promql.faults(query, shown)) for name, query in queries.items()}
    assert {name: some for name, some in found.items() if some} == {}


@pytest.mark.skipif(sys.platform != "linux", reason="process_… metrics are shown on Linux only")
def test_every_metric_of_ours_is_drawn(db: None, monkeypatch: pytest.MonkeyPatch, settings: Any) -> None:
    """What nobody looks at need not be counted."""
    shown = promql.shown_by_all(monkeypatch, settings)
    text = json.dumps(DASHBOARD)
    drawn = {name for name in shown if name in text}
    histograms = ("_sum", "_count")  # the buckets are drawn
    assert {name for name in shown if name.startswith("nebengjek_") and not name.endswith(histograms)} <= drawn
