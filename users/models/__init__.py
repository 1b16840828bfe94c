"""The tables of users, drivers and logins."""

from users.models.drivers import Approval, Driver, Paper, PaperKind, VehicleType, may_drive
from users.models.logins import (
    Erasure,
    KnownAddress,
    OneTimeCode,
    Suspicion,
    Tally,
    TokenAnswer,
    Watermark,
)
from users.models.people import RATINGS_SHOWN_FROM, SESSION_SALT, Role, User, UserManager
from users.models.records import StaffAct, StaffRecord
from users.models.relations import Block, Rating

__all__ = [
    "RATINGS_SHOWN_FROM",
    "SESSION_SALT",
    "Approval",
    "Block",
    "Driver",
    "Erasure",
    "KnownAddress",
    "OneTimeCode",
    "Paper",
    "PaperKind",
    "Rating",
    "Role",
    "StaffAct",
    "StaffRecord",
    "Suspicion",
    "Tally",
    "TokenAnswer",
    "User",
    "UserManager",
    "VehicleType",
    "Watermark",
    "may_drive",
]
