"""What REST calls have in common in the OpenAPI document: refusals, tokens, bodies that are structs."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from functools import cached_property
from typing import Any, TypeVar

import msgspec
from drf_spectacular.extensions import OpenApiSerializerExtension
from drf_spectacular.openapi import AutoSchema
from drf_spectacular.plumbing import ResolvedComponent
from drf_spectacular.utils import Direction, OpenApiExample, OpenApiParameter, OpenApiResponse, extend_schema

from common.errors import SECURITY_MESSAGE, SERVER_MESSAGE, CommonReason, ErrorBody, ErrorCode, error_body
from common.examples import example_of
from common.schemas import Schema, components

Call = TypeVar("Call", bound=Callable[..., Any])

RETRY_AFTER = OpenApiParameter(
    "Retry-After", int, OpenApiParameter.HEADER, required=True, response=[429], description="Seconds to wait."
)

BEARER = OpenApiParameter(
    "WWW-Authenticate", str, OpenApiParameter.HEADER, required=True, response=[401], description="Always `Bearer`."
)


REFUSALS: dict[int, tuple[str, dict[str, dict[str, Any]]]] = {
    400: (
        "The body is not valid.",
        {
            "A wrong field": error_body(
                ErrorCode.VALIDATION_FAILED,
                "otp: This must be six digits.",
                CommonReason.INVALID_FIELD,
                {"otp": ["This must be six digits."]},
            ),
            "No JSON": error_body(
                ErrorCode.INVALID_FORMAT,
                "JSON parse error - Expecting value: line 1 column 1 (char 0)",
                CommonReason.NOT_JSON,
            ),
        },
    ),
    401: (
        "No valid token, or a wrong code. The reason is not given.",
        {"Unauthorized": error_body(ErrorCode.UNAUTHORIZED, SECURITY_MESSAGE)},
    ),
    403: ("The user may not do this.", {"Not staff": error_body(ErrorCode.UNAUTHORIZED, SECURITY_MESSAGE)}),
    404: (
        "It does not exist, or belongs to somebody else.",
        {"Not found": error_body(ErrorCode.VALIDATION_FAILED, "Not found.", CommonReason.NOT_FOUND)},
    ),
    406: (
        "Only JSON responses are available.",
        {
            "Another format is wanted": error_body(
                ErrorCode.VALIDATION_FAILED, "Could not satisfy the request Accept header.", CommonReason.NOT_ACCEPTABLE
            )
        },
    ),
    409: (
        "The current state does not allow it.",
        {
            "A driver already": {
                **error_body(ErrorCode.VALIDATION_FAILED, "You are registered as a driver already."),
                "reason": "already_a_driver",
            }
        },
    ),
    415: (
        "The body is not `application/json`.",
        {
            "A form": error_body(
                ErrorCode.VALIDATION_FAILED,
                'Unsupported media type "text/plain" in request.',
                CommonReason.UNSUPPORTED_MEDIA_TYPE,
            )
        },
    ),
    429: (
        "Too many requests. Try again after `Retry-After`.",
        {"Too many": error_body(ErrorCode.RATE_LIMIT, "Too many requests.", CommonReason.TOO_MANY_REQUESTS)},
    ),
    500: ("The server failed.", {"A fault": error_body(ErrorCode.INTERNAL_ERROR, SERVER_MESSAGE)}),
}
"""The statuses of refusals: what each means, and examples."""


def documented(
    name: str,
    summary: str,
    description: str,
    answers: Mapping[Any, OpenApiResponse],
    *,
    refusals: Iterable[int] = (),
    tag: str,
    request: Any = None,
    example: Mapping[str, Any] | None = None,
    **more: Any,
) -> Callable[[Call], Call]:
    """Return what documents a call: what it answers, with which statuses it may refuse, and an example of its body."""
    refused = {*refusals, 406, 429, 500, *([400, 415] if request else [])}
    decorator: Callable[[Call], Call] = extend_schema(
        operation_id=name,
        summary=summary,
        description=description,
        tags=[tag],
        request=request,
        examples=[OpenApiExample("example", example, summary=summary, request_only=True)] if example else None,
        parameters=[RETRY_AFTER, *([BEARER] if 401 in refused else []), *more.pop("parameters", [])],
        responses={**answers, **{status: refusal(status) for status in sorted(refused)}},
        **more,
    )
    return decorator


def refusal(status: int) -> OpenApiResponse:
    """Return how a call is refused with a status."""
    text, bodies = REFUSALS[status]
    examples = [
        OpenApiExample(f"example{n}", body, summary=name, response_only=True)
        for n, (name, body) in enumerate(bodies.items(), 1)
    ]
    return OpenApiResponse(ErrorBody, text, examples)


def answer(kind: Any, text: str, example: Any = None) -> OpenApiResponse:
    """Return what a call answers, with an example; that of a struct is made of its fields."""
    if isinstance(kind, type) and issubclass(kind, msgspec.Struct):
        return OpenApiResponse(kind, text, [StructExample(kind, text)])
    examples = [OpenApiExample("example", example, summary=text, response_only=True)] if example is not None else []
    return OpenApiResponse(kind, text, examples)


class StructExample(OpenApiExample):
    """The example of a struct, made when a document needs it: all of them are a sixth of our part of a start."""

    def __init__(self, kind: type[msgspec.Struct], text: str) -> None:
        super().__init__("example", summary=text, response_only=True)
        self._kind = kind
        del self.value  # what was set above hides the property

    @cached_property
    def value(self) -> dict[str, Any]:
        """Return the example."""
        return example_of(self._kind)


class StructExtension(OpenApiSerializerExtension):
    """Structs as they are on the wire: errors, rides, statistics."""

    target_class: Any = msgspec.Struct
    match_subclasses = True

    def get_name(self, auto_schema: AutoSchema, direction: Direction) -> str:
        """Return the name of the struct."""
        return str(self.target.__name__)

    def map_serializer(self, auto_schema: AutoSchema, direction: Direction) -> Schema:
        """Return the schema of the struct, and put those of its parts beside it."""
        schemas = components([self.target])
        own = schemas.pop(self.target.__name__)
        for name, schema in schemas.items():
            part = ResolvedComponent(name=name, type=ResolvedComponent.SCHEMA, schema=schema, object=name)
            auto_schema.registry.register_on_missing(part)
        return own
