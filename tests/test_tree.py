"""The tree is the architecture: imports point one way, and every module has its tests."""

import ast
import sys
from pathlib import Path

from django.conf import settings

LAYERS = ("events", "users", "rides", "realtime", "web")
SHARED = {
    "nebengjek.errors",
    "nebengjek.env",
    "nebengjek.threads",
    "nebengjek.db",
    "nebengjek.admin",
    "nebengjek.addresses",
    "nebengjek.redis",
    "nebengjek.logs",
    "nebengjek.nats",
    "nebengjek.schemas",
}
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


def test_imports_point_one_way() -> None:
    for position, package in enumerate(LAYERS):
        above = LAYERS[position + 1 :]
        for path in modules(package):
            wrong = [name for name in imports(path) if name.split(".")[0] in above]
            assert not wrong, f"{path} imports {wrong}"


def test_of_the_project_the_apps_use_only_what_is_shared() -> None:
    for package in LAYERS:
        for path in modules(package):
            used = {name for name in imports(path) if name.split(".")[0] == "nebengjek"}
            assert used <= SHARED, f"{path} imports {used - SHARED}"


def test_the_domain_knows_no_socket() -> None:
    for package in ("events", "users", "rides"):
        for path in modules(package):
            assert not {name for name in imports(path) if name.split(".")[0] in ("channels", "uvicorn", "websockets")}


def test_the_client_needs_nothing_of_the_project() -> None:
    free = {"nebengjek_client", "websockets", "httpx", *sys.stdlib_module_names}
    for path in modules("clients"):
        assert not {name for name in imports(path) if name.split(".")[0] not in free}, path


def test_every_module_has_tests_of_its_name() -> None:
    tests = {path.stem for path in (BASE / "tests").rglob("test_*.py")}
    free = {"__init__", "apps", "urls", "models", "base", "routes"}
    for package in (*LAYERS, "nebengjek", "clients"):
        for path in modules(package):
            if path.stem not in free:
                assert any(f"test_{path.stem}" in name for name in tests), f"{path} has no test module"
