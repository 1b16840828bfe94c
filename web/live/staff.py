"""Who may look: staff, by the session of the admin. Nothing here writes to a session."""

from __future__ import annotations

from collections.abc import Iterable
from importlib import import_module

from django.conf import settings
from django.contrib.auth import HASH_SESSION_KEY, SESSION_KEY
from django.core.exceptions import ValidationError
from django.utils.crypto import constant_time_compare

from users.models import User


def staff_sessions(session_keys: Iterable[str]) -> set[str]:
    """Return those of the sessions in which an active member of staff is logged in."""
    return {key for key in session_keys if _staff_of(key) is not None}


def _staff_of(session_key: str) -> User | None:
    """Return whose session this is; with another password, or after a logout, it is nobody's."""
    session = import_module(settings.SESSION_ENGINE).SessionStore(session_key)
    try:
        user = User.objects.filter(pk=session.get(SESSION_KEY), is_active=True, is_staff=True).first()
    except ValidationError:  # what it holds is no id
        return None
    if user is None:
        return None
    written = session.get(HASH_SESSION_KEY, "")
    hashes = (user.get_session_auth_hash(), *user.get_session_auth_fallback_hash())
    return user if any(constant_time_compare(written, own) for own in hashes) else None
