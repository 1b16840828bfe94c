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


def test_a_child_says_its_lines_to_the_last(make: Make, lines: Lines) -> None:
    with Kept(make(POLITE), lines, about=", here") as child:
        lines.wait_for("web", "ready")
        pid = child.pid
    # Whether it is said that it has started before or after its own first line is for the machine to decide.
    assert sorted(lines[:2]) == [("web", "ready"), ("web", f"started, pid {pid}, here.")]
    assert lines[2:] == [("web", "Done."), ("web", "stopped.")]


def test_what_it_writes_to_standard_error_is_said_too(make: Make, lines: Lines) -> None:
    with make("import sys; sys.stderr.buffer.write(b'caf\\xe9\\n')"):
        lines.wait_for("web", "caf\N{REPLACEMENT CHARACTER}")


def test_one_that_ends_by_itself_is_started_again(make: Make, lines: Lines) -> None:
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


def test_one_that_cannot_start_is_tried_again_later(make: Make, lines: Lines, monkeypatch: pytest.MonkeyPatch) -> None:
    child = make(SERVE)

    def fail() -> Child:
        raise ProcessError("There is none.")

    monkeypatch.setattr(child, "start", fail)
    restart_ended([child, make(SERVE)], lines)
    assert [line for _, line in lines[:3]] == ["has ended and starts again.", "There is none.", lines[2][1]]
    assert lines[3][1].startswith("started, pid ")


def test_one_that_does_not_stop_is_ended(make: Make, lines: Lines, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(process, "STOP_TIMEOUT", 0.1)
    child = make(DEAF).start()
    lines.wait_for("web", "ready")
    with pytest.raises(ProcessError, match=r"web does not stop within 0\.1 s"):
        child.stop()
    assert not child.running


def test_its_end_is_told_in_words(make: Make) -> None:
    child = make("raise SystemExit(3)").start()
    until_true(lambda: not child.running, "It still runs.")
    assert how_it_ended(child) == " with exit code 3"


def test_names_stand_in_a_column(capsys: pytest.CaptureFixture[str]) -> None:
    say = Printer(5, colours=False)
    say("web", "one")
    say("nats", "two")
    assert capsys.readouterr().out == "web   | one\nnats  | two\n"


def test_each_name_has_its_colour_on_a_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    say = Printer(3, colours=True)
    for name in ("a", "b", "a"):
        say(name, "x")
    first, second, third = capsys.readouterr().out.splitlines()
    assert first == third == "\033[36ma   |\033[0m x"
    assert second == "\033[33mb   |\033[0m x"
