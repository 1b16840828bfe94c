"""A NATS server whose account has no room, or may not publish: by its configuration, which it reads again."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path


def write_nats_config(path: Path, *, most_bytes: int = -1, denied: Sequence[str] = ()) -> None:
    """Write a configuration with one account, which everybody has who names none."""
    user = f"user: all, password: all, permissions: {{publish: {{deny: {json.dumps(list(denied))}}}}}"
    account = f"jetstream: {{max_file: {most_bytes}}}, users: [{{{user}}}]"
    path.write_text(f"accounts: {{ALL: {{{account}}}}}\nno_auth_user: all\n")
