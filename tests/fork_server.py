"""`python -m tests.fork_server`: starts processes of the project by forking, with the libraries imported already.

To import them takes three quarters of the 0.75 s of processor that a start of `manage.py serve` costs. A process that
is forked reads its environment, the settings and all code of ours by itself, as if it were started: of what is
imported before, nothing is ours and nothing needs the settings.

It serves the process at the other end of its standard input, which becomes the parent of what it starts; see
`tests/forked.py`. Requests and answers are messages of JSON.
"""

from __future__ import annotations

import gc
import importlib
import json
import os
import runpy
import socket
import sys
import threading
import time

LIBRARIES = (
    "channels.generic.websocket",
    "channels.layers",
    "channels.middleware",
    "corsheaders.middleware",
    "cryptography.hazmat.primitives.asymmetric.ec",
    "csp.middleware",
    "dj_database_url",
    "django.contrib.admin.views.main",
    "django.core.management.commands.migrate",
    "django.db.backends.postgresql.base",
    "django.db.backends.sqlite3.base",
    "django.forms",
    "django.template.defaulttags",
    "django.templatetags.i18n",
    "django.views.debug",
    "django_stubs_ext",
    "environs",
    "filelock",
    "httpx",
    "jwt",
    "msgspec.json",
    "nats.aio.client",
    "phonenumbers",
    "prometheus_client.openmetrics.exposition",
    "psycopg",
    "pythonjsonlogger.json",
    "redis.asyncio",
    "rest_framework.serializers",
    "segno",
    "uritemplate",
    "uvicorn.protocols.http.httptools_impl",
    "uvicorn.protocols.websockets.websockets_sansio_impl",
    "uvloop",
    "whitenoise.middleware",
    "yaml",
)
"""What `serve`, the bridge and the dispatcher import of others, and what can be imported without settings."""

MOST_BYTES = 200_000
"""Of a message; the environment is the most of it."""

FILES = 3
"""The files that come with a request: standard input, output and error."""


def import_libraries() -> None:
    """Import them for all that are forked, and let no collection of garbage touch, and so copy, them there."""
    before = set(sys.modules)
    left_out = importlib.import_module("common.left_out")
    left_out.leave_out(left_out.WITHOUT | left_out.WITHOUT_FOR_NATS)
    for name in LIBRARIES:
        importlib.import_module(name)
    for name in {"common", "common.left_out"} - before:  # nothing of ours may be there in what is forked
        del sys.modules[name]
    gc.collect()
    gc.freeze()


def serve(link: socket.socket) -> bool:
    """Start what is asked for; return True in each process that was started, False at the end of the link."""
    link.send(json.dumps({"pid": os.getpid(), "env": dict(os.environ)}).encode())
    while True:
        message, files, _, _ = socket.recv_fds(link, MOST_BYTES, FILES)
        if not message:
            return False
        if _fork(link):
            link.close()
            _become(files, **json.loads(message))
            return True
        for file in files:
            os.close(file)


def _fork(link: socket.socket) -> bool:
    """Return True in a new process, whose parent ends at once, so that the other end of the link becomes it."""
    between = os.fork()
    if between == 0:
        first_parent = os.getpid()
        pid = os.fork()
        if pid == 0:
            while os.getppid() == first_parent:
                time.sleep(0.001)
            return True
        link.send(json.dumps({"pid": pid}).encode())
        os._exit(0)
    os.waitpid(between, 0)
    link.send(json.dumps({"parted": True}).encode())
    return False


def _become(files: list[int], *, command: list[str], env: dict[str, str]) -> None:
    """Look like a process that was started with a command."""
    for number, file in enumerate(files):
        os.dup2(file, number)
        os.close(file)
    os.environ.clear()
    os.environ.update(env)
    sys.argv = command


def run(command: list[str]) -> None:
    """Do what Python does with a command line: run a script, or a module after `-m`."""
    if command[0] == "-m":
        sys.argv = command[1:]
        sys.path[0] = os.getcwd()
        runpy.run_module(command[1], run_name="__main__", alter_sys=True)
    else:
        sys.path[0] = os.path.dirname(os.path.abspath(command[0]))
        runpy.run_path(command[0], run_name="__main__")


def main() -> bool:
    """Serve; return whether this is a process that was started."""
    import_libraries()
    assert threading.active_count() == 1
    link = socket.socket(fileno=os.dup(0))
    with open(os.devnull) as nothing:
        os.dup2(nothing.fileno(), 0)
    return serve(link)


if __name__ == "__main__" and main():
    run(sys.argv)
