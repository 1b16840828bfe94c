"""The names of the files in which workers count."""

from pathlib import Path

from common.metric_files import worker_ended


def test_an_ended_worker_is_renamed(tmp_path: Path) -> None:
    """The file of a worker that ended gets the other suffix; one that never counted is no error."""
    (tmp_path / "12.live").write_bytes(b"x")
    worker_ended(tmp_path, 12)
    worker_ended(tmp_path, 99)
    assert [path.name for path in tmp_path.iterdir()] == ["12.ended"]
