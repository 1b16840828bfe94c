"""`python -m tests.forking MODULE...`: run a module as `python -m` does, and fork what it starts of the project.

They come from a copy of this process that has imported the libraries, as in `tests/forked.py`. What measures starts
several of them, each of which costs a second of processor otherwise.
"""

from __future__ import annotations

import os
import socket
import sys

from tests.fork_server import import_libraries, run, serve


def main() -> None:
    """Fork what forks, and run the module; return where that is the task of another process."""
    import_libraries()
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    if os.fork() == 0:
        ours.close()
        if serve(theirs):
            run(sys.argv)
        return
    theirs.close()
    _start_by_forking(ours)
    run(["-m", *sys.argv[1:]])


def _start_by_forking(link: socket.socket) -> None:
    from devservers.web import ServerProcess
    from tests.forked import Forked, fork_server

    fork_server.use(link)
    ServerProcess.popen = Forked


if __name__ == "__main__":
    main()
