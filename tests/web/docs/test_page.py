import re

from common.errors import ErrorCode
from realtime.commands.routes import ROUTES
from realtime.contract.frames import CloseCode
from web.docs.contract import commands, messages
from web.docs.outputs import default_url
from web.docs.page import page

PAGE = page(default_url())
ALLOWED = {
    *("a", "article", "code", "details", "h2", "h3", "li", "p", "pre", "strong", "summary", "ul"),
    *("table", "thead", "tbody", "tr", "th", "td"),
}


def article(anchor: str) -> str:
    """Return the part of the page below an anchor."""
    found = re.search(rf'<article class="card" aria-labelledby="{anchor}">.*?</article>', PAGE.text, re.DOTALL)
    assert found, anchor
    return found[0]


def test_every_frame_is_in_the_contents_and_has_an_article() -> None:
    """So are the errors."""
    listed = [entry.anchor for section in PAGE.contents for entry in section.below]
    frames = [f"{'command' if frame.is_command else 'message'}-{frame.type}" for frame in (*commands(), *messages())]
    errors = [f"error-{code}" for code in ErrorCode]
    assert sorted(one for one in listed if not one.startswith("type-")) == sorted([*frames, *errors, "reasons"])
    for anchor in listed:
        assert f'<h3 id="{anchor}">' in article(anchor)


def test_a_section_has_the_anchor_that_it_always_had() -> None:
    """Links from elsewhere go on to work."""
    assert [section.anchor for section in PAGE.contents] == [
        *("frames", "connecting", "resuming", "commands", "notifications", "others", "types", "errors", "close-codes"),
    ]
    assert all(f'id="close-{int(code)}"' in PAGE.text for code in CloseCode)
    assert len(PAGE.contents[3].below) == len(ROUTES)


def test_a_row_has_a_heading_and_every_part_its_role() -> None:
    """A table is still one when a phone shows it as blocks."""
    row = '<th role="rowheader" scope="row"><code>data.accepted</code></th>\n<td role="cell">boolean</td>'
    assert row in article("command-match_confirm")
    assert '<th role="columnheader">meaning</th>' in article("command-match_confirm")
    assert PAGE.text.count("<th ") == PAGE.text.count("</th>")


def test_nothing_in_the_texts_becomes_html_by_accident() -> None:
    """Descriptions with angle brackets are code."""
    assert set(re.findall(r"<(\w+)", PAGE.text)) == ALLOWED
    assert "&lt;epoch&gt;:&lt;seq&gt;" in PAGE.text
    assert PAGE.text.count("<article") == PAGE.text.count("</article>")


def test_the_page_is_of_the_server_that_shows_it() -> None:
    """The address is that of PUBLIC_URL."""
    assert "wss://nebeng.example/ws/" in page("https://nebeng.example").text
