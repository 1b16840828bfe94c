"""Services that change users: login, logout, profile, registration as a driver, deactivation."""

from __future__ import annotations

import logging
from uuid import UUID

from django.db import transaction
from django.db.models import F
from django.utils import timezone
from rest_framework_simplejwt.exceptions import TokenError
from rest_framework_simplejwt.token_blacklist.models import BlacklistedToken, OutstandingToken
from rest_framework_simplejwt.tokens import RefreshToken

from common.errors import Conflict, Unauthorized
from events.outbox import emit
from users.codes import CodesCapped, code_create, code_use
from users.events import TokensRevoked
from users.models import Driver, KnownAddress, Role, Suspicion, User
from users.sms import send_sms
from users.tallies import tally_add
from users.tokens import TokenPair, tokens_issue

logger = logging.getLogger(__name__)


def login_request(*, msisdn: str, address: str) -> None:
    """Send a one-time code to a normalised number. Raises `RateLimited` after too many."""
    try:
        code = code_create(msisdn=msisdn, address=address)
    except CodesCapped:
        logger.error("OTP_MAX_PER_HOUR_OVERALL codes were sent within an hour; codes to new addresses are refused.")
        tally_add(Suspicion.CODES_CAPPED)
        raise
    send_sms(msisdn, f"{code} is your NebengJek code.")


def login(*, msisdn: str, otp: str, address: str) -> User:
    """Return the user of a number with a right code; the first login creates it. Raises `Unauthorized` otherwise."""
    if not code_use(msisdn=msisdn, code=otp, address=address):
        raise Unauthorized("wrong, used or expired code")
    user = User.objects.filter(msisdn=msisdn).first() or _user_create(msisdn)
    if not user.is_active:
        raise Unauthorized(f"user {user.pk} is not active")
    KnownAddress.objects.update_or_create(user=user, address=address, defaults={"last_login_at": timezone.now()})
    return user


@transaction.atomic
def tokens_refresh(*, refresh: str) -> TokenPair:
    """Exchange a refresh token for a new pair; it works once. Raises `Unauthorized` for a bad token."""
    token, user = _refresh_token(refresh)
    outstanding = OutstandingToken.objects.filter(jti=token["jti"]).first()
    if outstanding is None or not BlacklistedToken.objects.get_or_create(token=outstanding)[1]:
        raise Unauthorized("the refresh token was used before")
    return tokens_issue(user)


@transaction.atomic
def logout(*, refresh: str) -> None:
    """End every token of the owner of `refresh`. Raises `Unauthorized` for a bad token."""
    token, user = _refresh_token(refresh)
    token.blacklist()
    _revoke_tokens(user.pk)


@transaction.atomic
def profile_update(*, user_id: UUID, full_name: str) -> User:
    """Change the name, the only field that the owner of a profile can change."""
    User.objects.filter(pk=user_id).update(full_name=full_name)
    return User.objects.get(pk=user_id)


@transaction.atomic
def driver_create(*, user_id: UUID, vehicle_type: str, vehicle_plate: str) -> User:
    """Make a passenger a driver and end all older tokens. Raises `Conflict` for a driver."""
    if not User.objects.filter(pk=user_id, role=Role.PASSENGER).update(role=Role.DRIVER):
        raise Conflict("You are registered as a driver already.")
    Driver.objects.create(user_id=user_id, vehicle_type=vehicle_type, vehicle_plate=vehicle_plate)
    _revoke_tokens(user_id)
    return User.objects.select_related("driver").get(pk=user_id)


@transaction.atomic
def user_deactivate(*, user_id: UUID) -> bool:
    """Deactivate a user: logins and tokens are refused, open sockets close. Return False if nothing changed."""
    if not User.objects.filter(pk=user_id, is_active=True).update(is_active=False):
        return False
    _revoke_tokens(user_id)
    return True


@transaction.atomic
def user_log_out(*, user_id: UUID) -> bool:
    """End every token of a user, and close open sockets. Return False if there is no such user."""
    if not User.objects.select_for_update().filter(pk=user_id).exists():
        return False
    _revoke_tokens(user_id)
    return True


@transaction.atomic
def user_reactivate(*, user_id: UUID) -> bool:
    """Reactivate a user, who has to log in again. Return False if nothing changed."""
    return User.objects.filter(pk=user_id, is_active=False).update(is_active=True) == 1


def purge_tokens() -> int:
    """Delete the records of refresh tokens that have expired; return how many."""
    count, _ = OutstandingToken.objects.filter(expires_at__lt=timezone.now()).delete()
    return count


def _user_create(msisdn: str) -> User:
    user, created = User.objects.get_or_create(msisdn=msisdn)
    if created:
        user.set_unusable_password()
        user.save(update_fields=["password"])
    return user


def _refresh_token(raw: str) -> tuple[RefreshToken, User]:
    """Return a valid refresh token and its owner, whose row is locked until the transaction ends."""
    try:
        token = RefreshToken(raw)  # type: ignore[arg-type]  # the stubs ask for a Token, the class for its text
        user_id = UUID(str(token["user_id"]))
    except (TokenError, KeyError, ValueError, OverflowError, OSError) as exc:
        raise Unauthorized(f"bad refresh token: {exc}") from exc
    user = User.objects.select_for_update().filter(pk=user_id, is_active=True).first()
    if user is None or user.token_version != token.get("ver", 0):
        raise Unauthorized("the refresh token has an old version, or its user is gone")
    return token, user


def _revoke_tokens(user_id: UUID) -> None:
    User.objects.filter(pk=user_id).update(token_version=F("token_version") + 1)
    version = User.objects.values_list("token_version", flat=True).get(pk=user_id)
    emit(TokensRevoked(user_id=user_id, token_version=version))
