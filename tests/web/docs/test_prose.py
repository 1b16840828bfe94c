from web.docs.prose import fill, prose


def test_marks_are_filled_in_and_limits_are_known() -> None:
    """Other braces stay."""
    assert fill('{"a": 1} {word}: {limits}', word="b").startswith('{"a": 1} b: `max_message_size` 512, ')


def test_a_section_comes_without_its_tables_and_what_introduces_them() -> None:
    """One line for each paragraph, lists as they are."""
    text = prose("Connecting")
    assert "`command_rate` 10" in text
    assert "{" not in text
    assert "one of these" not in text
    assert len(text.split("\n\n")) == 2
    assert prose("Frames").count("\n- ") == 3


def test_a_heading_with_an_anchor_is_found_by_its_text() -> None:
    """The anchor is not part of it."""
    assert prose("What a client may send").startswith("The `timestamp`")
