"""Phone numbers.

A number is never repaired into another one: text that can be read in two ways is refused.
"""

from __future__ import annotations

import re

import phonenumbers
from django.conf import settings
from django.utils.translation import gettext as _
from phonenumbers import PhoneNumber, PhoneNumberType

from common.text import with_ascii_digits, without_format_characters

MAX_LENGTH = 32
"""Characters; E.164 has at most 15 digits, the rest is for spaces and the like."""

EXAMPLE = "+6281200000001"

WRITTEN = re.compile(r"\s*(?P<plus>\+?)[\d\s().\-/\u2010-\u2015]+")
"""Digits with the usual separators. Letters are refused, and with them words (0800-TAXI) and extensions."""

FULL_WIDTH = str.maketrans({chr(ord(sign) - ord("!") + 0xFF01): sign for sign in "+()-./"})
"""Signs as East Asian keyboards type them."""

MOBILE = (PhoneNumberType.MOBILE, PhoneNumberType.FIXED_LINE_OR_MOBILE)


def normalise_msisdn(text: str) -> str:
    """Return a phone number as E.164 (`+6281200000001`), from any usual spelling in any script's digits.

    A number may begin with its country code, with or without a plus; one without a country code is of the first of
    `OTP_COUNTRIES`. Raises `ValueError`, with a reason for the person who typed it, if it is not a valid number of one
    of these countries.
    """
    return phonenumbers.format_number(_parsed(text), phonenumbers.PhoneNumberFormat.E164)


def normalise_mobile(text: str) -> str:
    """Return a mobile number as E.164; raise `ValueError` also for other numbers.

    Others cannot receive a message, or charge whoever sends one (premium and shared-cost numbers).
    """
    number = _parsed(text)
    if phonenumbers.number_type(number) not in MOBILE:
        raise ValueError(_("must be a mobile number such as %(example)s") % {"example": EXAMPLE})
    return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)


def masked(msisdn: str) -> str:
    """Return a number of which the middle is hidden: `+6281•••••0001`. What is not a number is hidden altogether."""
    if not re.fullmatch(r"\+\d{8,15}", msisdn):
        return "•••"
    return f"{msisdn[:5]}{'•' * (len(msisdn) - 9)}{msisdn[-4:]}"


def _parsed(text: str) -> PhoneNumber:
    text = with_ascii_digits(without_format_characters(text)).translate(FULL_WIDTH)
    written = WRITTEN.fullmatch(text)
    if written is None or len(text) > MAX_LENGTH:
        raise ValueError(_("must be a phone number such as %(example)s") % {"example": EXAMPLE})
    digits = re.sub(r"\D", "", text)
    if written["plus"]:
        return _one_of([_number(f"+{digits}")])
    if digits.startswith("00"):  # the international prefix of most countries
        return _one_of([_number(f"+{digits[2:]}"), _number(digits)])
    return _one_of(_readings(digits))


def _readings(digits: str) -> list[PhoneNumber | None]:
    """Return a number without a plus as it may be meant: with its country code, or as one of the first country."""
    with_code, without = _number(f"+{digits}"), _number(digits)
    if with_code is None or not _is_ours(with_code):
        return [without]
    if without is None or digits.startswith(str(phonenumbers.country_code_for_region(settings.OTP_COUNTRIES[0]))):
        return [with_code]
    raise ValueError(_("must begin with + and the country code, such as %(example)s") % {"example": EXAMPLE})


def _number(text: str) -> PhoneNumber | None:
    """Return the number, or None if there is no such number."""
    try:
        number = phonenumbers.parse(text, settings.OTP_COUNTRIES[0])
    except phonenumbers.NumberParseException:
        return None
    return number if phonenumbers.is_valid_number(number) else None


def _is_ours(number: PhoneNumber) -> bool:
    return phonenumbers.region_code_for_number(number) in settings.OTP_COUNTRIES


def _one_of(readings: list[PhoneNumber | None]) -> PhoneNumber:
    """Return the first reading that is a number of `OTP_COUNTRIES`."""
    valid = [number for number in readings if number is not None]
    if not valid:
        raise ValueError(_("must be a valid phone number such as %(example)s") % {"example": EXAMPLE})
    for number in valid:
        if _is_ours(number):
            return number
    countries = ", ".join(settings.OTP_COUNTRIES)
    raise ValueError(_("must be a number of one of these countries: %(countries)s") % {"countries": countries})
