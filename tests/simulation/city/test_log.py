from pathlib import Path

import msgspec
import pytest

from simulation.city.log import Log, read_log
from simulation.city.record import Fault, Sample


def test_a_log_is_read_while_it_is_written(tmp_path: Path) -> None:
    """Whole lines are read back as what they were; the last one may still be on its way."""
    fault, sample = Fault(1.5, 2.5, "valkey", "kill"), Sample(2.0, "web-1", 7, 1.25, 4096)
    log = Log(tmp_path / "log")
    log.write(fault)
    log.write(sample)
    with (tmp_path / "log").open("ab") as file:
        file.write(b'{"type":"fault","at":')
    assert read_log(tmp_path / "log") == ([fault], [sample])
    log.close()


def test_a_log_of_something_else(tmp_path: Path) -> None:
    """What is no entry is refused, and a file that is not there too."""
    (tmp_path / "log").write_text('{"type":"ride"}\n')
    with pytest.raises(msgspec.ValidationError):
        read_log(tmp_path / "log")
    with pytest.raises(FileNotFoundError):
        read_log(tmp_path / "none")
