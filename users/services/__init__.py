"""Services that change users: login, logout, profile, registration as a driver, deactivation."""

from users.services.accounts import profile_update, user_deactivate, user_log_out, user_reactivate
from users.services.drivers import driver_create, driver_decide, driver_delete, driver_update, paper_record
from users.services.erasure import account_erase, erasure_steps, expiry_steps
from users.services.logins import (
    Session,
    login,
    login_request,
    logout,
    purge_sessions,
    purge_tokens,
    session_once,
    tokens_refresh,
)
from users.services.relations import block_add, rating_add

__all__ = [
    "Session",
    "account_erase",
    "block_add",
    "driver_create",
    "driver_decide",
    "driver_delete",
    "driver_update",
    "erasure_steps",
    "expiry_steps",
    "login",
    "login_request",
    "logout",
    "paper_record",
    "profile_update",
    "purge_sessions",
    "purge_tokens",
    "rating_add",
    "session_once",
    "tokens_refresh",
    "user_deactivate",
    "user_log_out",
    "user_reactivate",
]
