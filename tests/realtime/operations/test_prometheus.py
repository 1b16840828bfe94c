from datetime import timedelta
from typing import Any

import pytest
from django.db import DatabaseError
from django.utils import timezone

from common.redis import sync_redis, sync_shard
from events.dead_letters import Dead, dead_letters_keep
from events.models import DeadLetter, OutboxEvent
from realtime.bridge import status
from realtime.bridge.lease import KEY as LEASE
from realtime.operations import prometheus as module
from realtime.operations.prometheus import exposition
from rides.models import Match
from tests.cast import propose
from tests.metrics import Samples, read_metrics, value_of
from users.codes import code_create
from users.models import Suspicion, User
from users.tallies import tally_add


def samples() -> Samples:
    return read_metrics(exposition().decode())


def test_what_waits_in_the_outbox_is_shown_with_its_age(transactional_db: None) -> None:
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
    monkeypatch.setattr(module, "letters_waiting", fail)
    monkeypatch.setattr(module, "tallies", fail)
    monkeypatch.setattr(module, "overdue", fail)
    monkeypatch.setattr(module, "readiness", dict)
    assert value_of(samples(), "connections", role="driver") == 0
    for name in ("outbox_backlog", "codes_last_hour", "dead_letters", "suspicions_total", "timers_overdue_seconds"):
        with pytest.raises(KeyError):
            value_of(samples(), name)


def test_codes_and_suspicions_are_shown(transactional_db: None) -> None:
    """The alarm on codes compares two gauges; each kind of suspicion is a series."""
    code_create(msisdn="+6281200000001")
    tally_add(Suspicion.REFRESH_REUSED)
    assert (value_of(samples(), "codes_last_hour"), value_of(samples(), "codes_limit")) == (1, 2000)
    assert value_of(samples(), "suspicions_total", kind="refresh_reused") == 1
    assert value_of(samples(), "suspicions_total", kind="codes_capped") == 0


def test_the_bridge_is_shown_where_there_may_be_one(transactional_db: None, redis_url: str, settings: Any) -> None:
    with pytest.raises(KeyError):
        value_of(samples(), "bridge_active")
    settings.DISTRIBUTED = True
    assert value_of(samples(), "bridge_active") == 0
    with pytest.raises(KeyError):
        value_of(samples(), "bridge_lag")
    sync_redis().mset({LEASE: "somebody", status._KEY: 7, status._STUCK: 8.5})
    assert value_of(samples(), "bridge_active") == 1
    assert value_of(samples(), "bridge_lag") == 7
    assert value_of(samples(), "bridge_stuck_seconds") == 8.5


def test_a_process_is_shown_by_itself_but_not_where_it_is_one_of_many(
    transactional_db: None, tmp_path: Any, settings: Any
) -> None:
    assert "process_cpu_seconds_total" in exposition().decode()
    settings.METRICS_FOLDER = str(tmp_path)
    assert "process_cpu_seconds_total" not in exposition().decode()


def test_what_is_overdue_is_shown(transactional_db: None, dewi: User, putri: User) -> None:
    """Nothing is as a rule."""
    match = propose(dewi, putri)
    assert value_of(samples(), "timers_overdue_seconds") == 0
    Match.objects.filter(pk=match.pk).update(expires_at=timezone.now() - timedelta(seconds=40))
    assert 40 <= value_of(samples(), "timers_overdue_seconds") < 60


def test_what_was_given_up_is_shown(transactional_db: None) -> None:
    """Dead letters until they are replayed, events until they are tried again."""
    assert value_of(samples(), "dead_letters") == value_of(samples(), "outbox_given_up") == 0
    dead_letters_keep([Dead("S:1", number, "match.found", b"", {}, "broken") for number in (1, 2)])
    DeadLetter.objects.filter(sequence=1).update(replayed_at=timezone.now())
    OutboxEvent.objects.create(key="k", type="t", subject="s", data={}, audience={}, failed_at=timezone.now())
    assert value_of(samples(), "dead_letters") == 1
    assert value_of(samples(), "outbox_given_up") == 1


def test_readiness_is_shown_by_check(transactional_db: None) -> None:
    """An alert names the check that fails."""
    assert value_of(samples(), "ready", check="database") == 1
    assert value_of(samples(), "ready", check="background") == 0
    with pytest.raises(KeyError):
        value_of(samples(), "ready", check="redis")


def test_shards_are_shown_by_number(transactional_db: None, two_shards: None) -> None:
    """The series of one shard have no such label: its dashboards stay as they are."""
    sync_redis().mset({LEASE: "somebody", status._KEY: 7})
    sync_shard(1).mset({status._KEY: 9})
    found = samples()
    assert [value_of(found, "bridge_active", shard=shard) for shard in "01"] == [1, 0]
    assert [value_of(found, "bridge_lag", shard=shard) for shard in "01"] == [7, 9]
    assert value_of(found, "bridge_relays") == 0
