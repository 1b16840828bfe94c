"""The names of people."""

from __future__ import annotations

import unicodedata


def is_same_name(one: str, other: str) -> bool:
    """Return whether two spellings are one name: case, accents as one or two characters and spaces do not count."""
    return _folded(one) == _folded(other) != ""


def _folded(name: str) -> str:
    return "".join(unicodedata.normalize("NFKC", name).casefold().split())
