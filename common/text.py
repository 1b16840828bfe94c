"""What people type: digits of any script, and characters that nobody sees."""

from __future__ import annotations

import unicodedata


def with_ascii_digits(text: str) -> str:
    """Return `text` with each digit of another script (Arabic, Devanagari, full-width …) as one of 0 to 9."""
    return "".join(str(unicodedata.decimal(char)) if char.isdecimal() else char for char in text)


def without_format_characters(text: str) -> str:
    """Return `text` without invisible format characters, such as the marks that phones put around copied numbers."""
    return "".join(char for char in text if unicodedata.category(char) != "Cf")
