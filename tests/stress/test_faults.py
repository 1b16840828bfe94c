"""Every plug of the distributed system is pulled during a burst; the full size is `make test-faults`."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partialmethod
from pathlib import Path
from tempfile import TemporaryDirectory
from uuid import UUID

import pytest

from bench.burst import Faults, make_tokens
from devservers.topology import Topology
from tests.stress.faults import FAULTS, Outcome, pull
from tests.stress.half_dead import HALF_DEAD, HalfDead, HalfDeath
from tests.stress.small_disk import can_have_small_disks

pytestmark = pytest.mark.e2e

USERS = 20
ROUNDS = 15


@pytest.fixture(scope="module")
def topology(template_cluster: Path) -> Iterator[HalfDead]:
    """The whole system; every test leaves it running."""
    with TemporaryDirectory() as folder, HalfDead(Path(folder)).with_data_of(template_cluster) as running:
        yield running


@pytest.fixture(scope="module")
def tokens(topology: Topology) -> dict[UUID, str]:
    """Tokens of people who exist in its database."""
    return make_tokens(topology, USERS)


@pytest.mark.parametrize("fault", [name for name in FAULTS if name not in HALF_DEAD])
async def test_nobody_misses_anything(topology: HalfDead, tokens: dict[UUID, str], fault: str) -> None:
    """Whatever is killed during a burst, every client gets every notification once and in order, or the state."""
    outcome: Outcome = await pull(topology, tokens, fault, rounds=ROUNDS)
    assert outcome.faults == Faults()
    assert outcome.told + outcome.covered >= USERS * ROUNDS
    assert outcome.pending == 0


SMALL_DISK = pytest.param(
    "postgres-disk-full",
    marks=pytest.mark.skipif(not can_have_small_disks(), reason="users may not have name spaces here"),
)


@pytest.mark.parametrize(
    "fault",
    [
        "valkey-frozen", "valkey-failover", "postgres-frozen", SMALL_DISK, "postgres-commits", "postgres-failover",
        "nats-frozen", "nats-disk", "nats-refuses", "nats-deleted", "web-stopped",
    ],
)  # fmt: skip
async def test_a_half_dead_server_is_seen_and_costs_nothing(
    topology: HalfDead, tokens: dict[UUID, str], monkeypatch: pytest.MonkeyPatch, fault: str
) -> None:
    """Health names it within 5 s, all is well within 10 s of its end, and the log stays short."""
    monkeypatch.setattr(HalfDeath, "__call__", partialmethod(HalfDeath.__call__, seconds=5.0))
    await test_nobody_misses_anything(topology, tokens, fault)
    sight = topology.sights[-1]
    assert sight.answered_within < 5
    assert sight.well_after is not None
    assert sight.well_after < 10
    assert sight.lines < 100
    if HALF_DEAD[fault].shows is not None and fault != "nats-disk":  # that needs events of our own, as in whole rides
        assert sight.said_after is not None
        assert sight.said_after < 5
