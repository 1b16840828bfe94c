"""The JavaScript client as an npm package."""

import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings

FOLDER = Path(settings.BASE_DIR) / "clients/javascript"
PACKAGE = json.loads((FOLDER / "package.json").read_text())
SOURCES = {f"src/{path.relative_to(FOLDER / 'src')}" for path in (FOLDER / "src").rglob("*") if path.is_file()}


def test_exports_exist_with_types() -> None:
    """One entry, for browsers and Node.js."""
    entry = PACKAGE["exports"]["."]
    assert {entry["types"], entry["default"], PACKAGE["types"]} <= {f"./{name}" for name in SOURCES}
    assert PACKAGE["type"] == "module"
    assert "dependencies" not in PACKAGE


def test_rest_calls_have_types() -> None:
    """The declaration of `Rest` names the methods that the module has."""
    declared = (FOLDER / "src/nebengjek.d.ts").read_text().split("class Rest {")[1].split("\n}")[0]
    written = (FOLDER / "src/nebengjek/rest.js").read_text().split("class Rest {")[1].split("\n}")[0]
    methods = set(re.findall(r"^  async (\w+)\(", written, re.MULTILINE))
    assert methods == set(re.findall(r"^  (\w+)\(.*", declared, re.MULTILINE)) - {"constructor"}


def test_versions_agree() -> None:
    """The client and the server are released together."""
    assert PACKAGE["version"] == settings.VERSION


@pytest.mark.skipif(shutil.which("npm") is None, reason="npm is not installed")
def test_the_package_has_only_sources() -> None:
    """As npm itself says."""
    done = subprocess.run(
        ["npm", "pack", "--dry-run", "--json", "--offline"], cwd=FOLDER, capture_output=True, text=True, check=True
    )
    packed: list[dict[str, Any]] = json.loads(done.stdout)
    assert {file["path"] for file in packed[0]["files"]} == SOURCES | {"package.json", "README.md"}


def test_pages_get_the_same_files() -> None:
    """`/static/web/nebengjek.js` is the package's entry."""
    assert ("web", FOLDER / "src") in settings.STATICFILES_DIRS
