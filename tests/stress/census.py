"""`manage.py` with a census: at SIGUSR1 the process prints what it has in hand, as one line of JSON.

    python -m tests.stress.census serve --port 0

It is the real server; only this door is added, and only here. Benchmarks and tests compare two lines.
"""

from __future__ import annotations

import asyncio
import gc
import json
import os
import signal
import sys
import threading
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from devservers.web import ServerProcess

MARK = "census "


def census() -> dict[str, int]:
    """Return how much there is of everything that a connection brings with it; called within the event loop.

    It looks into the stores of the embedded default.
    """
    from channels.layers import get_channel_layer

    from realtime.socket.connections import connections
    from rides.positions import positions
    from users.presence import presence

    layer: Any = get_channel_layer()
    places: Any = positions()
    return {
        "tasks": len(asyncio.all_tasks()),
        "threads": threading.active_count(),
        "connections": len(connections()),
        "online": len(presence().everyone()),
        "positions": len(places._places),
        "groups": len(layer._groups),
        "mailboxes": len(layer._mailboxes),
        "dropped": layer.dropped,
        "objects": _objects(),
    }


def _objects() -> int:
    """Return the number of objects that the garbage collector knows, after it has looked for garbage."""
    gc.collect()
    return len(gc.get_objects())


def census_of(server: ServerProcess) -> dict[str, int]:
    """Ask a server that was started as `python -m tests.stress.census serve`."""
    assert server.process
    server.process.send_signal(signal.SIGUSR1)
    counts: dict[str, int] = json.loads(server.wait_for(MARK + r"(\{.*\})"))
    return counts


def main() -> None:
    """Run a management command that answers SIGUSR1."""
    from django.core.management import execute_from_command_line

    def tell(_number: int, _frame: object) -> None:
        sys.stdout.write(f"{MARK}{json.dumps(census())}\n")
        sys.stdout.flush()

    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "nebengjek.settings")
    os.environ.setdefault("DEBUG", "true")
    signal.signal(signal.SIGUSR1, tell)
    execute_from_command_line(["manage.py", *sys.argv[1:]])


if __name__ == "__main__":
    main()
