"""Who may look: staff, by the session of the admin. Nothing here writes to a session."""

from __future__ import annotations

from collections.abc import Iterable
from importlib import import_module

from django.conf import settings
from django.contrib.auth import HASH_SESSION_KEY, SESSION_KEY
from django.core.exceptions import ValidationError
from django.utils.crypto import constant_time_compare
from django_otp import DEVICE_ID_SESSION_KEY

from users.models import User
from users.second_factor import session_device, staff_may

LIVE_MAP = "realtime.view_live_map"


def staff_sessions(session_keys: Iterable[str]) -> set[str]:
    """Return those of the sessions in which somebody is logged in who may see the live map."""
    return {key for key in session_keys if _staff_of(key) is not None}


def _staff_of(session_key: str) -> User | None:
    """Return whose session this is; with another password, after a logout or without the permission it is nobody's."""
    session = import_module(settings.SESSION_ENGINE).SessionStore(session_key)
    try:
        user = User.objects.filter(pk=session.get(SESSION_KEY), is_active=True, is_staff=True).first()
    except ValidationError:  # what it holds is no id
        return None
    if user is None:
        return None
    written = session.get(HASH_SESSION_KEY, "")
    hashes = (user.get_session_auth_hash(), *user.get_session_auth_fallback_hash())
    if not any(constant_time_compare(written, own) for own in hashes):
        return None
    user.otp_device = session_device(user, session.get(DEVICE_ID_SESSION_KEY, ""))
    return user if staff_may(user, LIVE_MAP) else None
