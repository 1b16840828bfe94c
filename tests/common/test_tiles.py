import pytest

from common.env import ConfigError
from common.tiles import origin_of_tiles


@pytest.mark.parametrize(
    ("template", "origins"),
    [
        ("", []),
        ("https://tiles.example.com/{z}/{x}/{y}.png", ["https://tiles.example.com"]),
        ("https://{s}.example.com:8443/{z}/{x}/{y}{r}.png?key=1", ["https://*.example.com:8443"]),
    ],
)
def test_only_the_host_of_the_tiles_is_let_in(template: str, origins: list[str]) -> None:
    assert origin_of_tiles(template) == origins


@pytest.mark.parametrize(
    "template", ["tiles/{z}/{x}/{y}", "https://example.com/", "ftp://example.com/{z}/{x}/{y}", "x"]
)
def test_a_template_that_names_no_tiles_is_refused(template: str) -> None:
    with pytest.raises(ConfigError, match="MAP_TILES_URL must be like"):
        origin_of_tiles(template)
