"""The text of the protocol's reference, `reference.md`, which the AsyncAPI document repeats in part."""

from __future__ import annotations

import re
from pathlib import Path

from django.conf import settings

from realtime.contract.messages import Limits

TEMPLATE = Path(__file__).with_name("reference.md").read_text(encoding="utf-8")


def fill(text: str, **parts: str) -> str:
    """Return a text with its `{marks}` replaced; the limits are always known."""
    parts["limits"] = _default_limits()
    return re.sub(r"\{(\w+)\}", lambda found: parts[found[1]], text)


def prose(heading: str) -> str:
    """Return what is below a heading without tables and what introduces them, each paragraph on one line."""
    _, _, rest = re.sub("<a id=.*?</a>", "", TEMPLATE).partition(f"## {heading}\n")
    text, _, _ = rest.partition("\n## ")
    parts = text.strip().split("\n\n")
    alone = (part for part in parts if not part.endswith(":") and not re.search(r"\{(?!limits)\w+\}", part))
    return "\n\n".join(re.sub(r"\n(?!- ) *", " ", fill(part)) for part in alone)


def _default_limits() -> str:
    """Return the limits of `session_ready` as they are where nothing is set."""
    names = Limits.__struct_fields__
    known = settings.DECLARED_VARIABLES
    return ", ".join(f"`{name}` {known.get(f'WS_{name.upper()}') or known[name.upper()]}" for name in names)
