from web.docs.prose import inline, prose, slug


def test_paragraphs_lists_and_headings_become_html() -> None:
    made = prose("First.\n\n- a `b`\n- c\n\n## The end\n\nLast.")
    assert made == (
        '<p>First.</p>\n<ul><li>a <code>b</code></li><li>c</li></ul>\n<h3 id="the-end">The end</h3>\n<p>Last.</p>'
    )


def test_what_looks_like_html_is_text() -> None:
    assert inline("<b> & `<i>`") == "&lt;b&gt; &amp; <code>&lt;i&gt;</code>"
    assert "<script>" not in prose("<script>\n\n- <script>\n\n## <script>")


def test_nothing_is_nothing() -> None:
    assert prose("") == ""
    assert inline("") == ""


def test_an_anchor_has_letters_and_hyphens_only() -> None:
    assert slug("What a client may send?") == "what-a-client-may-send"
