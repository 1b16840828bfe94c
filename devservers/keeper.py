"""Ends the processes that this one has started, if it dies without having done so.

One small process for each process that starts servers: it receives their pids, and its standard input ends when the one
that writes there ends, however that happens. (The kernel's own way, a signal on the death of the parent, goes by the
thread that started the process, and comes too early when that thread ends.)
"""

from __future__ import annotations

import atexit
import contextlib
import os
import signal
import subprocess
import sys
import threading

_lock = threading.Lock()
_keeper: subprocess.Popen[str] | None = None


def keep(pid: int, stop_signal: signal.Signals = signal.SIGTERM) -> None:
    """Have a process stopped when this one has died."""
    _tell(f"{pid} {stop_signal:d}")


def release(pid: int) -> None:
    """Forget a process that has ended."""
    _tell(f"{pid} 0")


def _tell(line: str) -> None:
    """Write to the keeper, which is started by the first who does."""
    global _keeper  # noqa: PLW0603 - there is one for each process
    with _lock, contextlib.suppress(BrokenPipeError):
        if _keeper is None:
            _keeper = subprocess.Popen(
                [sys.executable, "-I", "-S", __file__],
                stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True, start_new_session=True,
            )  # fmt: skip
            atexit.register(_dismiss, _keeper)
        assert _keeper.stdin is not None
        _keeper.stdin.write(line + "\n")
        _keeper.stdin.flush()


def _dismiss(keeper: subprocess.Popen[str]) -> None:
    """Close its input, upon which it stops what is left, and wait for it."""
    assert keeper.stdin is not None
    with contextlib.suppress(BrokenPipeError):
        keeper.stdin.close()
    keeper.wait()


def main() -> None:
    """Follow who is kept until the other end has gone, then stop those who are left."""
    kept: dict[int, int] = {}
    for line in sys.stdin:
        pid, number = map(int, line.split())
        kept[pid] = number
    for pid, number in kept.items():
        if number:
            with contextlib.suppress(OSError):
                os.kill(pid, number)


if __name__ == "__main__":
    main()
