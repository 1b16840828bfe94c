"""Processes of the system itself, with their output in ours, and what keeps them running: for `devservers.local`."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import IO, Any, Self

from devservers.patience import FACTOR
from devservers.process import Process, ProcessError

LAST_WORDS = 5 * FACTOR
"""Seconds for the output of a process that was stopped; processes that it started may hold the other end for longer."""

COLOURS = (36, 33, 35, 32, 34, 31)

Say = Callable[[str, str], None]
"""Prints a line, for the name of whoever says it."""


class Printer:
    """Prints lines with the name of their process in front, in a colour of its own on a terminal."""

    def __init__(self, width: int, *, colours: bool) -> None:
        self._width = width
        self._colours = colours
        self._seen: list[str] = []
        self._lock = threading.Lock()

    def __call__(self, name: str, line: str) -> None:
        """Print a line; may be called from any thread."""
        with self._lock:
            if name not in self._seen:
                self._seen.append(name)
            sys.stdout.write(f"{self._head(name)} {line}\n")
            sys.stdout.flush()

    def _head(self, name: str) -> str:
        head = f"{name:{self._width}} |"
        colour = COLOURS[self._seen.index(name) % len(COLOURS)]
        return f"\033[{colour}m{head}\033[0m" if self._colours else head


class Child(Process):
    """A process whose lines are printed."""

    def __init__(self, name: str, command: Sequence[str], folder: Path, env: Mapping[str, str], say: Say) -> None:
        super().__init__()
        self.name = name
        self._command = command
        self._folder = folder
        self._env = env
        self._say = say
        self._reader: threading.Thread | None = None

    def start(self) -> Self:
        """Start it, and print what it writes from now on."""
        process = self._launch(self._command, cwd=self._folder, env=self._env, stdout=subprocess.PIPE)
        self._reader = threading.Thread(target=self._print, args=[process.stdout], daemon=True)
        self._reader.start()
        return self

    def stop(self) -> None:
        """Tell it to end, and wait for that and for its last words."""
        super().stop()
        if self._reader is not None:
            self._reader.join(LAST_WORDS)

    def _print(self, output: IO[bytes]) -> None:
        with output:
            for line in output:
                self._say(self.name, line.decode(errors="replace").rstrip())


class Kept:
    """A process that says when it starts and stops, which `with` does."""

    def __init__(self, process: Process, say: Say, *, about: str = "") -> None:
        self.process = process
        self._say = say
        self._about = about

    def __enter__(self) -> Process:
        self.process.start()
        self._say(self.process.name, f"started, pid {self.process.pid}{self._about}.")
        return self.process

    def __exit__(self, *_: Any) -> None:
        self.process.stop()
        self._say(self.process.name, "stopped.")


def restart_ended(processes: Iterable[Process], say: Say) -> None:
    """Start again what has ended by itself."""
    for process in processes:
        if not process.running:
            say(process.name, f"has ended{how_it_ended(process)} and starts again.")
            try:
                process.start()
            except ProcessError as exc:
                say(process.name, str(exc))
            else:
                say(process.name, f"started, pid {process.pid}.")


def how_it_ended(process: Process) -> str:
    """Return how a process has ended, in words; nothing where it was not even started."""
    code = process.process.returncode if process.process else None
    if code is None:
        return ""
    return f" with exit code {code}" if code >= 0 else f" by {signal.Signals(-code).name}"
