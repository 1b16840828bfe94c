"""What tests start by forking is what Python would have started."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from devservers.web import ServerProcess
from nebengjek.settings import BASE_DIR
from tests.forked import Forked, run
from tests.patience import TIMEOUT

WHAT_IS_SEEN = """
import gc, json, os, signal, sys, threading

print(json.dumps({
    "name": __name__, "file": __file__, "argv": sys.argv, "path": sys.path, "env": dict(os.environ),
    "folder": os.getcwd(), "umask": os.umask(0), "files": os.listdir("/proc/self/fd"), "stdin": sys.stdin.read(),
    "parent": os.getppid(), "group": os.getpgid(0), "session": os.getsid(0),
    "threads": os.listdir("/proc/self/task")[1:],
    "flags": sys.flags, "unbuffered": sys.stdout.write_through, "encoding": sys.stdout.encoding,
    "signals": [str(signal.getsignal(number)) for number in signal.valid_signals()],
    "blocked": sorted(signal.pthread_sigmask(signal.SIG_BLOCK, [])), "garbage": gc.isenabled(),
    "main": threading.current_thread() is threading.main_thread(),
    "ours": [name for name in sys.modules if name.split(".")[0] in ("common", "nebengjek", "rides", "users")],
}), flush=True)
"""

LIBRARIES_ALONE = """
import sys
from django.apps import apps
from django.conf import settings
from tests.fork_server import import_libraries

before = set(sys.modules)
import_libraries()
print(settings.configured, apps.apps_ready, sorted({name.split(".")[0] for name in set(sys.modules) - before}))
"""

START_AND_SHOW = """
from pathlib import Path
from devservers.web import ServerProcess
server = ServerProcess(Path("/tmp"), "-m", "timeit", "--number=1", "print('a server'); input()").launch()
print(server.wait_for("(a server)"), Path(f"/proc/{server.process.pid}/cmdline").read_text())
server.kill()
"""

OURS = {"common", "events", "users", "rides", "simulation", "realtime", "web", "nebengjek", "nebengjek_client"}

Script = Callable[[str], ServerProcess]


@pytest.fixture
def script(tmp_path: Path) -> Script:
    """Make a process of a script."""

    def script(code: str, **env: str) -> ServerProcess:
        (tmp_path / "script.py").write_text(code)
        return ServerProcess(tmp_path, str(tmp_path / "script.py"), "a word", **env)

    return script


def is_forked(process: ServerProcess) -> bool:
    assert process.process is not None
    return b"fork_server" in Path(f"/proc/{process.process.pid}/cmdline").read_bytes()


def seen(process: ServerProcess, how: type[subprocess.Popen[str]], monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """Return what a process sees of itself."""
    monkeypatch.setattr(ServerProcess, "popen", how)
    assert process.launch()._wait() == 0, process.output
    found: dict[str, Any] = json.loads(process.output[-1])
    return found


def test_a_forked_process_sees_the_same(script: Script, monkeypatch: pytest.MonkeyPatch) -> None:
    """Arguments, environment, files, signals and parents are those of a process that Python started."""
    process = script(WHAT_IS_SEEN)
    assert seen(process, Forked, monkeypatch) == seen(process, subprocess.Popen, monkeypatch)


@pytest.mark.parametrize(
    ("code", "exit_code", "last"),
    [
        ("", 0, ""),
        ("import sys; sys.exit(3)", 3, ""),
        ("import sys; sys.exit('said')", 1, "said"),
        ("1 / 0", 1, "ZeroDivisionError"),
        ("import atexit; atexit.register(print, 'at exit')", 0, "at exit"),
        ("import threading; threading.Timer(0.1, print, ['later']).start()", 0, "later"),
        (
            "import os, signal; signal.signal(2, signal.default_int_handler); os.kill(os.getpid(), signal.SIGINT)",
            -signal.SIGINT,
            "KeyboardInterrupt",
        ),
    ],
)
def test_a_forked_process_ends_the_same(script: Script, code: str, exit_code: int, last: str) -> None:
    process = script(code).launch()
    assert process._wait() == exit_code
    assert last in "".join(process.output[-1:])


def test_signals_reach_it(script: Script) -> None:
    """It is stopped, continued and killed by its own number."""
    process = script("import time; print('here'); time.sleep(300)").launch()
    process.wait_for("(here)")
    assert process.process is not None
    assert is_forked(process)
    pid = process.process.pid
    os.kill(pid, signal.SIGSTOP)
    assert os.WIFSTOPPED(os.waitpid(pid, os.WUNTRACED)[1])
    os.kill(pid, signal.SIGCONT)
    assert process.is_alive
    process.kill()
    assert process.process.returncode == -signal.SIGKILL


def test_orphans_are_nobodys_child_of_ours(script: Script) -> None:
    """What a started process leaves behind does not become a child of the tests."""
    code = """
import os, subprocess, sys, time
print(subprocess.Popen([sys.executable, "-c", "import time; time.sleep(300)"]).pid)
"""
    process = script(code).launch()
    orphan = int(process.wait_for(r"(\d+)"))
    assert process.process is not None
    process.process.wait(TIMEOUT)
    try:
        with pytest.raises(ChildProcessError):
            os.waitpid(orphan, os.WNOHANG)
    finally:
        os.kill(orphan, signal.SIGKILL)
        process._wait()


@pytest.mark.parametrize(
    ("command", "env", "forked"),
    [
        (("sleep.py",), {}, True),
        (("sleep.py",), {"SECRET_KEY": "another", "DOTENV": "none"}, True),
        (("sleep.py",), {"TZ": "Pacific/Chatham"}, False),
        (("sleep.py",), {"PYTHONHASHSEED": "1"}, False),
        (("sleep.py",), {"LD_PRELOAD": ""}, False),
        (("-c", "import time; print('here'); time.sleep(300)"), {}, False),
    ],
)
def test_others_are_started(tmp_path: Path, command: tuple[str, ...], env: dict[str, str], forked: bool) -> None:
    """What Python or a library reads of the environment before a script runs must be the same, or Python starts it."""
    (tmp_path / "sleep.py").write_text("import time; print('here'); time.sleep(300)")
    first = str(tmp_path / command[0]) if command[0].endswith(".py") else command[0]
    process = ServerProcess(tmp_path, first, *command[1:], **env).launch()
    process.wait_for("(here)")
    assert is_forked(process) is forked
    process.kill()


def test_another_folder_is_started(script: Script, tmp_path: Path) -> None:
    """Another version of the code has its own libraries."""
    process = script("import time; print('here'); time.sleep(300)")
    process.run_from(tmp_path)
    process.launch().wait_for("(here)")
    assert not is_forked(process)
    process.kill()


@pytest.mark.usefixtures("real_start")
def test_a_test_can_ask_for_a_start(script: Script) -> None:
    process = script("import time; print('here'); time.sleep(300)").launch()
    process.wait_for("(here)")
    assert not is_forked(process)
    process.kill()


def test_only_libraries_are_imported_before() -> None:
    """Nothing of ours, which reads settings, and nothing that reads settings, is there before the fork."""
    done = subprocess.run(
        [sys.executable, "-c", LIBRARIES_ALONE], cwd=BASE_DIR, capture_output=True, text=True, check=True
    )
    configured, ready, packages = done.stdout.split(maxsplit=2)
    assert (configured, ready) == ("False", "False")
    assert not OURS & set(eval(packages))


def test_a_module_is_run_as_well() -> None:
    """`python -m` finds a module of the project, and its arguments are its own."""
    done = run("bench.growth", "--help", env=dict(os.environ), timeout=TIMEOUT)
    assert done.stdout.startswith("usage: python -m bench.growth"), done.stderr


def test_what_a_module_starts_is_forked() -> None:
    """A benchmark is started, and the servers that it starts are forked."""
    done = run("timeit", "--number=1", "--repeat=1", START_AND_SHOW, env=dict(os.environ), timeout=TIMEOUT)
    assert "tests.forking" in done.stdout, done.stderr
    assert "a server" in done.stdout
