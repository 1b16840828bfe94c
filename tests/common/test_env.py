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
