from typing import Any

import pytest

from users.phone import masked, normalise_mobile, normalise_msisdn

NUMBER = "+62811000117"


@pytest.mark.parametrize(
    "text",
    [NUMBER, "0811000117", "62811000117", "62 811 000 117", "+62 811-000-117", " 0811 000 117 ", "811000117",
     "0062811000117", "+62 (0)811.000.117", "62 0811 000 117", "\u202a+62 811\u2011000\u2011117\u202c",
     "\uff0b\uff16\uff12 811 000 117", "\u0660\u0668\u0661\u0661\u0660\u0660\u0660\u0661\u0661\u0667",
     "+\u096c\u0968 811000117"],
)  # fmt: skip
def test_every_usual_spelling_is_one_number(text: str) -> None:
    """With or without a plus, the country code, a trunk zero and separators, in any script's digits."""
    assert normalise_msisdn(text) == normalise_mobile(text) == NUMBER


@pytest.mark.parametrize(
    "text",
    ["", "abc", "+62", "0812", "+6281200000001234567", "+" * 1000, "\u0000", "\u0660", "0811-CALL-ME", "0811000117 x12",
     "0811000117;ext=5", "0811000117 ext. 5", "0811000117#5", "tel:0811000117", "62+811000117", "++62811000117",
     "0811000117,,5", "1" * 33, "\u00b2" * 9],
)  # fmt: skip
def test_what_is_no_number_is_refused(text: str) -> None:
    """Letters, extensions and pauses are refused, and so is a number that is too short or too long."""
    with pytest.raises(ValueError, match="must be a"):
        normalise_msisdn(text)


@pytest.mark.parametrize("text", ["0809 1 234567", "+628091234567", "0800 1 234567", "021 5551234", "+62 21 5551234"])
def test_codes_go_to_mobile_numbers_only(text: str) -> None:
    """Premium, free-phone and fixed lines are numbers, but no message is sent to them."""
    assert normalise_msisdn(text)
    with pytest.raises(ValueError, match="mobile number"):
        normalise_mobile(text)


def test_numbers_of_other_countries_are_refused_until_they_are_allowed(settings: Any) -> None:
    """`OTP_COUNTRIES` decides."""
    with pytest.raises(ValueError, match="one of these countries: ID"):
        normalise_msisdn("+60123456789")
    settings.OTP_COUNTRIES = ["ID", "MY"]
    assert normalise_msisdn("+60123456789") == normalise_msisdn("0060 12 345 6789") == "+60123456789"


def test_what_may_be_two_numbers_is_refused(settings: Any) -> None:
    """81234567890 is a mobile in Indonesia without its zero, and in Japan without the plus."""
    settings.OTP_COUNTRIES = ["ID", "JP"]
    with pytest.raises(ValueError, match=r"must begin with \+"):
        normalise_msisdn("81234567890")
    assert normalise_msisdn("081234567890") == "+6281234567890"
    assert normalise_msisdn("+81234567890") == "+81234567890"


def test_the_middle_of_a_masked_number_is_hidden() -> None:
    """Enough is left to tell two callers apart; what is not a number shows nothing."""
    assert masked("+6281200000001") == "+6281•••••0001"
    assert masked("+62811000117") == "+6281•••0117"
    assert masked("+erased") == masked("") == "•••"
