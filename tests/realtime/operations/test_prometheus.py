import socket
from datetime import timedelta
from typing import Any

import httpx
import pytest
from django.db import DatabaseError
from django.utils import timezone

from common.redis import sync_redis
from events.models import OutboxEvent
from realtime.bridge import status
from realtime.bridge.lease import KEY as LEASE
from realtime.operations import prometheus as module
from realtime.operations.prometheus import Done, exposition, serve_metrics
from tests.metrics import Samples, read_metrics, value_of
from users.codes import code_create
from users.models import Suspicion
from users.tallies import tally_add


def samples() -> Samples:
    return read_metrics(exposition().decode())


def test_what_waits_in_the_outbox_is_shown_with_its_age(db: None) -> None:
    assert value_of(samples(), "outbox_backlog") == value_of(samples(), "outbox_age_seconds") == 0
    for _ in range(2):
        OutboxEvent.objects.create(key="k", type="t", subject="s", data={}, audience={})
    OutboxEvent.objects.create(key="k", type="t", subject="s", data={}, audience={}, published_at=timezone.now())
    OutboxEvent.objects.update(created_at=timezone.now() - timedelta(seconds=100))
    assert value_of(samples(), "outbox_backlog") == 2
    assert 100 <= value_of(samples(), "outbox_age_seconds") < 200


def test_what_cannot_be_known_is_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail() -> None:
        raise DatabaseError("gone")

    monkeypatch.setattr(module, "backlog", fail)
    monkeypatch.setattr(module, "codes_of_the_hour", fail)
    assert value_of(samples(), "connections", role="driver") == 0
    for name in ("outbox_backlog", "codes_last_hour"):
        with pytest.raises(KeyError):
            value_of(samples(), name)


def test_codes_and_suspicions_are_shown(db: None) -> None:
    """The alarm on codes compares two gauges; each kind of suspicion is a series."""
    code_create(msisdn="+6281200000001")
    tally_add(Suspicion.REFRESH_REUSED)
    assert (value_of(samples(), "codes_last_hour"), value_of(samples(), "codes_limit")) == (1, 2000)
    assert value_of(samples(), "suspicions_total", kind="refresh_reused") == 1
    assert value_of(samples(), "suspicions_total", kind="codes_capped") == 0


def test_the_bridge_is_shown_where_there_may_be_one(db: None, redis_url: str, settings: Any) -> None:
    with pytest.raises(KeyError):
        value_of(samples(), "bridge_active")
    settings.DISTRIBUTED = True
    assert value_of(samples(), "bridge_active") == 0
    with pytest.raises(KeyError):
        value_of(samples(), "bridge_lag")
    sync_redis().mset({LEASE: "somebody", status._KEY: 7})
    assert value_of(samples(), "bridge_active") == 1
    assert value_of(samples(), "bridge_lag") == 7


def test_a_process_is_shown_by_itself_but_not_where_it_is_one_of_many(db: None, tmp_path: Any, settings: Any) -> None:
    assert "process_cpu_seconds_total" in exposition().decode()
    settings.METRICS_FOLDER = str(tmp_path)
    assert "process_cpu_seconds_total" not in exposition().decode()


def test_a_process_without_a_web_server_shows_what_it_does_to_this_machine(transactional_db: None) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    server, thread = serve_metrics(port, Done(lambda: {"delivered": 3, "dead": 1}))
    shown = read_metrics(httpx.get(f"http://127.0.0.1:{port}/metrics", trust_env=False).text)
    assert server.server_address == ("127.0.0.1", port)
    assert value_of(shown, "bridge_messages_total", result="delivered") == 3
    assert value_of(shown, "outbox_backlog") == 0
    server.shutdown()
    server.server_close()
    thread.join()
