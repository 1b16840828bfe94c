"""What import-linter (`make check`) does not see of the tree."""

import ast
import sys
from pathlib import Path

from django.conf import settings

APPS = ("common", "events", "users", "rides", "simulation", "realtime", "web", "nebengjek")
BASE = Path(settings.BASE_DIR)


def modules(package: str) -> list[Path]:
    return [path for path in (BASE / package).rglob("*.py") if "migrations" not in path.parts]


def imports(path: Path) -> set[str]:
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names.add(node.module)
    return names


def test_the_client_needs_nothing_of_the_project() -> None:
    free = {"nebengjek_client", "websockets", "httpx", *sys.stdlib_module_names}
    for path in modules("clients"):
        assert not {name for name in imports(path) if name.split(".")[0] not in free}, path


def test_large_classes_say_why() -> None:
    """What has more than 150 lines or 15 methods is cut where it bends, or says why not. Generated ones are exempt."""
    for package in (*APPS, "clients", "devservers"):
        for path in modules(package):
            for node in ast.walk(ast.parse(path.read_text())):
                if isinstance(node, ast.ClassDef) and (package, node.name) != ("clients", "Commands"):
                    methods = sum(isinstance(part, ast.FunctionDef | ast.AsyncFunctionDef) for part in node.body)
                    is_large = (node.end_lineno or 0) - node.lineno >= 150 or methods > 15
                    assert not is_large or "Reason for its size:" in (ast.get_docstring(node) or ""), (path, node.name)


def test_every_module_has_tests_of_its_name() -> None:
    tests = {path.stem for path in (BASE / "tests").rglob("test_*.py")}
    tested_elsewhere = {"__init__", "apps", "urls", "models", "base", "routes", "openapi", "documented", "fixes"}
    for package in (*APPS, "clients"):
        for path in modules(package):
            if path.stem not in tested_elsewhere and path.parent.name != "models":
                assert any(f"test_{path.stem}" in name for name in tests), f"{path} has no test module"
