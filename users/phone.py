"""Phone numbers."""

from __future__ import annotations

import phonenumbers
from django.conf import settings


def normalise_msisdn(text: str) -> str:
    """Return a phone number as E.164 (`+6281200000001`), in any usual spelling.

    A number without a country code is read as one of the first of `OTP_COUNTRIES`. Raises `ValueError`, with a reason
    for the person who typed it, when it is not a valid number of one of those countries.
    """
    countries: list[str] = settings.OTP_COUNTRIES
    try:
        number = phonenumbers.parse(text[:32], countries[0])
    except phonenumbers.NumberParseException as exc:
        raise ValueError("must be a phone number such as +6281200000001") from exc
    if not phonenumbers.is_valid_number(number):
        raise ValueError("must be a valid phone number such as +6281200000001")
    if phonenumbers.region_code_for_number(number) not in countries:
        raise ValueError(f"must be a number of one of these countries: {', '.join(countries)}")
    return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)
