"""A small share of `python -m tests.stress.city --faults`: the city lives while processes are killed and frozen."""

from __future__ import annotations

from pathlib import Path

import pytest

from devservers.topology import Topology
from tests.stress.city import ENV, PARSER, run

pytestmark = pytest.mark.e2e


def test_a_city_survives_kills_and_freezes(
    template_cluster: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """Twenty drivers and thirty rides break no promise while processes of the whole system are killed and frozen."""
    people = ["--drivers", "20", "--passengers", "15", "--rides", "30", "--speed", "60"]
    options = PARSER.parse_args(["--faults", "kill", "freeze", "--only", "processes", "--every", "80", *people])
    options.evidence = str(tmp_path / "evidence")
    with Topology(tmp_path, **ENV).with_data_of(template_cluster) as topology:
        code = run(options, topology, tmp_path)
    shown, log = capfd.readouterr()
    assert code == 0, shown + log
    assert "0 violations." in shown
    assert "times kill" in shown
