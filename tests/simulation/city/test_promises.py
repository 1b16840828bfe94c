import json
from datetime import UTC, datetime
from pathlib import Path

from simulation.city.promises import Violation, keep_evidence
from tests.simulation.city.ride import honest


def test_the_frames_concerned_are_kept(tmp_path: Path) -> None:
    """Each violation has a file with the frames of its people, where those of its ride are marked."""
    record, _ = honest()
    record.tracks["r1"] = [{"latitude": -6.2, "received_at": datetime(2026, 11, 27, tzinfo=UTC)}]
    violations = [Violation("books", "wrong", ("Putri",), "r1"), Violation("order", "wrong", ("Tono",))]
    folder = tmp_path / "new"
    first, second = (keep_evidence(violation, record, folder, n) for n, violation in enumerate(violations, 1))
    head, *frames, point = [json.loads(line) for line in first.read_text().splitlines()]
    assert head == {"rule": "books", "text": "wrong", "people": ["Putri"], "ride_id": "r1"}
    assert point == {"track": {"latitude": -6.2, "received_at": "2026-11-27 00:00:00+00:00"}}
    assert {frame["person"] for frame in frames} == {"Putri"}
    assert [frame["frame"]["type"] for frame in frames if frame["concerned"]][-1] == "ride_completed"
    assert not any(json.loads(line).get("concerned") for line in second.read_text().splitlines())
