"""What all tests share: a fresh process state for each, and the cast."""

from __future__ import annotations

import gc
import os
import shutil
import subprocess
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from channels.layers import channel_layers
from django.conf import settings
from django.core.cache import cache
from django.db import connection, transaction
from django.db.transaction import Atomic
from django.test import TransactionTestCase
from django.utils import translation
from hypothesis import settings as hypothesis_settings
from xdist.scheduler import LoadFileScheduling

from common.process import process
from common.tracing import tracing
from devservers.web import ServerProcess
from realtime import metrics
from realtime.server.background import Background
from tests import emptying
from tests.cast import make_driver, make_user
from tests.collector import Collector
from tests.forked import Forked, fork_server
from tests.servers import (
    distributed,
    nats_client,
    nats_server,
    other_valkey,
    postgres,
    redis_url,
    template_cluster,
    template_database,
    templates,
    two_shards,
    valkey,
)  # fmt: skip
from users.models import User

gc.disable()  # until the tests are collected: hardly anything of that is garbage, and looking takes a third of the time
hypothesis_settings.register_profile("patient", deadline=None)  # how long an example takes says nothing here
hypothesis_settings.load_profile("patient")

__all__ = [
    "distributed", "nats_client", "nats_server", "other_valkey", "postgres", "redis_url", "template_cluster",
    "template_database", "templates", "two_shards", "valkey",
]  # fmt: skip


LONGEST_FIRST = (
    "stress/test_faults.py",
    "stress/test_city.py",
    "stress/test_rolling.py",
    "stress/test_alone.py",
    "browser/test_demo.py",
    "browser/test_client_js.py",
    "browser/test_demo_network.py",
    "browser/test_demo_page.py",
    "browser/test_admin_pages.py",
    "browser",
    "bench",
    "stress",
    "e2e",
    "clients",
    "examples",
    "devservers",
)
"""Files and folders whose tests take long: if they came last, the other processes would wait for one of them."""


SPREAD = (
    "bench/test_benchmarks.py",
    "stress/test_alone.py",
)
"""Long files whose tests share no server, so any process may take any of them."""


SHARING = ("test_distributed.py", "test_tokens.py", "test_live.py", "test_live_connections.py")
"""Files of `tests/e2e` whose tests share one running system, so one process takes them all."""


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> LoadFileScheduling:
    """Give a process whole files, those that share a system together, and of some files single tests."""
    return ByServers(config, log)


class ByServers(LoadFileScheduling):  # type: ignore[misc]
    """`--dist loadfile`, for which some files are one, and some are many."""

    def _split_scope(self, nodeid: str) -> str:
        path: str = super()._split_scope(nodeid)
        folder, _, file = path.rpartition("/")
        if path.removeprefix("tests/") in SPREAD:
            return nodeid
        return folder if file in SHARING and folder.endswith("e2e") else path


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Begin with what takes long; on PostgreSQL run only what uses the database, since nothing else differs."""
    items.sort(key=_rank)
    if "TESTS_DATABASE_URL" not in os.environ:
        return
    left_out = [item for item in items if not _uses_the_database(item)]
    config.hook.pytest_deselected(items=left_out)
    items[:] = [item for item in items if _uses_the_database(item)]


def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    """Where only what has failed is run again, it is well that nothing has."""
    option = session.config.option
    if exitstatus == pytest.ExitCode.NO_TESTS_COLLECTED and option.lf and option.last_failed_no_failures == "none":
        session.exitstatus = pytest.ExitCode.OK


def pytest_collection_finish() -> None:
    """Collect garbage again, from here on, of what the tests make: to look at all that was collected costs a tenth."""
    gc.freeze()
    gc.enable()


def _rank(item: pytest.Item) -> int:
    path = item.path.relative_to(Path(__file__).parent)
    places = [LONGEST_FIRST.index(name) for name in (path.as_posix(), path.parts[0]) if name in LONGEST_FIRST]
    return places[0] if places else len(LONGEST_FIRST)


def _uses_the_database(item: pytest.Item) -> bool:
    fixtures = set(getattr(item, "fixturenames", ()))
    return bool(fixtures & {"db", "transactional_db"}) or item.get_closest_marker("django_db") is not None


@pytest.fixture(scope="session")
def django_db_modify_db_settings(
    django_db_modify_db_settings_parallel_suffix: None, request: pytest.FixtureRequest
) -> None:
    """Begin on a copy of a migrated database; SQLite has it, and what it puts beside it, in a folder of this run."""
    if "sqlite" not in settings.DATABASES["default"]["ENGINE"]:
        return
    folder: Path = request.getfixturevalue("tmp_path_factory").mktemp("database")
    shutil.copy(request.getfixturevalue("template_database"), folder / "test.sqlite3")
    settings.DATABASES["default"]["TEST"]["NAME"] = str(folder / "test.sqlite3")


@pytest.fixture(scope="session")
def django_db_keepdb() -> bool:
    """Take the copy that is there."""
    return "sqlite" in settings.DATABASES["default"]["ENGINE"]


@pytest.fixture(scope="session", autouse=True)
def _emptied_quickly(request: pytest.FixtureRequest, django_db_setup: None, django_db_blocker: Any) -> None:
    """Let tests with transactions of their own leave an empty database in a way that costs less than Django's."""
    if not any(_uses_the_database(item) for item in request.session.items):
        return  # then there is none
    with django_db_blocker.unblock():
        emptying.remember()
    TransactionTestCase._fixture_teardown = lambda _: emptying.empty()  # type: ignore[attr-defined]


@pytest.fixture(scope="session", autouse=True)
def _threads_let_go_of_the_database(django_db_setup: None) -> Iterator[None]:
    """End the connections that our threads keep open, before PostgreSQL is asked to drop the database."""
    yield
    if connection.vendor == "postgresql":
        database = connection.settings_dict["NAME"]
        with psycopg.connect(os.environ["TESTS_DATABASE_URL"], autocommit=True) as session:
            others = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s"
            session.execute(others, [database])


@pytest.fixture(scope="session", autouse=True)
def _processes_are_forked() -> Iterator[None]:
    """Let the processes of this session have their libraries from one that has imported them."""
    ServerProcess.popen = Forked
    yield
    fork_server.stop()


@pytest.fixture
def real_start(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let Python start the processes of a test, as outside of the tests; some must, to prove the rest right."""
    monkeypatch.setattr(ServerProcess, "popen", subprocess.Popen)


@pytest.fixture(autouse=True)
def _fresh_process() -> Iterator[None]:
    """Begin every test with the memory of a process that has just started."""
    yield
    process.reset()
    for place in range(len(metrics.cells)):
        metrics.cells[place] = 0
    channel_layers.backends.clear()
    cache.clear()
    translation.deactivate()  # what a request with Accept-Language left behind


@pytest.fixture(autouse=True)
def _services_may_be_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """Give what begins within the transaction of a test a savepoint, which it can roll back.

    A service has none of its own (`atomic(savepoint=False)`): whoever calls it begins the transaction and ends it when
    the service refuses. A test that calls it directly in pytest-django's transaction goes on after the refusal.
    """
    enter = Atomic.__enter__

    def enter_with_savepoint(atomic: Any) -> None:
        blocks = transaction.get_connection(atomic.using).atomic_blocks
        is_outermost = bool(blocks) and blocks[-1]._from_testcase
        enter(Atomic(atomic.using, True, False) if is_outermost else atomic)

    monkeypatch.setattr(Atomic, "__enter__", enter_with_savepoint)


@pytest.fixture
async def background(transactional_db: None) -> AsyncIterator[Background]:
    """The relay, the timers, the heartbeat and the tracks, running."""
    running = Background()
    running.ensure_started()
    yield running
    await running.stop()


@pytest.fixture
def traces(settings: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[Collector]:
    """A collector that is sent the traces of this process."""
    yield from _collected(settings, monkeypatch, "parentbased_always_on")


@pytest.fixture
def traces_never(settings: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[Collector]:
    """A collector, and a sampler that records no trace."""
    yield from _collected(settings, monkeypatch, "always_off")


def _collected(settings: Any, monkeypatch: pytest.MonkeyPatch, sampler: str) -> Iterator[Collector]:
    with Collector().running() as collector:
        for name, value in {**collector.env, "OTEL_TRACES_SAMPLER": sampler}.items():
            monkeypatch.setenv(name, value)
        settings.TRACING = True
        tracing.start("web")
        yield collector
        tracing.stop()


@pytest.fixture
def dewi(db: None) -> User:
    """A driver."""
    return make_driver("+6281200000001", "Dewi")


@pytest.fixture
def joko(db: None) -> User:
    """Another driver."""
    return make_driver("+6281200000002", "Joko")


@pytest.fixture
def putri(db: None) -> User:
    """A passenger."""
    return make_user("+6281200000003", "Putri")


@pytest.fixture
def sari(db: None) -> User:
    """Another passenger."""
    return make_user("+6281200000004", "Sari")


@pytest.fixture
def tono(db: None) -> User:
    """A stranger, who must see and do nothing."""
    return make_user("+6281200000005", "Tono")
