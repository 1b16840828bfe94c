"""Errors of REST calls in the form of the contract: `{"code", "message", "fields"?}`."""

from __future__ import annotations

import logging
import math
import uuid
from collections.abc import Callable, Iterator
from functools import wraps
from typing import Any

from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.utils.translation import gettext as _
from django.views.decorators.csrf import csrf_exempt
from rest_framework import exceptions, status
from rest_framework.response import Response
from rest_framework.views import set_rollback

from common.errors import (
    SECURITY_MESSAGE,
    SERVER_MESSAGE,
    CommonReason,
    Conflict,
    DomainError,
    ErrorCode,
    InvalidFormat,
    RateLimited,
    Unauthorized,
    ValidationFailed,
    brief,
    error_body,
)
from common.retrying import repetition
from common.unavailable import unavailable

View = Callable[..., HttpResponse]

logger = logging.getLogger(__name__)

REASONS: dict[type[exceptions.APIException], CommonReason] = {
    exceptions.NotFound: CommonReason.NOT_FOUND,
    exceptions.MethodNotAllowed: CommonReason.METHOD_NOT_ALLOWED,
    exceptions.UnsupportedMediaType: CommonReason.UNSUPPORTED_MEDIA_TYPE,
    exceptions.NotAcceptable: CommonReason.NOT_ACCEPTABLE,
}

STATUS = {
    InvalidFormat: status.HTTP_400_BAD_REQUEST,
    Unauthorized: status.HTTP_401_UNAUTHORIZED,
    Conflict: status.HTTP_409_CONFLICT,
    ValidationFailed: status.HTTP_400_BAD_REQUEST,
    RateLimited: status.HTTP_429_TOO_MANY_REQUESTS,
}


def contract_errors(exc: Exception, context: dict[str, Any]) -> Response:
    """Return the response for an exception of a view; an unexpected one is logged with an error id.

    An outage is logged once a minute, without its traceback.
    """
    set_rollback()
    if isinstance(exc, DomainError):
        return _domain_error(exc)
    if isinstance(exc, Http404):
        exc = exceptions.NotFound()
    elif isinstance(exc, PermissionDenied):
        exc = exceptions.PermissionDenied()
    if isinstance(exc, exceptions.APIException):
        return _api_error(exc)
    is_away = isinstance(exc, unavailable())
    if not is_away or repetition(contract_errors).is_new(brief(exc)):
        view = type(context["view"]).__name__
        logger.error("Error %s in %s: %s", uuid.uuid4(), view, brief(exc), exc_info=None if is_away else exc)
    response = Response(error_body(ErrorCode.INTERNAL_ERROR, SERVER_MESSAGE), status=500)
    response._has_been_logged = True  # type: ignore[attr-defined] # Django would add a line for each call
    return response


def page_not_found(request: HttpRequest, exception: Exception) -> JsonResponse:
    """Answer a path that does not exist."""
    body = error_body(ErrorCode.VALIDATION_FAILED, "Not found.", CommonReason.NOT_FOUND)
    return JsonResponse(body, status=404)


def only_reading(view: View) -> View:
    """Make a plain view read-only: other methods are 405 in JSON, also without a CSRF token."""

    @csrf_exempt
    @wraps(view)
    def reading(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        if request.method in ("GET", "HEAD"):
            return view(request, *args, **kwargs)
        text = f'Method "{request.method}" not allowed.'
        body = error_body(ErrorCode.VALIDATION_FAILED, text, CommonReason.METHOD_NOT_ALLOWED)
        return JsonResponse(body, status=405, headers={"Allow": "GET, HEAD"})

    return reading


def server_error(request: HttpRequest) -> JsonResponse:
    """Answer an error outside the REST views; Django has logged it."""
    return JsonResponse(error_body(ErrorCode.INTERNAL_ERROR, SERVER_MESSAGE), status=500)


def bad_request(request: HttpRequest, exception: Exception) -> JsonResponse:
    """Answer a request that Django refused before it reached a view, such as one for a foreign host."""
    return JsonResponse(error_body(ErrorCode.INVALID_FORMAT, "Bad request."), status=400)


def _domain_error(exc: DomainError) -> Response:
    code = next(STATUS[cls] for cls in type(exc).__mro__ if cls in STATUS)
    headers = {}
    if isinstance(exc, RateLimited):
        headers["Retry-After"] = str(math.ceil(exc.retry_after))
    if isinstance(exc, Unauthorized):
        logger.info("Refused: %s", exc.message)
        headers["WWW-Authenticate"] = "Bearer"
    fields = {exc.field: [exc.message]} if exc.field else None
    return Response(error_body(exc.code, exc.client_message, exc.reason, fields), status=code, headers=headers)


def _api_error(exc: exceptions.APIException) -> Response:
    headers = {}
    if isinstance(exc, exceptions.Throttled):
        headers["Retry-After"] = str(math.ceil(getattr(exc, "wait", None) or 1))
        body = error_body(ErrorCode.RATE_LIMIT, _("Too many requests."), CommonReason.TOO_MANY_REQUESTS)
    elif isinstance(exc, (exceptions.NotAuthenticated, exceptions.AuthenticationFailed, exceptions.PermissionDenied)):
        headers["WWW-Authenticate"] = "Bearer"
        body = error_body(ErrorCode.UNAUTHORIZED, SECURITY_MESSAGE)
    elif isinstance(exc, exceptions.ParseError):
        body = error_body(ErrorCode.INVALID_FORMAT, str(exc.detail), CommonReason.NOT_JSON)
    elif isinstance(exc, exceptions.ValidationError):
        fields = _fields(exc.detail)
        message = "; ".join(f"{name}: {' '.join(texts)}" for name, texts in fields.items())
        body = error_body(ErrorCode.VALIDATION_FAILED, message, _reason_of(exc.get_codes()), fields)
    else:
        body = error_body(ErrorCode.VALIDATION_FAILED, str(exc.detail), REASONS.get(type(exc)))
    return Response(body, status=exc.status_code, headers=headers)


def _reason_of(codes: Any) -> CommonReason:
    """Return the reason of wrong fields: that they are missing, where nothing else is wrong."""
    return CommonReason.MISSING_FIELD if set(_words(codes)) == {"required"} else CommonReason.INVALID_FIELD


def _words(codes: Any) -> Iterator[str]:
    """Yield the codes of Django REST framework, which come as deep as the fields are."""
    if isinstance(codes, str):
        yield codes
    else:
        for part in codes.values() if isinstance(codes, dict) else codes:
            yield from _words(part)


def _fields(detail: Any) -> dict[str, list[str]]:
    if not isinstance(detail, dict):
        detail = {"body": detail}
    return {
        "body" if name == "non_field_errors" else str(name): [
            str(t) for t in (texts if isinstance(texts, list) else [texts])
        ]
        for name, texts in detail.items()
    }
