"""Reading settings from the environment.

Every variable is read through `Env`, which adds three things to the `environs` library: a wrong value becomes one
`ConfigError` that names the variable and what is allowed, an empty value counts as not set, and `declared` remembers
every variable with its default, so that a test can hold `settings.example.env` against the settings.
"""

from __future__ import annotations

import os
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import environs
from marshmallow import ValidationError, validate

FILE_SUFFIX = "_FILE"
"""Makes the name of the variable that says which file a secret is in, as Docker and Kubernetes mount them."""

MOST_OF_A_FILE = 64 * 1024
"""Bytes of the file of a secret: whoever names a log or a disk by mistake must not wait for it to be read."""

DURATION_HELP = "a duration such as 500ms, 10s, 5m, 24h or 30d"


class ConfigError(Exception):
    """A setting that cannot be used; the message names the variable and what it may be."""


class Env:
    """Typed access to environment variables, with a memory of what was declared."""

    def __init__(self, dotenv: Path | None = None) -> None:
        self._env = environs.Env()
        if dotenv is not None and dotenv.is_file():
            self._env.read_env(str(dotenv), recurse=False)
        self.declared: dict[str, str] = {}
        self.secrets: list[str] = []
        """The variables that may be given as a file, too."""

    def text(self, name: str, default: str = "") -> str:
        """Return a string; an empty variable means the default."""
        return str(self._read(self._env.str, name, default, "a text"))

    def secret(self, name: str, default: str = "") -> str:
        """Return a text that may also be the content of a file, whose path is in `NAME_FILE`.

        White space around the content, such as the line break that editors add, is not part of the secret.
        """
        self.secrets.append(name)
        value, path = self.text(name, default), self._env.str(name + FILE_SUFFIX, default="").strip()
        if not path:
            return value
        if os.environ.get(name, "").strip():
            raise ConfigError(f"{name} and {name}{FILE_SUFFIX} are both set; only one of them can hold.")
        return _content_of(f"{name}{FILE_SUFFIX}", Path(path))

    def flag(self, name: str, default: bool) -> bool:
        """Return a boolean written as 1/0, true/false, yes/no or on/off."""
        return bool(self._read(self._env.bool, name, default, "true or false"))

    def integer(self, name: str, default: int, *, low: int = 0, high: int = 2**31) -> int:
        """Return a whole number from `low` to `high`."""
        allowed = f"a whole number from {low} to {high}"
        limits = validate.Range(low, high)
        return int(self._read(self._env.int, name, default, allowed, validate=limits))

    def decimal(self, name: str, default: str, *, low: str = "0", high: str = "1000000") -> Decimal:
        """Return an exact decimal number from `low` to `high`."""
        allowed = f"a number from {low} to {high}"
        limits = validate.Range(Decimal(low), Decimal(high))
        return Decimal(self._read(self._env.decimal, name, Decimal(default), allowed, validate=limits))

    def duration(self, name: str, default: str, *, low: str = "1ms", high: str = "3650d") -> timedelta:
        """Return a period of time written like `10s`; a bare number is taken as seconds."""
        allowed = f"{DURATION_HELP}, from {low} to {high}"
        limits = validate.Range(_period(low), _period(high))
        value = self._read(self._env.timedelta, name, _period(default), allowed, validate=limits)
        self.declared[name] = default
        assert isinstance(value, timedelta)
        return value

    def words(self, name: str, default: str = "") -> list[str]:
        """Return a list written with commas between its items."""
        items = self.text(name, default).split(",")
        return [item.strip() for item in items if item.strip()]

    def table(self, name: str, *, high: str) -> dict[str, Decimal]:
        """Return numbers from 0 to `high` by name, written as `car=150,van=120`."""
        found: dict[str, Decimal] = {}
        for item in self.words(name):
            key, _, number = item.partition("=")
            try:
                found[key.strip()] = Decimal(number)
                is_allowed = 0 <= found[key.strip()] <= Decimal(high)
            except ArithmeticError as exc:
                raise ConfigError(f"{name}={item!r} must be pairs such as car=150,van=120.") from exc
            if not is_allowed:
                raise ConfigError(f"{name}={item!r} must have numbers from 0 to {high}.")
        return found

    def choice(self, name: str, default: str, options: tuple[str, ...]) -> str:
        """Return one of `options`, whatever the case it is written in."""
        value = self.text(name, default)
        for option in options:
            if option.casefold() == value.casefold():
                return option
        raise ConfigError(f"{name}={value!r} must be one of {', '.join(options)}.")

    def _read(self, read: Any, name: str, default: Any, allowed: str, **options: Any) -> Any:
        self.declared[name] = str(default)
        raw = self._env.str(name, default="")
        if not raw.strip():
            return default
        try:
            return read(name, **options)
        except (environs.EnvError, ValidationError, ArithmeticError, ValueError) as exc:
            raise ConfigError(f"{name}={raw!r} must be {allowed}.") from exc


def _content_of(name: str, path: Path) -> str:
    """Return the text of a secret's file; an error names the variable and the file, never the content."""
    try:
        with path.open("rb") as file:
            content = file.read(MOST_OF_A_FILE + 1)
        text = content.decode().strip()
    except (OSError, ValueError) as exc:
        reason = exc.strerror if isinstance(exc, OSError) else "it is not UTF-8"
        raise ConfigError(f"{name}={str(path)!r} cannot be read: {reason}.") from exc
    if not text:
        raise ConfigError(f"{name}={str(path)!r} is an empty file.")
    if len(content) > MOST_OF_A_FILE:
        raise ConfigError(f"{name}={str(path)!r} has more than {MOST_OF_A_FILE} bytes: it is no secret.")
    return text


def _period(text: str) -> timedelta:
    units = {"ms": 0.001, "s": 1, "m": 60, "h": 3600, "d": 86400}
    number = text.rstrip("mshd")
    return timedelta(seconds=float(number) * units[text[len(number) :]])
