"""Bearer tokens on REST, checked exactly as at the handshake of the WebSocket."""

from __future__ import annotations

from rest_framework.authentication import BaseAuthentication, get_authorization_header
from rest_framework.exceptions import AuthenticationFailed
from rest_framework.request import Request

from common.errors import SECURITY_MESSAGE, Unauthorized
from users.models import User
from users.tokens import Claims, authenticate


class BearerAuthentication(BaseAuthentication):
    """`Authorization: Bearer <access token>`; no header at all is an anonymous request."""

    def authenticate(self, request: Request) -> tuple[User, Claims] | None:
        """Return the user and the claims of the token; raise `AuthenticationFailed` for a bad token."""
        scheme, _, token = get_authorization_header(request).partition(b" ")
        if scheme.lower() != b"bearer":
            return None
        try:
            return authenticate(token.strip().decode("ascii", "replace"))
        except Unauthorized as exc:
            raise AuthenticationFailed(SECURITY_MESSAGE) from exc

    def authenticate_header(self, request: Request) -> str:
        """Answer a missing token with 401 instead of 403."""
        return "Bearer"
