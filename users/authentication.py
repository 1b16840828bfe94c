"""Bearer tokens on REST, checked exactly as at the handshake of the WebSocket."""

from __future__ import annotations

import json

from rest_framework.authentication import BaseAuthentication, get_authorization_header
from rest_framework.exceptions import APIException, AuthenticationFailed
from rest_framework.request import Request

from common.errors import SECURITY_MESSAGE, Unauthorized
from users.models import User
from users.tokens import Claims, claims_of, request_digest, user_answered, user_of


class BearerAuthentication(BaseAuthentication):
    """`Authorization: Bearer <access token>`; no header at all is an anonymous request.

    A view whose call ends the token that it comes with says so with `ends_token = True`: while the answer is kept
    (`TokenAnswer`), the same call is let through again.
    """

    def authenticate(self, request: Request) -> tuple[User, Claims] | None:
        """Return the user and the claims of the token; raise `AuthenticationFailed` for a bad token."""
        scheme, _, token = get_authorization_header(request).partition(b" ")
        if scheme.lower() != b"bearer":
            return None
        try:
            claims = claims_of(token.strip().decode("ascii", "replace"))
            return _user_of(claims, request), claims
        except Unauthorized as exc:
            raise AuthenticationFailed(SECURITY_MESSAGE) from exc

    def authenticate_header(self, request: Request) -> str:
        """Answer a missing token with 401 instead of 403."""
        return "Bearer"


def digest_of(request: Request) -> str:
    """Return what makes REST calls the same: method, path, token and body."""
    try:
        body = json.dumps(request.data, sort_keys=True)
    except APIException:
        body = ""  # the view refuses it
    return request_digest(request.method, request.path, get_authorization_header(request).decode("latin-1"), body)


def _user_of(claims: Claims, request: Request) -> User:
    """Return the user of the claims, or of the same request a moment ago; raise `Unauthorized` if there is none."""
    try:
        return user_of(claims)
    except Unauthorized:
        view = request.parser_context.get("view")
        user = user_answered(digest_of(request)) if getattr(view, "ends_token", False) else None
        if user is None or user.pk != claims.user_id:
            raise
        return user
