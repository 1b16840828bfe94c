"""What libraries import only because it is installed, and nobody here uses through them.

nats-py takes aiohttp for `ws://` addresses, redis-py OpenTelemetry for metrics of its own, and DRF what it can also do
without: a fifth of the start of every process. `leave_out` lets these packages seem absent to that one module of the
library, which then works as where they are not installed. Everything else imports them as ever.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder, SourceFileLoader
from threading import get_ident
from types import ModuleType
from typing import Any

WITHOUT: dict[str, Sequence[str]] = {
    "redis.observability.metrics": ["opentelemetry"],
    "redis.observability.providers": ["opentelemetry"],
    "rest_framework.compat": ["django.contrib.postgres", "pygments", "requests"],
}
"""The module of a library, and the packages that it does without."""

WITHOUT_FOR_NATS: dict[str, Sequence[str]] = {"nats.aio.transport": ["aiohttp", "multidict"]}
"""The same where no address of NATS is one of a WebSocket."""


def leave_out(left_out: Mapping[str, Sequence[str]]) -> None:
    """Let these modules do without these packages when they are imported, from now on."""
    sys.meta_path.insert(0, _Finder(left_out))


class _Finder(MetaPathFinder):
    def __init__(self, left_out: Mapping[str, Sequence[str]]) -> None:
        self._left_out = left_out

    def find_spec(self, name: str, path: Any, target: ModuleType | None = None) -> ModuleSpec | None:
        if name not in self._left_out:
            return None
        spec = PathFinder.find_spec(name, path, target)
        if spec is not None and isinstance(spec.loader, SourceFileLoader):
            spec.loader = _Loader(name, spec.loader.path, self._left_out[name])
        return spec


class _Loader(SourceFileLoader):
    def __init__(self, name: str, path: str, absent: Sequence[str]) -> None:
        super().__init__(name, path)
        self._absent = absent

    def exec_module(self, module: ModuleType) -> None:
        with seeming_absent(self._absent):
            super().exec_module(module)


class _Nothing(MetaPathFinder):
    def __init__(self, packages: Sequence[str]) -> None:
        self._packages = packages
        self._thread = get_ident()

    def find_spec(self, name: str, path: Any, target: ModuleType | None = None) -> None:
        for package in self._packages:
            if f"{name}.".startswith(f"{package}.") and get_ident() == self._thread:
                # Of the package: `from package import name` would make another error of one of that name.
                raise ModuleNotFoundError(f"No module named {name!r}", name=package)


@contextmanager
def seeming_absent(packages: Sequence[str]) -> Iterator[None]:
    """Let packages that are not imported yet seem not to be installed; in this thread only."""
    finder = _Nothing(packages)
    sys.meta_path.insert(0, finder)
    try:
        yield
    finally:
        sys.meta_path.remove(finder)
