import logging
from typing import Any
from unittest.mock import ANY
from uuid import uuid4

import pytest
from django.core.exceptions import PermissionDenied
from django.db import OperationalError
from django.http import Http404
from django.test import Client, RequestFactory
from django.utils.log import log_response
from rest_framework import exceptions
from rest_framework.views import APIView

from common.errors import CommonReason, Conflict, InvalidFormat, RateLimited, Unauthorized, ValidationFailed
from common.rest.exception_handler import bad_request, contract_errors, page_not_found, server_error

MISSING = exceptions.ValidationError({"a": [exceptions.ErrorDetail("needed", "required")]})


@pytest.mark.parametrize(
    ("exc", "status", "body"),
    [
        (ValidationFailed("too far", field="x"), 400, ("VALIDATION_FAILED", "too far", None)),
        (Conflict("busy", reason=CommonReason.ID_REUSED), 409, ("VALIDATION_FAILED", "busy", "id_reused")),
        (InvalidFormat("what?"), 400, ("INVALID_FORMAT", "what?", None)),
        (Unauthorized("secret reason"), 401, ("UNAUTHORIZED", "Authentication required", None)),
        (RateLimited("slow", retry_after=1.2), 429, ("RATE_LIMIT", "slow", None)),
        (Http404(), 404, ("VALIDATION_FAILED", "Not found.", "not_found")),
        (exceptions.NotFound(), 404, ("VALIDATION_FAILED", "Not found.", "not_found")),
        (
            exceptions.MethodNotAllowed("GET"),
            405,
            ("VALIDATION_FAILED", 'Method "GET" not allowed.', "method_not_allowed"),
        ),
        (PermissionDenied(), 403, ("UNAUTHORIZED", "Authentication required", None)),
        (exceptions.NotAuthenticated(), 401, ("UNAUTHORIZED", "Authentication required", None)),
        (exceptions.ParseError("bad"), 400, ("INVALID_FORMAT", "bad", "not_json")),
        (exceptions.Throttled(wait=3), 429, ("RATE_LIMIT", "Too many requests.", "too_many_requests")),
        (exceptions.ValidationError({"a": ["is bad"]}), 400, ("VALIDATION_FAILED", "a: is bad", "invalid_field")),
        (MISSING, 400, ("VALIDATION_FAILED", "a: needed", "missing_field")),
        (exceptions.ValidationError([MISSING.detail, "bad"]), 400, ("VALIDATION_FAILED", ANY, "invalid_field")),
        (exceptions.NotAcceptable(), 406, ("VALIDATION_FAILED", ANY, "not_acceptable")),
        (exceptions.UnsupportedMediaType("x"), 415, ("VALIDATION_FAILED", ANY, "unsupported_media_type")),
    ],
    ids=lambda value: type(value).__name__,
)
def test_every_error_is_of_the_contract(exc: Exception, status: int, body: tuple[str, str, str | None]) -> None:
    response = contract_errors(exc, {"view": APIView()})
    assert response.status_code == status
    assert tuple(response.data.get(name) for name in ("code", "message", "reason")) == body


def test_what_we_did_not_foresee_is_logged_with_an_id_and_not_shown(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.ERROR):
        response = contract_errors(RuntimeError("password=123"), {"view": APIView()})
    assert response.status_code == 500
    assert response.data == {"code": "INTERNAL_ERROR", "message": "Internal server error"}
    assert "in APIView" in caplog.text
    assert "password=123" in caplog.text


def test_an_outage_is_logged_once_a_minute(caplog: pytest.LogCaptureFixture) -> None:
    """However many calls come meanwhile, and without a traceback."""
    with caplog.at_level(logging.ERROR):
        for _ in range(3):
            response = contract_errors(OperationalError("the database has gone\nfor a walk"), {"view": APIView()})
            assert response.status_code == 500
            assert "database" not in str(response.data)
            log_response("Internal Server Error", response=response)  # as Django does after each view
    [record] = caplog.records
    assert record.getMessage().endswith("in APIView: the database has gone")
    assert record.exc_info is None


def test_pages_outside_the_views_answer_in_json_too() -> None:
    request = RequestFactory().get("/")
    assert page_not_found(request, Http404()).status_code == 404
    assert server_error(request).status_code == 500
    assert bad_request(request, ValueError()).status_code == 400


def test_what_can_only_be_read_refuses_other_methods_in_json_whatever_their_token() -> None:
    client = Client(enforce_csrf_checks=True)
    for path in ("/health/live", "/health/ready", "/api/schema/", "/api/docs/", f"/api/payments/{uuid4()}/qr.svg"):
        for method in ("POST", "QUERY", "DELETE"):
            answer = client.generic(method, path)
            assert (answer.status_code, answer.headers["Allow"]) == (405, "GET, HEAD")
            assert answer.json() == {
                "code": "VALIDATION_FAILED",
                "message": f'Method "{method}" not allowed.',
                "reason": "method_not_allowed",
            }


@pytest.mark.django_db
def test_a_picture_that_does_not_exist_is_an_error_in_json_also_while_debugging(settings: Any) -> None:
    settings.DEBUG = True
    answer = Client().get(f"/api/payments/{uuid4()}/qr.svg")
    body = {"code": "VALIDATION_FAILED", "message": "Not found.", "reason": "not_found"}
    assert (answer.status_code, answer.json()) == (404, body)
