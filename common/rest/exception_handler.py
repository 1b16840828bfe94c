"""Errors of REST calls in the form of the contract: `{"code", "message", "fields"?}`."""

from __future__ import annotations

import logging
import math
import uuid
from collections.abc import Callable
from functools import wraps
from typing import Any

import msgspec
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
    Conflict,
    DomainError,
    ErrorBody,
    ErrorCode,
    InvalidFormat,
    RateLimited,
    Unauthorized,
    ValidationFailed,
)

View = Callable[..., HttpResponse]

logger = logging.getLogger(__name__)

STATUS = {
    InvalidFormat: status.HTTP_400_BAD_REQUEST,
    Unauthorized: status.HTTP_401_UNAUTHORIZED,
    Conflict: status.HTTP_409_CONFLICT,
    ValidationFailed: status.HTTP_400_BAD_REQUEST,
    RateLimited: status.HTTP_429_TOO_MANY_REQUESTS,
}


def contract_errors(exc: Exception, context: dict[str, Any]) -> Response:
    """Return the response for an exception of a view; an unexpected one is logged with an error id."""
    set_rollback()
    if isinstance(exc, DomainError):
        return _domain_error(exc)
    if isinstance(exc, Http404):
        exc = exceptions.NotFound()
    elif isinstance(exc, PermissionDenied):
        exc = exceptions.PermissionDenied()
    if isinstance(exc, exceptions.APIException):
        return _api_error(exc)
    error_id = uuid.uuid4()
    logger.error("Error %s in %s", error_id, type(context["view"]).__name__, exc_info=exc)
    return _response(ErrorCode.INTERNAL_ERROR, SERVER_MESSAGE, status.HTTP_500_INTERNAL_SERVER_ERROR)


def page_not_found(request: HttpRequest, exception: Exception) -> JsonResponse:
    """Answer a path that does not exist."""
    return JsonResponse({"code": ErrorCode.VALIDATION_FAILED, "message": "Not found."}, status=404)


def only_reading(view: View) -> View:
    """Make a plain view read-only: other methods are 405 in JSON, also without a CSRF token."""

    @csrf_exempt
    @wraps(view)
    def reading(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        if request.method in ("GET", "HEAD"):
            return view(request, *args, **kwargs)
        body = ErrorBody(code=ErrorCode.VALIDATION_FAILED, message=f'Method "{request.method}" not allowed.')
        return JsonResponse(msgspec.to_builtins(body), status=405, headers={"Allow": "GET, HEAD"})

    return reading


def server_error(request: HttpRequest) -> JsonResponse:
    """Answer an error outside the REST views; Django has logged it."""
    return JsonResponse({"code": ErrorCode.INTERNAL_ERROR, "message": SERVER_MESSAGE}, status=500)


def bad_request(request: HttpRequest, exception: Exception) -> JsonResponse:
    """Answer a request that Django refused before it reached a view, such as one for a foreign host."""
    return JsonResponse({"code": ErrorCode.INVALID_FORMAT, "message": "Bad request."}, status=400)


def _domain_error(exc: DomainError) -> Response:
    code = next(STATUS[cls] for cls in type(exc).__mro__ if cls in STATUS)
    headers = {}
    if isinstance(exc, RateLimited):
        headers["Retry-After"] = str(math.ceil(exc.retry_after))
    if isinstance(exc, Unauthorized):
        logger.info("Refused: %s", exc.message)
        headers["WWW-Authenticate"] = "Bearer"
    fields = {exc.field: [exc.message]} if exc.field else None
    return _response(exc.code, exc.client_message, code, fields, headers)


def _api_error(exc: exceptions.APIException) -> Response:
    headers = {}
    if isinstance(exc, exceptions.Throttled):
        headers["Retry-After"] = str(math.ceil(getattr(exc, "wait", None) or 1))
        return _response(ErrorCode.RATE_LIMIT, _("Too many requests."), exc.status_code, None, headers)
    if isinstance(exc, (exceptions.NotAuthenticated, exceptions.AuthenticationFailed, exceptions.PermissionDenied)):
        headers["WWW-Authenticate"] = "Bearer"
        return _response(ErrorCode.UNAUTHORIZED, SECURITY_MESSAGE, exc.status_code, None, headers)
    if isinstance(exc, exceptions.ParseError):
        return _response(ErrorCode.INVALID_FORMAT, str(exc.detail), exc.status_code)
    if isinstance(exc, exceptions.ValidationError):
        fields = _fields(exc.detail)
        message = "; ".join(f"{name}: {' '.join(texts)}" for name, texts in fields.items())
        return _response(ErrorCode.VALIDATION_FAILED, message, exc.status_code, fields)
    return _response(ErrorCode.VALIDATION_FAILED, str(exc.detail), exc.status_code)


def _fields(detail: Any) -> dict[str, list[str]]:
    if not isinstance(detail, dict):
        detail = {"body": detail}
    return {
        "body" if name == "non_field_errors" else str(name): [
            str(t) for t in (texts if isinstance(texts, list) else [texts])
        ]
        for name, texts in detail.items()
    }


def _response(
    code: ErrorCode,
    message: str,
    http_status: int,
    fields: dict[str, list[str]] | None = None,
    headers: dict[str, str] | None = None,
) -> Response:
    body = msgspec.to_builtins(ErrorBody(code=code, message=message, fields=fields or None))
    return Response(body, status=http_status, headers=headers)
