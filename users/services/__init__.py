"""Services that change users: login, logout, profile, registration as a driver, deactivation."""

from users.services.accounts import (
    driver_create,
    driver_delete,
    driver_update,
    profile_update,
    user_deactivate,
    user_log_out,
    user_reactivate,
)
from users.services.erasure import account_erase, erasure_steps, expiry_steps
from users.services.logins import (
    Session,
    login,
    login_request,
    logout,
    purge_tokens,
    session_once,
    tokens_refresh,
)

__all__ = [
    "Session",
    "account_erase",
    "driver_create",
    "driver_delete",
    "driver_update",
    "erasure_steps",
    "expiry_steps",
    "login",
    "login_request",
    "logout",
    "profile_update",
    "purge_tokens",
    "session_once",
    "tokens_refresh",
    "user_deactivate",
    "user_log_out",
    "user_reactivate",
]
