"""The files that `make docs` makes from the code, which a test compares with what is committed."""

from __future__ import annotations

from collections.abc import Callable

from django.conf import settings

from web.docs import asyncapi, clients, reference, ride
from web.docs.views import openapi


def default_url() -> str:
    """Return the address of a server where nothing is set."""
    return str(settings.DECLARED_VARIABLES["PUBLIC_URL"])


OUTPUTS: dict[str, Callable[[], str]] = {
    "docs/protocol.md": lambda: reference.render(default_url()),
    "docs/ride.md": ride.render,
    "docs/asyncapi.json": lambda: asyncapi.render(default_url()),
    "docs/openapi.yaml": lambda: openapi().decode(),
    "clients/python/src/nebengjek_client/commands.py": clients.python_commands,
    "clients/python/src/nebengjek_client/contract.py": clients.python_types,
    "clients/javascript/src/nebengjek/commands.js": clients.javascript_commands,
    "clients/javascript/src/nebengjek/commands.d.ts": clients.typescript,
}
"""What makes each file, by its path in the repository."""
