"""Why what is asked of accounts and logins is refused."""

from __future__ import annotations

from common.errors import ErrorReason


class UserReason(ErrorReason):
    """Reasons of this app."""

    ALREADY_A_DRIVER = "already_a_driver", "You are registered as a driver already."
    NOT_A_DRIVER = "not_a_driver", "You are not registered as a driver."
    ALREADY_RATED = "already_rated", "You have rated this ride already."
    STAFF_ACCOUNT = "staff_account", "Accounts of staff cannot be deleted."
    TOO_MANY_CODES = "too_many_codes", "Too many codes were sent within an hour, to this number or at all."
