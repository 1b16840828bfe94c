import asyncio
import json
import logging

import pytest
from django.db import OperationalError

from common.logs import ContextFilter, JSONFormatter, LineFormatter, Outages, log_about
from common.threads import in_read_thread


class Recorder(logging.Handler):
    """Keeps records with their context."""

    def __init__(self) -> None:
        super().__init__()
        self.records: list[logging.LogRecord] = []
        self.addFilter(ContextFilter())

    def emit(self, record: logging.LogRecord) -> None:
        self.records.append(record)


@pytest.fixture
def recorder() -> Recorder:
    """What the logger `rides` says."""
    return Recorder()


async def test_each_task_says_its_own_context_and_so_do_the_threads_it_uses(recorder: Recorder) -> None:
    logger = logging.getLogger("rides.of_a_test")
    logger.addHandler(recorder)
    logger.setLevel(logging.INFO)

    async def work(user: str) -> None:
        log_about(connection="c", user_id=user)
        log_about(frame="sync")
        await asyncio.sleep(0)
        await in_read_thread(logger.info, "done")

    await asyncio.gather(work("dewi"), work("putri"))
    logger.removeHandler(recorder)
    assert sorted(record.user_id for record in recorder.records) == ["dewi", "putri"]  # type: ignore[attr-defined]
    assert (
        LineFormatter()
        .format(recorder.records[0])
        .endswith("rides.of_a_test: done [connection=c user_id=dewi frame=sync]")
    )
    told = json.loads(JSONFormatter().format(recorder.records[0]))
    del told["timestamp"]
    assert told == {
        "level": "INFO", "name": "rides.of_a_test", "message": "done",
        "connection": "c", "user_id": "dewi", "frame": "sync",
    }  # fmt: skip


def test_without_a_context_a_line_is_just_its_message() -> None:
    record = logging.LogRecord("a", logging.ERROR, "", 0, "it is %s", ("late",), None)
    assert LineFormatter().format(record).endswith("ERROR a: it is late")
    told = json.loads(JSONFormatter().format(record))
    assert (told["level"], told["message"]) == ("ERROR", "it is late")


def test_an_outage_is_a_line_a_minute_whoever_logs_it(recorder: Recorder, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without its traceback, by message and reason; a fault of ours is logged each time, in full."""
    now = [1000.0]
    monkeypatch.setattr("common.retrying.time.monotonic", lambda: now[0])
    recorder.addFilter(Outages())
    logger = logging.getLogger("rides.of_a_test")
    logger.addHandler(recorder)

    def fail(error: Exception, path: str = "/live/") -> None:
        try:
            raise error
        except Exception:
            logger.exception("Could not answer %s.", path)

    for path in ("/live/", "/admin/"):
        fail(OperationalError("disk I/O error\nLINE 1"), path)
        fail(OperationalError("database is locked"), path)
        fail(RuntimeError("broken"), path)
    now[0] += 60
    fail(OperationalError("disk I/O error"))
    logger.removeHandler(recorder)
    assert [(record.getMessage(), bool(record.exc_info)) for record in recorder.records] == [
        ("Could not answer /live/.: disk I/O error", False),
        ("Could not answer /live/.: database is locked", False),
        ("Could not answer /live/.", True),
        ("Could not answer /admin/.", True),
        ("Could not answer /live/.: disk I/O error", False),
    ]
