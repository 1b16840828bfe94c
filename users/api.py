"""REST: login, tokens and the profile of a user."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from rest_framework import status
from rest_framework.permissions import AllowAny
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.serializers import Serializer
from rest_framework.views import APIView

from common.rest.documented import answer, documented
from common.rest.throttling import network_of_request
from users import services
from users.models import User
from users.serializers import (
    CodeRequest,
    CodeSent,
    LoginRequest,
    ProfileRequest,
    RefreshRequest,
    SessionSerializer,
    TokenPairSerializer,
    UserSerializer,
)
from users.tokens import refresh_owner


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


def session_body(session: services.Session) -> dict[str, Any]:
    """Return a pair of tokens and the user they are for."""
    return {**session.tokens, "user": UserSerializer(session.user).data}


USER = {
    "id": "01990000-0000-7000-8000-000000000002",
    "msisdn": "+6281200000003",
    "full_name": "Putri Ayu",
    "role": "passenger",
    "is_active": True,
}
PAIR = {"access": "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.…", "refresh": "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.…"}
"""Examples for the documents."""


class OpenView(APIView):
    """A view for clients without a valid access token."""

    authentication_classes = ()
    permission_classes = (AllowAny,)

    def get_authenticate_header(self, request: Request) -> str:
        """Answer a refused login with 401 instead of 403."""
        return "Bearer"


class CodeView(OpenView):
    """`POST /api/auth/otp/`: send a one-time code."""

    @documented(
        "requestCode",
        "Request a one-time code",
        "The answer is the same for known and unknown numbers. A number gets `OTP_MAX_PER_HOUR` codes an hour.",
        {202: answer(CodeSent, "The code has been sent, if the number exists.", {"expires_in": 300})},
        tag="login",
        request=CodeRequest,
        example={"msisdn": "+6281200000003"},
    )
    def post(self, request: Request) -> Response:
        """Answer the same for known and unknown numbers."""
        services.login_request(**validated(CodeRequest, request), address=network_of_request(request))
        expires_in = int(settings.OTP_TTL.total_seconds())
        return Response({"expires_in": expires_in}, status=status.HTTP_202_ACCEPTED)


class TokenView(OpenView):
    """`POST /api/auth/token/`: exchange a code for tokens."""

    @documented(
        "logIn",
        "Log in with a code",
        "A code works once, for a few minutes and a few tries; the last two that were sent work. The same call within "
        "60 s gets the same tokens, should the first answer be lost.",
        {200: answer(SessionSerializer, "Tokens; the first login makes a passenger.", {**PAIR, "user": USER})},
        refusals=[401],
        tag="login",
        request=LoginRequest,
        example={"msisdn": "+6281200000003", "otp": "123456"},
    )
    def post(self, request: Request) -> Response:
        """Log in."""
        session = services.login(**validated(LoginRequest, request), address=network_of_request(request))
        return Response(session_body(session))


class RefreshView(OpenView):
    """`POST /api/auth/refresh/`: exchange a refresh token for a new pair."""

    def caller_of(self, request: Request) -> str | None:
        """Count calls for the owner of a token whose signature holds."""
        return refresh_owner(request.data)

    @documented(
        "refreshTokens",
        "Exchange a refresh token for a new pair",
        "The refresh token is used up, and the new tokens carry the current role. Within 60 s of its use it gives the "
        "same new pair again, should the first answer be lost; used later, it ends all tokens of the user.",
        {200: answer(TokenPairSerializer, "The new pair; the old refresh token is used up.", PAIR)},
        refusals=[401],
        tag="login",
        request=RefreshRequest,
        example={"refresh": PAIR["refresh"]},
    )
    def post(self, request: Request) -> Response:
        """Rotate."""
        return Response(services.tokens_refresh(**validated(RefreshRequest, request)))


class LogoutView(OpenView):
    """`POST /api/auth/logout/`: end all tokens of the refresh token's owner."""

    @documented(
        "logOut",
        "End all tokens and the socket",
        "Ends every token of the user, also those of other devices, and closes the socket with 4401.",
        {204: answer(None, "All tokens of the user have ended.")},
        refusals=[401],
        tag="login",
        request=RefreshRequest,
        example={"refresh": PAIR["refresh"]},
    )
    def post(self, request: Request) -> Response:
        """Log out."""
        services.logout(**validated(RefreshRequest, request))
        return Response(status=status.HTTP_204_NO_CONTENT)


class MeView(APIView):
    """`GET`, `PATCH`, `DELETE /api/me/`: the account of the caller."""

    @documented(
        "readProfile",
        "Read your profile",
        "The caller's own profile; `driver` only for drivers. After a login by code `name_confirmed` is false and the "
        "name empty, until `PATCH` confirms it: the number may have a new owner.",
        {200: answer(UserSerializer, "The profile.", USER)},
        refusals=[401],
        tag="profile",
    )
    def get(self, request: Request) -> Response:
        """Show it."""
        return Response(UserSerializer(current_user(request)).data)

    @documented(
        "updateProfile",
        "Change your name",
        "Only `full_name` can be written; other known fields are refused, unknown ones ignored. While `name_confirmed` "
        "is false, the same name as before brings back the name and older rides; another one is that of a new owner of "
        "the number, to whom older rides are not shown.",
        {200: answer(UserSerializer, "The updated profile.", USER)},
        refusals=[401],
        tag="profile",
        request=ProfileRequest,
        example={"full_name": "Putri Ayu"},
    )
    def patch(self, request: Request) -> Response:
        """Change the name."""
        user = current_user(request)
        if changes := validated(ProfileRequest, request):
            user = services.profile_update(user_id=user.pk, **changes)
        return Response(UserSerializer(user).data)

    @documented(
        "deleteAccount",
        "End the account",
        "The account ends and the personal data with it; the number is free for a new account. Refused with 409 during "
        "a ride, and until it is paid.",
        {204: answer(None, "The account has ended, and all tokens.")},
        refusals=[401, 409],
        tag="profile",
    )
    def delete(self, request: Request) -> Response:
        """End it."""
        services.account_erase(user_id=current_user(request).pk)
        return Response(status=status.HTTP_204_NO_CONTENT)
