import pytest

from common.text import JOINERS, in_one_line, with_ascii_digits, without_format_characters


@pytest.mark.parametrize(
    "digits", ["\u0661\u0662\u0663", "\u0967\u0968\u0969", "\uff11\uff12\uff13", "\U0001d7d9\U0001d7da\U0001d7db"]
)
def test_digits_of_all_scripts_are_digits(digits: str) -> None:
    """Arabic, Devanagari, full-width and mathematical digits count."""
    assert with_ascii_digits(f"a {digits}") == "a 123"


def test_what_is_no_decimal_digit_stays() -> None:
    """Superscripts, fractions and numerals that are not decimal digits are left alone."""
    assert with_ascii_digits("\u00b2 \u00bd \u2166 \u4e94") == "\u00b2 \u00bd \u2166 \u4e94"


def test_invisible_marks_are_removed() -> None:
    """Marks of direction around a copied number go."""
    assert without_format_characters("\u202a+62\u200b 8\u202c\ufeff") == "+62 8"


def test_joiners_may_stay() -> None:
    """They are part of the spelling in some scripts."""
    assert without_format_characters("a\u200db\u200e", keep=JOINERS) == "a\u200db"


def test_free_text_is_one_visible_line() -> None:
    """Line ends become spaces; what turns the text around goes."""
    assert in_one_line("The chain\r\n is\x1b[31m \u202ebroken\u202c. ") == "The chain is [31m broken."
