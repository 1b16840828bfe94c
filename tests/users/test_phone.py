from typing import Any

import pytest

from users.phone import normalise_msisdn


@pytest.mark.parametrize(
    "text", ["+6281200000001", "081200000001", "6281200000001", "+62 812-0000-0001", " 0812 0000 0001 "]
)
def test_every_usual_spelling_is_one_number(text: str) -> None:
    assert normalise_msisdn(text) == "+6281200000001"


@pytest.mark.parametrize("text", ["", "abc", "+62", "0812", "+6281200000001234567", "+" * 1000, "\u0000", "\u0660"])
def test_what_is_no_number_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="must be a"):
        normalise_msisdn(text)


def test_numbers_of_other_countries_are_refused_until_they_are_allowed(settings: Any) -> None:
    with pytest.raises(ValueError, match="one of these countries: ID"):
        normalise_msisdn("+60123456789")
    settings.OTP_COUNTRIES = ["ID", "MY"]
    assert normalise_msisdn("+60123456789") == "+60123456789"
