"""The files in which the workers of one port count, as they are named in `METRICS_FOLDER`."""

from __future__ import annotations

from pathlib import Path

LIVE, ENDED = ".live", ".ended"
"""How the names of the files of running and of ended workers end."""


def worker_ended(folder: Path, pid: int) -> None:
    """Rename the file of a worker that is gone: its counters count on, its connections do not."""
    path = folder / f"{pid}{LIVE}"
    if path.exists():
        path.rename(path.with_suffix(ENDED))
