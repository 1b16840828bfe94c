"""Every plug of the distributed system is pulled during a burst; the full size is `make test-faults`."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from uuid import UUID

import pytest

from bench.burst import Faults, make_tokens
from devservers.topology import Topology
from tests.stress.faults import FAULTS, Outcome, pull

pytestmark = pytest.mark.e2e

USERS = 20
ROUNDS = 15


@pytest.fixture(scope="module")
def topology() -> Iterator[Topology]:
    """The whole system; every test leaves it running."""
    with TemporaryDirectory() as folder, Topology(Path(folder)) as running:
        yield running


@pytest.fixture(scope="module")
def tokens(topology: Topology) -> dict[UUID, str]:
    """Tokens of people who exist in its database."""
    return make_tokens(topology, USERS)


@pytest.mark.parametrize("fault", FAULTS)
async def test_nobody_misses_anything(topology: Topology, tokens: dict[UUID, str], fault: str) -> None:
    """Whatever is killed during a burst, every client gets every notification once and in order, or the state."""
    outcome: Outcome = await pull(topology, tokens, fault, rounds=ROUNDS)
    assert outcome.faults == Faults()
    assert outcome.told + outcome.covered >= USERS * ROUNDS
    assert outcome.pending == 0
