"""What people type: digits of any script, and characters that nobody sees."""

from __future__ import annotations

import unicodedata


def with_ascii_digits(text: str) -> str:
    """Return `text` with each digit of another script (Arabic, Devanagari, full-width …) as one of 0 to 9."""
    return "".join(str(unicodedata.decimal(char)) if char.isdecimal() else char for char in text)


JOINERS = "\u200c\u200d"
"""Zero-width non-joiner and joiner: invisible, but part of the spelling in Persian, Indic scripts and emoji."""


def without_format_characters(text: str, *, keep: str = "") -> str:
    """Return `text` without invisible format characters, such as the marks that phones put around copied numbers.

    Among them are all that change the direction of the text after them. Those of `keep` stay.
    """
    return "".join(char for char in text if char in keep or unicodedata.category(char) != "Cf")


def in_one_line(text: str) -> str:
    """Return free text as others may read it: on one line, without control characters and changes of direction."""
    visible = (" " if unicodedata.category(char) in ("Cc", "Zl", "Zp") else char for char in text)
    return " ".join(without_format_characters("".join(visible), keep=JOINERS).split())
