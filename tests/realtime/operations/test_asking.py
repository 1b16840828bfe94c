import threading
import time

import pytest

from realtime.operations import asking
from realtime.operations.asking import Asker, Unanswered


@pytest.fixture
def frozen(monkeypatch: pytest.MonkeyPatch) -> threading.Event:
    """What a frozen server waits for."""
    monkeypatch.setattr(asking, "PATIENCE", 0.2)
    return threading.Event()


def test_what_is_frozen_hides_nothing_else(frozen: threading.Event) -> None:
    """The others have answered, and all of it takes no longer than the patience."""
    began = time.monotonic()
    answers = Asker().ask({"frozen": frozen.wait, "well": lambda: True, "slow": lambda: frozen.wait(0.05)})
    assert time.monotonic() - began < 5
    assert answers.of("well") is True
    assert answers.of("slow") is False
    with pytest.raises(Unanswered, match="no answer within"):
        answers.of("frozen")
    frozen.set()


def test_what_is_raised_is_raised(frozen: threading.Event) -> None:
    answers = Asker().ask({"broken": lambda: 1 // 0, "well": lambda: 1})
    with pytest.raises(ZeroDivisionError):
        answers.of("broken")
    assert answers.of("well") == 1


def test_a_frozen_server_is_asked_by_one_thread_however_often(frozen: threading.Event) -> None:
    """Probes come every few seconds; a frozen server must not use the threads up."""
    asked, asker = list[int](), Asker()

    def question() -> bool:
        asked.append(1)
        return frozen.wait()

    for _ in range(5):
        with pytest.raises(Unanswered):
            asker.ask({"frozen": question}).of("frozen")
    assert asked == [1]
    frozen.set()
    assert asker.ask({"frozen": question}).of("frozen") is True
