import pytest

from users.names import clean_name, is_same_name, spellings

SCRIPTS = {
    "Latin": "Nguy\u1ec5n Th\u1ecb \u00c1nh",
    "Cyrillic": "\u0414\u0435\u0432\u0438 \u0410\u044e",
    "Arabic": "\u0645\u062d\u0645\u062f \u0639\u0644\u064a",
    "Devanagari": "\u092a\u0941\u0924\u094d\u0930\u0940 \u0936\u0930\u094d\u092e\u093e",
    "Han": "\u9673\u5c0f\u660e",
    "Thai": "\u0e2a\u0e21\u0e2b\u0e0d\u0e34\u0e07 \u0e43\u0e08\u0e14\u0e35",
}
"""A name in each of six scripts."""


@pytest.mark.parametrize(
    "name", [*SCRIPTS.values(), "O'Brien-Smith Jr.", "Putri \U0001f469\u200d\U0001f527", "\u0646\u06cc\u200c\u0645"]
)
def test_names_of_all_scripts_stay_as_they_are(name: str) -> None:
    """With accents, apostrophes, emoji, and the joiners that Persian needs."""
    assert clean_name(name) == name


@pytest.mark.parametrize(
    ("typed", "kept"),
    [("  Putri\u00a0  Ayu ", "Putri Ayu"), ("Jose\u0301", "Jos\u00e9"), ("\u202eirtuP\u202c", "irtuP"),
     ("\u200fعلي\u200e", "علي"), ("\u2067Putri\u2069", "Putri"), ("Pu\u200btri\ufeff\u00ad", "Putri"),
     ("\U000e0041Putri", "Putri"), ("\u200d", ""), (" ", ""), ("", "")],
)  # fmt: skip
def test_what_nobody_sees_is_removed(typed: str, kept: str) -> None:
    """Marks of direction, zero-width characters and tags; accents are composed, spaces are single."""
    assert clean_name(typed) == kept


@pytest.mark.parametrize(
    "char", ["\n", "\r", "\t", "\x1b", "\x00", "\x7f", "\x85", "\u2028", "\u2029", "\ud800", "\ue000"]
)
def test_control_characters_are_refused(char: str) -> None:
    """Line ends, escape sequences and half characters are in no name."""
    with pytest.raises(ValueError, match="control characters"):
        clean_name(f"Putri{char}Ayu")


def test_a_word_is_looked_for_in_three_cases() -> None:
    """SQLite tells capitals from small letters outside ASCII."""
    assert {"\u0434\u0435\u0432\u0438", "\u0414\u0415\u0412\u0418", "\u0414\u0435\u0432\u0438"} <= spellings(
        "\u0434\u0435\u0412\u0438"
    )
    assert spellings("putri") == {"putri"}


@pytest.mark.parametrize(
    ("one", "other"),
    [("Putri Ayu", " putri  AYU"), ("Jos\u00e9", "JOSE\u0301"),
     ("\u0414\u0415\u0412\u0418", "\u0434\u0435\u0432\u0438"),
     ("\uff30\uff55", "Pu"), ("\u092a\u0941", "\u092a\u0941")],
)  # fmt: skip
def test_spellings_of_a_name_are_one_name(one: str, other: str) -> None:
    """Case, accents and spaces make no other person, in any script."""
    assert is_same_name(one, other)


@pytest.mark.parametrize(("one", "other"), [("Putri", "Putri Ayu"), ("", ""), (" ", ""), ("Putri", "")])
def test_other_names_are_other_names(one: str, other: str) -> None:
    """A part of a name is not the name, and no name is nobody's."""
    assert not is_same_name(one, other)
