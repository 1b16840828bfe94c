"""Tokens: issued for a login or a refresh, checked in one place for REST, the handshake and `token_refresh`.

An access token is HS256 over `JWT_SECRET` with `user_id`, `role` and `exp`; `ver` is the user's token version. Tokens
of other issuers need only these claims, so they are checked with PyJWT: simplejwt would require a `jti`. While keys are
being changed, tokens over `JWT_SECRET_PREVIOUS` hold, too.

A pair of tokens is a function of the user, the `jti` of the refresh token and the second in which it was issued. The
database keeps these and no token, and the same pair can be made again when an answer was lost (`tokens_again`).
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Any, TypedDict, TypeVar
from uuid import UUID, uuid4, uuid5

import jwt
import msgspec
from django.conf import settings
from django.db.models import QuerySet
from rest_framework_simplejwt.token_blacklist.models import OutstandingToken

from common import clock
from common.errors import Unauthorized
from common.prepared import SIZES, Prepared, padded
from users.models import TokenAnswer, User

LATEST_EXPIRY = 253_402_300_799
"""The end of the year 9999, in seconds since the epoch: `datetime` ends there."""

NO_VERSION = 2**31
"""A token version that no token has."""

GRACE = timedelta(seconds=60)
"""For how long a request that gave tokens gives the same tokens again."""

ACCESS_IDS = UUID("6e656265-6e67-4a65-8b00-000000000001")
"""The namespace of the `jti` of access tokens, which are derived from those of the refresh tokens."""

_OPTIONS: Any = {
    # Times are checked below, by the clock that all processes share; the leeway is not for `exp`.
    "verify_exp": False,
    "verify_iat": False,
    "verify_nbf": False,
    "verify_aud": False,
    "verify_iss": False,
    "verify_sub": False,
    "verify_jti": False,
}


def _accounts_by(*user_ids: UUID) -> QuerySet[User, Any]:
    return User.objects.filter(pk__in=user_ids).values_list("pk", "role", "token_version", "is_active")


_ACCOUNTS = {size: Prepared(*[UUID] * size, build=_accounts_by) for size in SIZES}


class Claims(msgspec.Struct, frozen=True):
    """The claims of a token with a valid signature; `exp` is in seconds since the epoch."""

    user_id: UUID
    role: str
    exp: float
    ver: int = 0
    token_type: str = "access"  # noqa: S105


class RefreshClaims(msgspec.Struct, frozen=True):
    """The claims of a refresh token with a valid signature; `exp` is in seconds since the epoch."""

    user_id: UUID
    exp: float
    jti: str
    token_type: str
    ver: int = 0


C = TypeVar("C", Claims, RefreshClaims)


class TokenPair(TypedDict):
    """An access token and the refresh token for the next pair."""

    access: str
    refresh: str


def tokens_issue(user: User, *, request: str = "") -> TokenPair:
    """Return a new pair of tokens with the user's role and token version.

    With `request` (`request_digest`) the pair is remembered as the answer to this request.
    """
    now = clock.now()
    ends = now + timedelta(minutes=settings.JWT_REFRESH_EXPIRATION)
    issued = OutstandingToken.objects.create(user=user, jti=uuid4().hex, token="", created_at=now, expires_at=ends)
    if request:
        answer = {"user": user, "jti": issued.jti, "token_version": user.token_version, "answered_at": now}
        TokenAnswer.objects.update_or_create(request=request, defaults=answer)
    return _pair(user, issued)


def tokens_again(user: User, *, request: str) -> TokenPair | None:
    """Return the pair that answered the same request within the last `GRACE`, or None if it does not work any more."""
    answer = _recent_answers().filter(pk=request, user=user, token_version=user.token_version).first()
    issued = OutstandingToken.objects.filter(jti=answer.jti).first() if answer else None
    return _pair(user, issued) if issued else None


def user_answered(request: str) -> User | None:
    """Return the active user whose tokens answered this request within the last `GRACE`."""
    answer = _recent_answers().filter(pk=request, user__is_active=True).select_related("user").first()
    return answer.user if answer else None


def request_digest(*parts: object) -> str:
    """Return the key under which the answer to a request is remembered."""
    return sha256("\0".join(map(str, parts)).encode("utf-8", "surrogatepass")).hexdigest()


def claims_of(token: str) -> Claims:
    """Return the claims of an access token; raise `Unauthorized` if anything is wrong with it."""
    claims = _decoded(token, Claims, ["user_id", "role", "exp"])
    if claims.token_type != "access":  # noqa: S105
        raise Unauthorized(f"a {claims.token_type} token where an access token is needed")
    return claims


def refresh_claims_of(token: str) -> RefreshClaims:
    """Return the claims of a refresh token, used or not; raise `Unauthorized` if anything is wrong with it."""
    claims = _decoded(token, RefreshClaims, ["user_id", "exp", "jti"])
    if claims.token_type != "refresh":  # noqa: S105
        raise Unauthorized(f"a {claims.token_type} token where a refresh token is needed")
    return claims


def refresh_owner(body: object) -> str | None:
    """Return whose refresh token, used or not, is in the body of a call; None without a good signature."""
    token = body.get("refresh") if isinstance(body, dict) else None
    try:
        return str(refresh_claims_of(token).user_id) if isinstance(token, str) else None
    except Unauthorized:
        return None


def check_claims(claims: Claims) -> None:
    """Raise `Unauthorized` unless the claims are true of an active user; one statement, no model."""
    check_account(claims, accounts([claims.user_id]).get(claims.user_id))


def accounts(user_ids: Sequence[UUID]) -> dict[UUID, Sequence[Any]]:
    """Return `(role, token_version, is_active)` of those of these users (500 at most) who exist; one statement."""
    ids = padded(user_ids)
    return {user_id: account for user_id, *account in _ACCOUNTS[len(ids)].rows(*ids)}


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


def _recent_answers() -> QuerySet[TokenAnswer]:
    return TokenAnswer.objects.filter(answered_at__gt=clock.now() - GRACE)


def _pair(user: User, issued: OutstandingToken) -> TokenPair:
    assert issued.created_at is not None  # by `tokens_issue`
    access_jti = uuid5(ACCESS_IDS, issued.jti).hex
    return {
        "access": _encoded("access", settings.JWT_EXPIRATION, access_jti, user, issued.created_at),
        "refresh": _encoded("refresh", settings.JWT_REFRESH_EXPIRATION, issued.jti, user, issued.created_at),
    }


def _encoded(token_type: str, minutes: int, jti: str, user: User, issued_at: datetime) -> str:
    iat = int(issued_at.timestamp())
    claims = {"token_type": token_type, "exp": iat + 60 * minutes, "iat": iat, "jti": jti}
    person = {"user_id": str(user.pk), "role": user.role, "ver": user.token_version}
    return jwt.encode({**claims, **person}, settings.JWT_SECRET, algorithm="HS256")


def _decoded(token: str, kind: type[C], required: list[str]) -> C:
    options: Any = {**_OPTIONS, "require": required}
    try:
        claims = msgspec.convert(_payload(token, options), kind)
    except Exception as exc:  # untrusted input: whatever it breaks, it is a bad token
        raise Unauthorized(f"bad token: {type(exc).__name__}: {exc}") from exc
    if not clock.timestamp() < claims.exp <= LATEST_EXPIRY:
        raise Unauthorized("the token has expired, or expires after the year 9999")
    return claims


def _payload(token: str, options: Any) -> dict[str, Any]:
    """Return what a token says; while keys are being changed, one over the previous key is good, too."""
    try:
        return _verified(token, settings.JWT_SECRET, options)
    except jwt.InvalidSignatureError:
        if not settings.JWT_SECRET_PREVIOUS:
            raise
        return _verified(token, settings.JWT_SECRET_PREVIOUS, options)


def _verified(token: str, secret: str, options: Any) -> dict[str, Any]:
    payload: dict[str, Any] = jwt.decode(token, secret, algorithms=["HS256"], options=options)
    latest = clock.timestamp() + settings.JWT_LEEWAY
    for claim in ("iat", "nbf"):
        if claim in payload and int(payload[claim]) > latest:
            raise ValueError(f"{claim} is in the future")
    return payload
