"""A ride as frames in their order, `docs/ride.md`: the examples of the contract put into a story."""

from __future__ import annotations

import json
import re
from itertools import count
from pathlib import Path

from web.docs.contract import SEQ, commands, messages

TEMPLATE = Path(__file__).with_name("ride.md")

_MARK = re.compile(r"\{(command|message) (\w+)(?: (\d+)((?: \w+)*))?\}")
"""A frame: `{message match_confirm 2 match_id match_status}` is the third example, with these fields of its data."""


def render() -> str:
    """Return the page as Markdown."""
    frames = {
        "command": {frame.type: frame for frame in commands()},
        "message": {frame.type: frame for frame in messages()},
    }
    numbers = count(SEQ)

    def shown(found: re.Match[str]) -> str:
        kind, name, number, wanted = found.groups()
        frame = list(frames[kind][name].examples().values())[int(number or 0)]
        if wanted:
            frame["data"] = {field: frame["data"][field] for field in wanted.split()}
        if "seq" in frame:
            frame["seq"] = next(numbers)
        return json.dumps(frame, ensure_ascii=False)

    return _MARK.sub(shown, TEMPLATE.read_text(encoding="utf-8"))
