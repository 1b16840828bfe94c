from datetime import timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from common.env import ConfigError, Env


@pytest.mark.parametrize(
    ("text", "period"),
    [
        ("10s", timedelta(seconds=10)),
        ("500ms", timedelta(milliseconds=500)),
        ("5m", timedelta(minutes=5)),
        ("24h", timedelta(hours=24)),
        ("30d", timedelta(days=30)),
        ("1h30m", timedelta(hours=1, minutes=30)),
        ("7", timedelta(seconds=7)),
    ],
)
def test_periods_of_time_are_read(monkeypatch: pytest.MonkeyPatch, text: str, period: timedelta) -> None:
    monkeypatch.setenv("PERIOD", text)
    assert Env().duration("PERIOD", "1s") == period


@pytest.mark.parametrize("text", ["soon", "10 parsecs", "-5s", "0s", "99999999d", "1e3s", "s"])
def test_nonsense_names_the_variable_and_what_is_allowed(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    monkeypatch.setenv("PERIOD", text)
    with pytest.raises(ConfigError, match=r"^PERIOD='.*' must be a duration such as 500ms, 10s.*from 1ms to 1h\.$"):
        Env().duration("PERIOD", "1s", high="1h")


@pytest.mark.parametrize("text", ["x", "1.5", "-1", "11", "1e2", "nan"])
def test_whole_numbers_have_limits(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    monkeypatch.setenv("NUMBER", text)
    with pytest.raises(ConfigError, match=r"NUMBER='.*' must be a whole number from 0 to 10"):
        Env().integer("NUMBER", 5, high=10)


@pytest.mark.parametrize("text", ["x", "nan", "Infinity", "-0.1", "100.1"])
def test_decimals_have_limits(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    monkeypatch.setenv("NUMBER", text)
    with pytest.raises(ConfigError, match=r"NUMBER='.*' must be a number from 0 to 100"):
        Env().decimal("NUMBER", "5", high="100")


def test_decimals_are_exact(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NUMBER", "0.1")
    assert Env().decimal("NUMBER", "5") == Decimal("0.1")


def test_flags_lists_and_choices(monkeypatch: pytest.MonkeyPatch) -> None:
    for text, value in (("1", True), ("off", False), ("TRUE", True), ("no", False)):
        monkeypatch.setenv("FLAG", text)
        assert Env().flag("FLAG", True) is value
    monkeypatch.setenv("FLAG", "maybe")
    with pytest.raises(ConfigError, match="FLAG='maybe' must be true or false"):
        Env().flag("FLAG", True)
    monkeypatch.setenv("WORDS", " a, b ,,c")
    assert Env().words("WORDS") == ["a", "b", "c"]
    monkeypatch.setenv("LEVEL", "debug")
    assert Env().choice("LEVEL", "INFO", ("DEBUG", "INFO")) == "DEBUG"
    monkeypatch.setenv("LEVEL", "loud")
    with pytest.raises(ConfigError, match="LEVEL='loud' must be one of DEBUG, INFO"):
        Env().choice("LEVEL", "INFO", ("DEBUG", "INFO"))


def test_an_empty_variable_means_the_default(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("A", "B", "C", "D", "E"):
        monkeypatch.setenv(name, "  ")
    env = Env()
    assert (env.text("A", "x"), env.flag("B", False), env.integer("C", 5)) == ("x", False, 5)
    assert (env.decimal("D", "0.5"), env.duration("E", "2m")) == (Decimal("0.5"), timedelta(minutes=2))
    assert env.declared == {"A": "x", "B": "False", "C": "5", "D": "0.5", "E": "2m"}


def test_a_file_fills_in_what_the_environment_leaves_open(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    file = tmp_path / ".env"
    file.write_text("FROM_FILE=1\nFROM_BOTH=file\n")
    monkeypatch.setenv("FROM_BOTH", "environment")
    env = Env(dotenv=file)
    assert (env.text("FROM_FILE"), env.text("FROM_BOTH")) == ("1", "environment")


def test_a_table_has_numbers_by_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SPEEDS", "motorcycle=130, van = 90.5")
    assert Env().table("SPEEDS", high="1000") == {"motorcycle": Decimal(130), "van": Decimal("90.5")}
    assert Env().table("NOTHING", high="1000") == {}
    for wrong in ("van", "van=x", "van=-1", "van=1001", "van=NaN"):
        monkeypatch.setenv("SPEEDS", wrong)
        with pytest.raises(ConfigError, match="SPEEDS"):
            Env().table("SPEEDS", high="1000")


def test_a_secret_may_be_a_file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """White space around it, such as the line break of an editor, is not part of it."""
    env = Env()
    assert env.secret("KEY", "default") == "default"
    (tmp_path / "key").write_text("\n of a file \r\n")
    monkeypatch.setenv("KEY_FILE", str(tmp_path / "key"))
    assert env.secret("KEY", "default") == "of a file"
    monkeypatch.setenv("KEY", "  ")
    assert env.secret("KEY") == "of a file"
    assert env.secrets == ["KEY"] * 3


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (None, "cannot be read: No such file or directory"),
        (b"", "is an empty file"),
        (b" \n", "is an empty file"),
        (b"\xff\xfe", "cannot be read: it is not UTF-8"),
        (b"x" * 65_537, "has more than 65536 bytes"),
    ],
)
def test_an_unusable_file_is_named(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, content: bytes | None, reason: str
) -> None:
    """The message names the variable and the file."""
    path = tmp_path / "key"
    if content is not None:
        path.write_bytes(content)
    monkeypatch.setenv("KEY_FILE", str(path))
    with pytest.raises(ConfigError, match=f"^KEY_FILE='{path}' {reason}"):
        Env().secret("KEY")


def test_a_folder_is_no_secret(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Kubernetes mounts a whole secret as a folder; its name alone is a mistake."""
    monkeypatch.setenv("KEY_FILE", str(tmp_path))
    with pytest.raises(ConfigError, match=r"KEY_FILE=.* cannot be read: Is a directory"):
        Env().secret("KEY")


def test_a_secret_is_said_once(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Of a value and a file, nobody could tell which one holds."""
    monkeypatch.setenv("KEY", "value")
    monkeypatch.setenv("KEY_FILE", str(tmp_path / "key"))
    with pytest.raises(ConfigError, match="KEY and KEY_FILE are both set"):
        Env().secret("KEY")
