"""The tables of the domain. Database constraints forbid what must never happen, whatever the code does."""

from rides.models.devices import Device, DeviceKind, DeviceReceipt, NotificationReceipt
from rides.models.matches import OPEN_MATCH, Match, MatchStatus, RejectReason
from rides.models.payments import LedgerEntry, Payment, PaymentNotice, PaymentStatus
from rides.models.rides import DRIVEN, DRIVER_BUSY, PASSENGER_BUSY, Ride, RideStatus
from rides.models.searches import Beacon, Candidate, CandidateOutcome, Finder, FinderStatus, SearchAttempt
from rides.models.tariffs import Quote, Tariff
from rides.models.tracks import PassengerPoint, ReportedFix, TrackPoint

__all__ = [
    "DRIVEN",
    "DRIVER_BUSY",
    "OPEN_MATCH",
    "PASSENGER_BUSY",
    "Beacon",
    "Candidate",
    "CandidateOutcome",
    "Device",
    "DeviceKind",
    "DeviceReceipt",
    "Finder",
    "FinderStatus",
    "LedgerEntry",
    "Match",
    "MatchStatus",
    "NotificationReceipt",
    "PassengerPoint",
    "Payment",
    "PaymentNotice",
    "PaymentStatus",
    "Quote",
    "RejectReason",
    "ReportedFix",
    "Ride",
    "RideStatus",
    "SearchAttempt",
    "Tariff",
    "TrackPoint",
]
