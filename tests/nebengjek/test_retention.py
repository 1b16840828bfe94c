"""Nothing grows for ever without a word: docs/operations.md says of every table and key when it is cleaned."""

import re
from pathlib import Path

from django.apps import apps

from nebengjek.settings import BASE_DIR, CACHES, DECLARED_VARIABLES

SECTION = (BASE_DIR / "docs" / "operations.md").read_text().partition("## What grows, and when it is cleaned")[2]
ROWS = re.findall(r"^\| (`.*?) \| (.*?) \| (.*?) \|$", SECTION.partition("\n## ")[0], re.MULTILINE)
NAMES = {name: (size, cleaned) for names, size, cleaned in ROWS for name in re.findall("`(.+?)`", names)}
"""How much, and when it is cleaned, by the name of a table or the beginning of a key."""


def test_every_table_is_named() -> None:
    """A new model needs a line: how fast it grows, and when its rows go."""
    models = apps.get_models(include_auto_created=True)
    tables = {model._meta.db_table for model in models if model._meta.managed}
    assert {name for name in NAMES if ":" not in name} == tables


def keys_in_source() -> set[str]:
    """Return what our code puts behind the common prefix of all keys in Redis."""
    found: set[str] = set()
    for folder in ("common", "events", "users", "rides", "realtime"):
        for path in Path(BASE_DIR / folder).rglob("*"):
            if path.suffix in (".py", ".lua"):
                found |= set(re.findall(r"""(?:\{PREFIX\}|prefix \.\. ')([a-z][a-z:-]*)""", path.read_text()))
    return {f"nebengjek:{key}" for key in found}


def test_every_key_is_named() -> None:
    """A new key in Redis needs a line, too; groups of the channel layer are channels, and no keys."""
    cache = f"{CACHES['default']['KEY_PREFIX']}:{CACHES['default']['VERSION']}:"
    found = keys_in_source()
    assert "nebengjek:frames:" in found
    assert {name for name in NAMES if ":" in name} == {*found, cache}


def test_it_is_said_when() -> None:
    """Each line says how fast it grows and when it is cleaned; settings that it names exist."""
    for name, (size, cleaned) in NAMES.items():
        assert size, name
        assert cleaned, name
        assert set(re.findall("`([A-Z_]+)`", cleaned)) <= set(DECLARED_VARIABLES), name
