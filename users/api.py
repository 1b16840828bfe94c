"""REST: login, tokens and the profile."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from rest_framework import status
from rest_framework.permissions import AllowAny
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.serializers import Serializer
from rest_framework.views import APIView

from users import services
from users.models import User
from users.serializers import CodeRequest, LoginRequest, ProfileRequest, RefreshRequest, UserSerializer
from users.throttling import network_of_request
from users.tokens import tokens_issue


def validated(serializer: type[Serializer[None]], request: Request) -> dict[str, Any]:
    """Return the body of a request as `serializer` reads it; raise `ValidationError` naming each wrong field."""
    body = serializer(data=request.data)
    body.is_valid(raise_exception=True)
    data: dict[str, Any] = body.validated_data
    return data


def current_user(request: Request) -> User:
    """Return the user of a request that the permissions have let through."""
    assert isinstance(request.user, User)
    return request.user


def session_body(user: User) -> dict[str, Any]:
    """Return a new pair of tokens and the user they are for."""
    return {**tokens_issue(user), "user": UserSerializer(user).data}


class OpenView(APIView):
    """A view for people who have no token yet, or none that is still good."""

    authentication_classes = ()
    permission_classes = (AllowAny,)

    def get_authenticate_header(self, request: Request) -> str:
        """Answer a refused login with 401."""
        return "Bearer"


class CodeView(OpenView):
    """`POST /api/auth/otp/`: send a one-time code."""

    def post(self, request: Request) -> Response:
        """Answer the same for known and unknown numbers."""
        services.login_request(**validated(CodeRequest, request), address=network_of_request(request))
        expires_in = int(settings.OTP_TTL.total_seconds())
        return Response({"expires_in": expires_in}, status=status.HTTP_202_ACCEPTED)


class TokenView(OpenView):
    """`POST /api/auth/token/`: exchange a code for tokens."""

    def post(self, request: Request) -> Response:
        """Log in."""
        user = services.login(**validated(LoginRequest, request), address=network_of_request(request))
        return Response(session_body(user))


class RefreshView(OpenView):
    """`POST /api/auth/refresh/`: exchange a refresh token for a new pair."""

    def post(self, request: Request) -> Response:
        """Rotate."""
        return Response(services.tokens_refresh(**validated(RefreshRequest, request)))


class LogoutView(OpenView):
    """`POST /api/auth/logout/`: end all tokens of the refresh token's owner."""

    def post(self, request: Request) -> Response:
        """Log out."""
        services.logout(**validated(RefreshRequest, request))
        return Response(status=status.HTTP_204_NO_CONTENT)


class MeView(APIView):
    """`GET`, `PATCH /api/me/`: one's own profile."""

    def get(self, request: Request) -> Response:
        """Show it."""
        return Response(UserSerializer(current_user(request)).data)

    def patch(self, request: Request) -> Response:
        """Change the name."""
        user = current_user(request)
        if changes := validated(ProfileRequest, request):
            user = services.profile_update(user_id=user.pk, **changes)
        return Response(UserSerializer(user).data)
