"""Why support should look at a ride, and why a position does not count, in words."""

from __future__ import annotations

from collections.abc import Mapping

from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop

FLAGS = {
    "apart": gettext_noop("the phones of driver and passenger were in different places"),
    "driver_deactivated": gettext_noop("the passenger left, because the driver was deactivated"),
    "driver_silent": gettext_noop("the passenger left, because nothing was heard of the driver"),
    "implausible_fixes": gettext_noop("many positions that no vehicle can follow"),
    "jitter": gettext_noop("positions that shake more than the phone says"),
    "jumps": gettext_noop("jumps that no vehicle can make"),
    "paid_twice": gettext_noop("money came twice"),
    "passenger_deactivated": gettext_noop("the driver left, because the passenger was deactivated"),
    "perfect_accuracy": gettext_noop("positions more accurate than any phone's"),
    "refunded": gettext_noop("the gateway has given the money back"),
}
"""The reasons of `Ride.needs_review`."""

REFUSALS = {
    "before_start": gettext_noop("before the start"),
    "duplicate": gettext_noop("came twice"),
    "in_the_future": gettext_noop("in the future"),
    "inaccurate": gettext_noop("inaccurate"),
    "late": gettext_noop("late"),
    "no_fix": gettext_noop("no fix"),
    "out_of_order": gettext_noop("out of order"),
    "spike": gettext_noop("spike"),
    "too_fast": gettext_noop("too fast"),
}
"""The reasons of points of a track."""


def flags_in_words(needs_review: str) -> str:
    """Return why a ride is flagged; empty for one that is not."""
    return "; ".join(_in_words(FLAGS, reason) for reason in needs_review.split(", ") if reason)


def refusal_in_words(reason: str) -> str:
    """Return why a point of a track does not count; empty for one that does."""
    return _in_words(REFUSALS, reason) if reason else ""


def _in_words(words: Mapping[str, str], reason: str) -> str:
    """Return the words for a reason; one of another version of the code stands for itself."""
    return _(words[reason]) if reason in words else reason.replace("_", " ")
