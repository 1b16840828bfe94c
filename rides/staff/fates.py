"""What became of each driver whom a search considered, in words."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum

from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop

from rides.models import OPEN_MATCH, CandidateOutcome, Match, MatchStatus, RejectReason


class Fate(StrEnum):
    """How an offer ended, or stands."""

    ACCEPTED = "accepted"
    WAITING = "waiting"
    AWAITS_PASSENGER = "awaits_passenger"
    DECLINED = "declined"
    IGNORED = "ignored"
    SILENT_PHONE = "silent_phone"
    UNANSWERED = "unanswered"
    PASSENGER_SILENT = "passenger_silent"
    PASSENGER_DECLINED = "passenger_declined"
    TAKEN = "taken"
    SWITCHED_OFF = "switched_off"
    TOO_LATE = "too_late"
    ENDED_WITH_SEARCH = "ended_with_search"


WORDS: dict[str, tuple[str, str]] = {
    Fate.ACCEPTED: (gettext_noop("accepted"), gettext_noop("accepted")),
    Fate.WAITING: (gettext_noop("has not answered yet"), gettext_noop("have not answered yet")),
    Fate.AWAITS_PASSENGER: (
        gettext_noop("accepted and waits for the passenger"),
        gettext_noop("accepted and wait for the passenger"),
    ),
    Fate.DECLINED: (gettext_noop("declined"), gettext_noop("declined")),
    Fate.IGNORED: (
        gettext_noop("let the offer lapse, although it had reached the phone"),
        gettext_noop("let the offer lapse, although it had reached their phones"),
    ),
    Fate.SILENT_PHONE: (
        gettext_noop("got the offer on a silent phone, which did not confirm it"),
        gettext_noop("got the offer on silent phones, which did not confirm it"),
    ),
    Fate.UNANSWERED: (
        gettext_noop("did not answer, with an app that does not say whether the offer arrived"),
        gettext_noop("did not answer, with apps that do not say whether the offer arrived"),
    ),
    Fate.PASSENGER_SILENT: (
        gettext_noop("accepted, but the passenger did not confirm in time"),
        gettext_noop("accepted, but the passenger did not confirm in time"),
    ),
    Fate.PASSENGER_DECLINED: (
        gettext_noop("was declined by the passenger"),
        gettext_noop("were declined by the passenger"),
    ),
    Fate.TAKEN: (gettext_noop("took another ride"), gettext_noop("took other rides")),
    Fate.SWITCHED_OFF: (gettext_noop("withdrew after the offer"), gettext_noop("withdrew after the offer")),
    Fate.TOO_LATE: (
        gettext_noop("accepted, but the search ended first"),
        gettext_noop("accepted, but the search ended first"),
    ),
    Fate.ENDED_WITH_SEARCH: (
        gettext_noop("had not answered when the search ended"),
        gettext_noop("had not answered when the search ended"),
    ),
    CandidateOutcome.OFFERED: (gettext_noop("was offered the ride"), gettext_noop("were offered the ride")),
    CandidateOutcome.OFFERED_BY_A_SERVICE: (
        gettext_noop("was offered the ride by another service"),
        gettext_noop("were offered the ride by another service"),
    ),
    CandidateOutcome.DEACTIVATED: (gettext_noop("was deactivated"), gettext_noop("were deactivated")),
    CandidateOutcome.OFFERED_BEFORE: (
        gettext_noop("had refused before the pin was moved"),
        gettext_noop("had refused before the pin was moved"),
    ),
    CandidateOutcome.BEACON_OFF: (gettext_noop("had the beacon off"), gettext_noop("had the beacon off")),
    CandidateOutcome.NOT_CONNECTED: (gettext_noop("was not connected"), gettext_noop("were not connected")),
    CandidateOutcome.POSITION_TOO_OLD: (
        gettext_noop("had not sent a position for too long"),
        gettext_noop("had not sent a position for too long"),
    ),
    CandidateOutcome.HAS_A_RIDE: (gettext_noop("was on a ride"), gettext_noop("were on a ride")),
    CandidateOutcome.OTHER_VEHICLE: (
        gettext_noop("drove another kind of vehicle"),
        gettext_noop("drove another kind of vehicle"),
    ),
    CandidateOutcome.HAS_AN_OFFER: (
        gettext_noop("had another offer to answer"),
        gettext_noop("had other offers to answer"),
    ),
    CandidateOutcome.NOT_APPROVED: (
        gettext_noop("was not approved, or had a paper that has expired"),
        gettext_noop("were not approved, or had papers that have expired"),
    ),
    CandidateOutcome.BLOCKED: (
        gettext_noop("and the passenger do not ride together: one blocked the other"),
        gettext_noop("and the passenger do not ride together: one blocked the other"),
    ),
    CandidateOutcome.OTHER_SEARCH: (
        gettext_noop("was nearer to another passenger who searched at the same time"),
        gettext_noop("were nearer to other passengers who searched at the same time"),
    ),
    CandidateOutcome.IGNORES_OFFERS: (
        gettext_noop("came behind others, having let the last offers lapse"),
        gettext_noop("came behind others, having let the last offers lapse"),
    ),
}
"""What is said of one and of several drivers."""


def fate_of(match: Match, search_ended_at: datetime | None) -> Fate:
    """Return how an offer ended, or stands."""
    if match.status == MatchStatus.ACCEPTED:
        return Fate.ACCEPTED
    if match.status in OPEN_MATCH:
        return Fate.AWAITS_PASSENGER if match.status == MatchStatus.DRIVER_CONFIRMED else Fate.WAITING
    if match.reason == RejectReason.DECLINED:
        return _declined(match)
    if match.reason == RejectReason.EXPIRED:
        return _lapsed(match)
    if search_ended_at and match.decided_at and match.decided_at >= search_ended_at:
        return Fate.TOO_LATE if match.answered_at else Fate.ENDED_WITH_SEARCH
    return Fate.TAKEN if match.reason == RejectReason.TAKEN else Fate.SWITCHED_OFF


def in_words(what: str, number: int = 1) -> str:
    """Return what became of so many drivers, after "the driver …"."""
    return _(WORDS[what][number != 1])


def _declined(match: Match) -> Fate:
    """A driver's no is the answer and the end in one moment."""
    return Fate.DECLINED if match.answered_at == match.decided_at else Fate.PASSENGER_DECLINED


def _lapsed(match: Match) -> Fate:
    if match.answered_at:
        return Fate.PASSENGER_SILENT
    if match.received_at:
        return Fate.IGNORED
    return Fate.SILENT_PHONE if match.receipt_due_at or match.unreachable_at else Fate.UNANSWERED
