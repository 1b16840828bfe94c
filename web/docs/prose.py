"""The little Markdown of the documents as HTML: headings, paragraphs, lists and code."""

from __future__ import annotations

import re

from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString, mark_safe

_CODE = re.compile(r"`([^`]*)`")


def prose(text: str) -> SafeString:
    """Return paragraphs, `- ` lists and `## ` headings, which are set apart by empty lines, as HTML."""
    return format_html_join("\n", "{}", ((_block(block),) for block in text.split("\n\n") if block))


def inline(text: str) -> SafeString:
    """Return a line as HTML; what stands between backticks is code."""
    parts = _CODE.split(text)
    return format_html_join("", "{}", ((_part(part, code=n % 2 == 1),) for n, part in enumerate(parts)))


def slug(heading: str) -> str:
    """Return the anchor of a heading."""
    return re.sub(r"\W+", "-", heading.lower()).strip("-")


def _part(text: str, *, code: bool) -> SafeString:
    return format_html("<code>{}</code>" if code else "{}", text)


def _block(block: str) -> SafeString:
    if block.startswith("## "):
        heading = block.removeprefix("## ")
        return format_html('<h3 id="{}">{}</h3>', slug(heading), inline(heading))
    if block.startswith("- "):
        items = format_html_join("", "<li>{}</li>", ((inline(item[2:]),) for item in block.split("\n")))
        return format_html("<ul>{}</ul>", items)
    return format_html("<p>{}</p>", inline(block) or mark_safe(""))
