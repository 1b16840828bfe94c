import sys

import pytest
from django.contrib.staticfiles import finders

from common.packages import package_folder


def test_it_finds_a_folder_without_importing_the_package() -> None:
    assert (package_folder("leaflet") / "static" / "leaflet" / "leaflet.js").is_file()
    assert "leaflet" not in sys.modules


def test_it_says_what_is_not_installed() -> None:
    with pytest.raises(ModuleNotFoundError, match="The package surely_not_there is not installed"):
        package_folder("surely_not_there")


def test_leaflet_is_served_with_the_static_files() -> None:
    assert finders.find("leaflet/leaflet.js")
    assert finders.find("leaflet/images/marker-icon.png")
