from typing import get_args

import pytest
from django.utils import translation

from rides.abandonment import Abandonment
from rides.metering.doubts import Doubt
from rides.metering.first_rule import Refusal
from rides.metering.fixes import Reason
from rides.models import Ride
from rides.services.payments import PAID_TWICE, REFUNDED
from rides.staff.reasons import FLAGS, REFUSALS, flags_in_words, refusal_in_words


def test_every_reason_has_words() -> None:
    """And no words are left of a reason that is gone."""
    assert set(FLAGS) == {*get_args(Doubt), *get_args(Abandonment), PAID_TWICE, REFUNDED}
    assert set(REFUSALS) == {*get_args(Reason), *get_args(Refusal)} - {""}


@pytest.mark.parametrize(
    ("reasons", "text"),
    [
        ((), ""),
        (("paid_twice",), "money came twice"),
        (("paid_twice", "refunded"), "money came twice; the gateway has given the money back"),
        (("of_a_newer_version",), "of a newer version"),
    ],
)
def test_a_flag_is_said_in_words(reasons: tuple[str, ...], text: str) -> None:
    """One after the other, as the ride keeps them."""
    ride = Ride()
    ride.flag(*reasons)
    assert flags_in_words(ride.needs_review) == text


def test_the_words_are_translated() -> None:
    """Staff read them in their language."""
    with translation.override("id"):
        assert flags_in_words("paid_twice") == "uang masuk dua kali"
        assert refusal_in_words("too_fast") == "terlalu cepat"
    assert (refusal_in_words("too_fast"), refusal_in_words("")) == ("too fast", "")
