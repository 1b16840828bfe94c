"""Tokens: issued by simplejwt, checked in one place for REST, the handshake and `token_refresh`.

An access token is HS256 over `JWT_SECRET` with `user_id`, `role` and `exp`; `ver` is the user's token version. Tokens
of other issuers need only these claims, so they are checked with PyJWT: simplejwt would require a `jti`.
"""

from __future__ import annotations

import time
from collections.abc import Collection, Sequence
from typing import Any, TypedDict
from uuid import UUID

import jwt
import msgspec
from django.conf import settings
from rest_framework_simplejwt.tokens import RefreshToken

from common.errors import Unauthorized
from common.prepared import Prepared
from users.models import User

LATEST_EXPIRY = 253_402_300_799
"""The end of the year 9999, in seconds since the epoch: `datetime` ends there."""

NO_VERSION = 2**31
"""A token version that no token has."""

_OPTIONS: Any = {
    "require": ["user_id", "role", "exp"],
    "verify_exp": False,  # checked below: the leeway is for `iat` only
    "verify_aud": False,
    "verify_iss": False,
    "verify_sub": False,
    "verify_jti": False,
}


_ACCOUNT = Prepared(
    UUID, build=lambda user_id: User.objects.filter(pk=user_id).values_list("role", "token_version", "is_active")
)


class Claims(msgspec.Struct, frozen=True):
    """The claims of a token with a valid signature; `exp` is in seconds since the epoch."""

    user_id: UUID
    role: str
    exp: float
    ver: int = 0
    token_type: str = "access"  # noqa: S105


class TokenPair(TypedDict):
    """An access token and the refresh token for the next pair."""

    access: str
    refresh: str


def tokens_issue(user: User) -> TokenPair:
    """Return a new pair of tokens with the user's role and token version."""
    refresh = RefreshToken.for_user(user)
    refresh["role"] = user.role
    refresh["ver"] = user.token_version
    return {"access": str(refresh.access_token), "refresh": str(refresh)}


def claims_of(token: str) -> Claims:
    """Return the claims of an access token; raise `Unauthorized` if anything is wrong with it."""
    try:
        payload = jwt.decode(
            token, settings.JWT_SECRET, algorithms=["HS256"], leeway=settings.JWT_LEEWAY, options=_OPTIONS
        )
        claims = msgspec.convert(payload, Claims)
    except Exception as exc:  # untrusted input: whatever it breaks, it is a bad token
        raise Unauthorized(f"bad token: {type(exc).__name__}: {exc}") from exc
    if claims.token_type != "access":  # noqa: S105
        raise Unauthorized(f"a {claims.token_type} token where an access token is needed")
    if not time.time() < claims.exp <= LATEST_EXPIRY:
        raise Unauthorized("the token has expired, or expires after the year 9999")
    return claims


def check_claims(claims: Claims) -> None:
    """Raise `Unauthorized` unless the claims are true of an active user; one statement, no model."""
    check_account(claims, _ACCOUNT.first(claims.user_id))


def check_account(claims: Claims, account: Sequence[Any] | None) -> None:
    """Raise `Unauthorized` unless the claims are true of an account: `(role, token_version, is_active)`."""
    if account is None or not account[2]:
        raise Unauthorized(f"no active user {claims.user_id}")
    if (account[0], account[1]) != (claims.role, claims.ver):
        raise Unauthorized(f"the token is not of the present role or version of user {claims.user_id}")


def user_of(claims: Claims) -> User:
    """Return the active user whose role and token version match the claims; raise `Unauthorized` if there is none."""
    user = User.objects.filter(pk=claims.user_id, is_active=True).first()
    if user is None:
        raise Unauthorized(f"no active user {claims.user_id}")
    if user.role != claims.role or user.token_version != claims.ver:
        raise Unauthorized(f"the token has an old role or version of user {user.pk}")
    return user


def token_versions(user_ids: Collection[UUID]) -> dict[UUID, int]:
    """Return the token version that each user's tokens must have: `NO_VERSION` for deactivated users."""
    rows = dict(User.objects.filter(pk__in=user_ids, is_active=True).values_list("pk", "token_version"))
    return {user_id: rows.get(user_id, NO_VERSION) for user_id in user_ids}


def authenticate(token: str) -> tuple[User, Claims]:
    """Return the user and the claims of an access token; raise `Unauthorized` for a bad token."""
    claims = claims_of(token)
    return user_of(claims), claims
