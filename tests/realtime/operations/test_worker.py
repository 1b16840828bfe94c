import asyncio
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx
import pytest
from django.db import DatabaseError
from prometheus_client.registry import Collector

from common.background_tasks import end
from realtime.operations import worker
from realtime.operations.health import Check, Checks
from realtime.operations.prometheus import Done
from realtime.operations.worker import Pulse, serve_worker
from tests.metrics import read_metrics, value_of

pytestmark = pytest.mark.django_db(transaction=True)


def well() -> Check:
    return {"ok": True}


def away() -> Check:
    raise DatabaseError("gone\nwith a second line")


@contextmanager
def serving(checks: Checks, *more: Collector, pulse: Pulse | None = None, address: str = "127.0.0.1") -> Iterator[str]:
    """The URL of a worker."""
    server, thread = serve_worker(address, 0, pulse or Pulse(), checks, *more)
    assert server.server_address[0] == address
    yield f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    server.server_close()
    thread.join()


def get(url: str) -> httpx.Response:
    return httpx.get(url, trust_env=False, timeout=10)


def test_metrics_are_shown_to_this_machine() -> None:
    with serving({}, Done(lambda: {"delivered": 3, "dead": 1})) as url:
        shown = read_metrics(get(f"{url}/metrics").text)
    assert value_of(shown, "bridge_messages_total", result="delivered") == 3
    assert value_of(shown, "outbox_backlog") == 0
    assert value_of(shown, "worker_lag_seconds") >= 0


def test_they_may_be_shown_to_others() -> None:
    """Within a pod every scrape comes from another machine."""
    with serving({}, address="0.0.0.0") as url:
        assert get(f"{url}/metrics").status_code == 200


@pytest.mark.parametrize(("check", "status", "said"), [(well, 200, "ok"), (away, 503, "unavailable")])
def test_a_worker_says_what_it_stands_on(check: Any, status: int, said: str) -> None:
    with serving({"database": check, "nats": well}) as url:
        answer = get(f"{url}/health/ready")
    body = answer.json()
    assert (answer.status_code, body["status"]) == (status, said)
    assert body["database"] == ({"ok": True} if status == 200 else {"ok": False, "error": "gone"})
    assert body["nats"] == {"ok": True}
    assert body["loop"]["ok"] is True


async def test_an_event_loop_that_hangs_is_not_alive(monkeypatch: pytest.MonkeyPatch) -> None:
    """The port answers all the same, and a supervisor starts the process again."""
    monkeypatch.setattr(worker, "LATEST", 0.2)
    pulse = Pulse()
    beating = asyncio.create_task(pulse.run())
    with serving({}, pulse=pulse) as url:
        await asyncio.sleep(0)
        assert (await asyncio.to_thread(get, f"{url}/health/live")).status_code == 200
        time.sleep(worker.INTERVAL + 0.3)  # what hangs
        answer = get(f"{url}/health/live")
        assert answer.status_code == 503
        assert answer.json()["loop"]["lag"] > 0.2
    await end(beating)
