import json
from pathlib import Path
from typing import Any

from django.contrib.staticfiles.finders import find
from django.template import Context, Template
from django.templatetags.static import static


def rendered() -> str:
    return Template("{% load maps %}{% map_config %}").render(Context())


def test_a_map_needs_no_other_host_unless_the_operator_names_one() -> None:
    assert 'data-tiles-url=""' in rendered()
    assert f'data-outline-url="{static("web/map/jakarta.geojson")}"' in rendered()


def test_a_map_shows_the_tiles_of_the_operator_and_whose_they_are(settings: Any) -> None:
    settings.MAP_TILES_URL = "https://tiles.example.com/{z}/{x}/{y}.png"
    settings.MAP_TILES_ATTRIBUTION = '<a href="https://example.com/">Example</a>'
    assert 'data-tiles-url="https://tiles.example.com/{z}/{x}/{y}.png"' in rendered()
    assert "&lt;a href=&quot;https://example.com/&quot;&gt;Example&lt;/a&gt;" in rendered()


def test_the_outline_is_small_and_has_jakarta_on_top_of_its_neighbours() -> None:
    path = Path(str(find("web/map/jakarta.geojson")))
    assert path.stat().st_size < 30_000
    assert [feature["properties"]["name"] for feature in json.loads(path.read_text())["features"]][-1] == "Jakarta"
