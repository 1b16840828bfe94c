"""Where installed packages lie."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path


def package_folder(name: str) -> Path:
    """Return the folder of an installed package, without importing it; `ModuleNotFoundError` where there is none."""
    spec = find_spec(name)
    if spec is None or spec.origin is None:
        raise ModuleNotFoundError(f"The package {name} is not installed: pip install -r requirements.txt.", name=name)
    return Path(spec.origin).parent
