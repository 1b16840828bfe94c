"""Logging in with a one-time code, exchanging refresh tokens, logging out.

A lost answer costs nothing: for `GRACE` a login, a refresh and a registration that are repeated get the same tokens.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import NamedTuple

from django.conf import settings
from django.contrib.sessions.models import Session as BrowserSession
from django.db import transaction
from django.utils.translation import gettext as _
from rest_framework_simplejwt.token_blacklist.models import BlacklistedToken, OutstandingToken

from common import clock
from common.db import delete_batch
from common.errors import Conflict, RateLimited, Unauthorized
from common.retrying import repetition
from users.codes import CodesCapped, code_check, code_create, code_take
from users.models import KnownAddress, OneTimeCode, Suspicion, TokenAnswer, User
from users.personal_data.base import personal_data
from users.reasons import UserReason
from users.services.revocation import revoke_tokens
from users.sms import send_sms
from users.tallies import tally_add
from users.tokens import (
    GRACE,
    RefreshClaims,
    TokenPair,
    refresh_claims_of,
    request_digest,
    tokens_again,
    tokens_issue,
)

logger = logging.getLogger(__name__)

SMS_PATIENCE = 60.0
"""Seconds after which to ask again for a code, where the provider is too slow for all that were asked for."""


class Session(NamedTuple):
    """A user who has logged in, and their tokens."""

    user: User
    tokens: TokenPair


def login_request(*, msisdn: str, address: str) -> None:
    """Send a one-time code to a normalised number, soon. Raises `RateLimited` after too many."""
    try:
        code = code_create(msisdn=msisdn, address=address)
    except CodesCapped:
        text = "OTP_MAX_PER_HOUR_OVERALL codes were sent within an hour; codes to new addresses are refused."
        if repetition(login_request).is_new(text):
            logger.error(text)
        tally_add(Suspicion.CODES_CAPPED)
        raise
    if not send_sms(msisdn, _("%(code)s is your NebengJek code.") % {"code": code}):
        raise RateLimited(
            _("Too many codes were sent within an hour."), retry_after=SMS_PATIENCE, reason=UserReason.TOO_MANY_CODES
        )


def login(*, msisdn: str, otp: str, address: str) -> Session:
    """Log in the user of a number with a right code; the first login creates the user.

    The same call within `GRACE`, from the same address, returns the same tokens. Raises `Unauthorized` otherwise.
    """
    code = code_check(msisdn=msisdn, code=otp, address=address)
    if code is None:
        raise Unauthorized("wrong, used or expired code")
    return _log_in(code, address)


def tokens_refresh(*, refresh: str) -> TokenPair:
    """Exchange a refresh token for a new pair; within `GRACE` of its use it gives the same pair again.

    Used later, it has leaked or its app has lost its memory: all tokens of the user end. Raises `Unauthorized` then,
    and for a bad token.
    """
    claims = refresh_claims_of(refresh)
    pair = _rotate(claims)
    if pair is None:
        logger.warning("A used refresh token of user %s came again; all their tokens have ended.", claims.user_id)
        tally_add(Suspicion.REFRESH_REUSED)
        raise Unauthorized("the refresh token was used before")
    return pair


@transaction.atomic
def logout(*, refresh: str) -> None:
    """End every token of the owner of `refresh`. Raises `Unauthorized` for a bad token."""
    claims = refresh_claims_of(refresh)
    user = _owner(claims)
    if _is_used(claims) and tokens_again(user, request=_digest(claims)) is None:
        raise Unauthorized("the refresh token was used before")
    revoke_tokens(user.pk)


@transaction.atomic
def session_once(*, user: User, request: str, act: Callable[[], User]) -> Session:
    """Return the tokens of a user after `act`, which ends the older ones; the same request gets the same again.

    `request` is the digest of what makes requests the same. Raises what `act` raises.
    """
    if tokens := tokens_again(user, request=request):
        return Session(user, tokens)
    try:
        changed = act()
    except Conflict:
        user.refresh_from_db()
        if tokens := tokens_again(user, request=request):  # the same request, at the same moment
            return Session(user, tokens)
        raise
    return Session(changed, tokens_issue(changed, request=request))


def purge_tokens() -> int:
    """Delete a batch of the records of refresh tokens that have expired, and of old answers; return how many."""
    now = clock.now()
    expired = delete_batch(OutstandingToken.objects.filter(expires_at__lt=now))
    return expired + delete_batch(TokenAnswer.objects.filter(answered_at__lt=now - GRACE))


def purge_sessions() -> int:
    """Delete a batch of the browser sessions of staff that have expired; return how many."""
    return delete_batch(BrowserSession.objects.filter(expire_date__lt=clock.now()))


@transaction.atomic
def _log_in(code: OneTimeCode, address: str) -> Session:
    request = request_digest("login", code.pk, address)
    if code_take(code):
        user = _user_of_number(code.msisdn)
        _forget_other_devices(user)
        KnownAddress.objects.update_or_create(user=user, address=address, defaults={"last_login_at": clock.now()})
        return Session(user, tokens_issue(user, request=request))
    again = User.objects.filter(msisdn=code.msisdn, is_active=True).first()
    tokens = tokens_again(again, request=request) if again else None
    if again is None or tokens is None:
        raise Unauthorized("the code was used before")
    return Session(again, tokens)


def _forget_other_devices(user: User) -> None:
    """End older sessions, and hide name and history until the person confirms the name.

    The number may have a new owner, or its owner a new device. Staff keep their sessions: they end them by themselves.
    """
    if user.is_staff:
        return
    if settings.SINGLE_DEVICE and OutstandingToken.objects.filter(user=user).exists():
        revoke_tokens(user.pk)
    if user.full_name:
        User.objects.filter(pk=user.pk).update(name_confirmed=False, history_from=clock.now())
    for part in personal_data():
        part.withdraw(user)
    user.refresh_from_db()


def _user_of_number(msisdn: str) -> User:
    user = User.objects.select_for_update().filter(msisdn=msisdn).first() or _user_create(msisdn)
    if not user.is_active:
        raise Unauthorized(f"user {user.pk} is not active")
    return user


def _user_create(msisdn: str) -> User:
    user, created = User.objects.get_or_create(msisdn=msisdn)
    if created:
        user.set_unusable_password()
        user.save(update_fields=["password"])
    return user


@transaction.atomic
def _rotate(claims: RefreshClaims) -> TokenPair | None:
    """Return the next pair, or the one that was given before; None, with all tokens ended, for a token used earlier."""
    user = _owner(claims)
    issued = OutstandingToken.objects.filter(jti=claims.jti).first()
    if issued is None:
        raise Unauthorized("the refresh token is not known")
    if BlacklistedToken.objects.get_or_create(token=issued)[1]:
        return tokens_issue(user, request=_digest(claims))
    again = tokens_again(user, request=_digest(claims))
    if again is None:
        revoke_tokens(user.pk)
    return again


def _owner(claims: RefreshClaims) -> User:
    """Return the owner of a refresh token of the current version, whose row is locked until the transaction ends."""
    user = User.objects.select_for_update().filter(pk=claims.user_id, is_active=True).first()
    if user is None or user.token_version != claims.ver:
        raise Unauthorized("the refresh token has an old version, or its user is gone")
    return user


def _is_used(claims: RefreshClaims) -> bool:
    return BlacklistedToken.objects.filter(token__jti=claims.jti).exists()


def _digest(claims: RefreshClaims) -> str:
    return request_digest("refresh", claims.jti)
