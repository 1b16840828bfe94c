import pytest

from users.names import is_same_name


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
