"""The processes of the system, with their output in ours."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from devservers import process
from devservers.child import Child, Kept, Printer, how_it_ended, restart_ended
from devservers.process import ProcessError
from tests.patience import until_true

SERVE = "import os, signal, time; print('ready', flush=True); time.sleep(1000)"
DEAF = f"import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); {SERVE}"
POLITE = f"import signal, sys; signal.signal(signal.SIGTERM, lambda *_: (print('Done.'), sys.exit(0))); {SERVE}"

Make = Callable[[str], Child]


class Lines(list[tuple[str, str]]):
    """What was said."""

    def __call__(self, name: str, line: str) -> None:
        self.append((name, line))

    def wait_for(self, *line: str) -> None:
        until_true(lambda: line in self, f"{line} is not in {self}.")


@pytest.fixture
def lines() -> Lines:
    """What was said."""
    return Lines()


@pytest.fixture
def make(lines: Lines, tmp_path: Path) -> Iterator[Make]:
    """Make children that run some Python; what still runs at the end is ended."""
    made: list[Child] = []

    def child(code: str) -> Child:
        made.append(Child("web", [sys.executable, "-c", code], tmp_path, dict(os.environ), lines))
        return made[-1]

    yield child
    for each in made:
        each.kill()


def test_all_lines_are_printed(make: Make, lines: Lines) -> None:
    """All lines of a child are printed, up to the last ones after SIGTERM."""
    with Kept(make(POLITE), lines, about=", here") as child:
        lines.wait_for("web", "ready")
        pid = child.pid
    # Whether it is said that it has started before or after its own first line is for the machine to decide.
    assert sorted(lines[:2]) == [("web", "ready"), ("web", f"started, pid {pid}, here.")]
    assert lines[2:] == [("web", "Done."), ("web", "stopped.")]


def test_standard_error_is_printed(make: Make, lines: Lines) -> None:
    """What a child writes to standard error is printed too, whatever its encoding."""
    with make("import sys; sys.stderr.buffer.write(b'caf\\xe9\\n')"):
        lines.wait_for("web", "caf\N{REPLACEMENT CHARACTER}")


def test_an_ended_child_is_restarted(make: Make, lines: Lines) -> None:
    """A child that ends by itself is started again."""
    with make(SERVE) as child:
        pid = child.pid
        restart_ended([child], lines)
        assert child.pid == pid
        os.kill(pid, 9)
        until_true(lambda: not child.running, "It still runs.")
        restart_ended([child], lines)
        assert child.running
        assert child.pid != pid
        assert ("web", "has ended by SIGKILL and starts again.") in lines
        assert ("web", f"started, pid {child.pid}.") in lines


def test_a_failed_start_is_retried(make: Make, lines: Lines, monkeypatch: pytest.MonkeyPatch) -> None:
    """A child that cannot start does not keep others from starting."""
    child = make(SERVE)

    def fail() -> Child:
        raise ProcessError("There is none.")

    monkeypatch.setattr(child, "start", fail)
    restart_ended([child, make(SERVE)], lines)
    said = [line for _, line in lines if line != "ready"]  # which the other one says, sooner or later
    assert said[:3] == ["has ended and starts again.", "There is none.", "has ended and starts again."]
    assert said[3].startswith("started, pid ")


def test_a_deaf_child_is_killed(make: Make, lines: Lines, monkeypatch: pytest.MonkeyPatch) -> None:
    """A child that ignores SIGTERM is killed after STOP_TIMEOUT."""
    monkeypatch.setattr(process, "STOP_TIMEOUT", 0.1)
    child = make(DEAF).start()
    lines.wait_for("web", "ready")
    with pytest.raises(ProcessError, match=r"web does not stop within 0\.1 s"):
        child.stop()
    assert not child.running


def test_exits_are_described(make: Make) -> None:
    """How a child has ended is described in words."""
    child = make("raise SystemExit(3)").start()
    until_true(lambda: not child.running, "It still runs.")
    assert how_it_ended(child) == " with exit code 3"


def test_names_stand_in_a_column(capsys: pytest.CaptureFixture[str]) -> None:
    """Names are padded to one width."""
    say = Printer(5, colours=False)
    say("web", "one")
    say("nats", "two")
    assert capsys.readouterr().out == "web   | one\nnats  | two\n"


def test_names_have_colours(capsys: pytest.CaptureFixture[str]) -> None:
    """On a terminal each name has a colour of its own."""
    say = Printer(3, colours=True)
    for name in ("a", "b", "a"):
        say(name, "x")
    first, second, third = capsys.readouterr().out.splitlines()
    assert first == third == "\033[36ma   |\033[0m x"
    assert second == "\033[33mb   |\033[0m x"
