"""The names of people, in any script."""

from __future__ import annotations

import unicodedata

from django.utils.translation import gettext as _

from common.text import JOINERS, without_format_characters

REFUSED = ("Cc", "Cs", "Co", "Zl", "Zp")
"""Categories of characters that are in no name: control, half surrogates, private use, line and paragraph ends."""


def clean_name(text: str) -> str:
    """Return a name as it is kept: composed (NFC), single spaces, without marks of direction.

    Phones put such marks around right-to-left text unasked, and they would turn the rest of a line around. Joiners
    stay: Persian, Indic scripts and emoji need them. Raises `ValueError` for line ends and control characters.
    """
    if any(unicodedata.category(char) in REFUSED for char in text):
        raise ValueError(_("must not contain line breaks or control characters"))
    kept = without_format_characters(unicodedata.normalize("NFC", text), keep=JOINERS)
    name = " ".join(kept.split())
    return "" if all(char in JOINERS for char in name) else name


def is_same_name(one: str, other: str) -> bool:
    """Return whether two spellings are one name: case, accents as one or two characters and spaces do not count."""
    return _folded(one) == _folded(other) != ""


def spellings(word: str) -> set[str]:
    """Return a word in small letters, in capitals and as a name: SQLite compares only ASCII without regard to case."""
    word = unicodedata.normalize("NFC", word)
    return {word, word.lower(), word.upper(), word.title()} if not word.isascii() else {word}


def _folded(name: str) -> str:
    return "".join(unicodedata.normalize("NFKC", name).casefold().split())
