"""The protocol's reference as a page: Markdown with anchors, cards and tables that everybody can read."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from itertools import pairwise
from typing import TYPE_CHECKING

import msgspec
from django.utils.html import format_html
from django.utils.safestring import SafeString, mark_safe

from web.docs.reference import render

if TYPE_CHECKING:
    from markdown_it.token import Token

ROLES = {"table": "table", "thead": "rowgroup", "tbody": "rowgroup", "tr": "row", "th": "columnheader", "td": "cell"}
"""On a phone the tables are shown as blocks; without these roles they would be tables no more."""


class Heading(msgspec.Struct):
    """A line of the contents."""

    anchor: str
    text: SafeString
    below: list[Heading]


class Page(msgspec.Struct, frozen=True):
    """The contents and the text."""

    contents: list[Heading]
    text: SafeString


@cache
def page(public_url: str) -> Page:
    """Return the reference of a server at this address, from its first section on."""
    from markdown_it import MarkdownIt  # 0.1 s of start, for a page that is made once

    _, _, text = render(public_url).partition("\n## ")
    markdown = MarkdownIt("commonmark", {"html": True}).enable("table")
    tokens = markdown.parse(f"## {text}")
    contents = list(_headings(tokens))
    _mark_tables(tokens)
    made = markdown.renderer.render(list(_cards(tokens)), markdown.options, {})
    return Page(contents, mark_safe(made.replace("<pre>", '<pre tabindex="0">')))  # noqa: S308 - made of our own texts


def _headings(tokens: list[Token]) -> Iterator[Heading]:
    """Give each heading its anchor, `<a id="…"></a>` before its text or made of it; return the contents."""
    section = Heading("", SafeString(), [])
    for heading, inline in pairwise(tokens):
        if heading.type != "heading_open":
            continue
        inline.children = [one for one in inline.children or [] if one.type != "html_inline"]
        text = "".join(one.content for one in inline.children)
        found = re.match('<a id="(.*?)">', inline.content)
        heading.attrSet("id", found[1] if found else re.sub(r"\W+", "-", text.lower()))
        line = Heading(str(heading.attrs["id"]), format_html("{}", text), [])
        if heading.tag == "h2":
            section = line
            yield section
        else:
            section.below.append(line)


def _mark_tables(tokens: list[Token]) -> None:
    """Give the parts of tables their roles, and make the first cell of a row its heading."""
    is_first = False
    for token in tokens:
        if is_first and token.type in ("td_open", "td_close"):
            token.tag = "th"
        if token.type in ("tr_open", "td_close"):
            is_first = token.type == "tr_open"
        if token.type == "td_open" and is_first:
            token.attrs = {"role": "rowheader", "scope": "row"}
        elif token.tag in ROLES and token.nesting == 1:
            token.attrSet("role", ROLES[token.tag])


def _cards(tokens: list[Token]) -> Iterator[Token]:
    """Put each part below a heading of the third level into an article of its own."""
    from markdown_it.token import Token  # as above

    is_open = False
    for token in tokens:
        if token.type == "heading_open":
            if is_open:
                yield Token("html_block", "", 0, content="</article>")
            is_open = token.tag == "h3"
            if is_open:
                start = format_html('<article class="card" aria-labelledby="{}">', token.attrs["id"])
                yield Token("html_block", "", 0, content=start)
        yield token
