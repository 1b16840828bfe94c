"""The tables of users, drivers and logins."""

from users.models.logins import Erasure, KnownAddress, OneTimeCode, Suspicion, Tally, TokenAnswer, Watermark
from users.models.people import SESSION_SALT, Driver, Role, User, UserManager, VehicleType

__all__ = [
    "SESSION_SALT",
    "Driver",
    "Erasure",
    "KnownAddress",
    "OneTimeCode",
    "Role",
    "Suspicion",
    "Tally",
    "TokenAnswer",
    "User",
    "UserManager",
    "VehicleType",
    "Watermark",
]
