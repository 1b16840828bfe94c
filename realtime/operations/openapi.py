"""What operators look at in the OpenAPI document, and the addresses that are no views of the REST framework."""

from __future__ import annotations

from typing import Annotated, Any

import msgspec
from msgspec import Meta

from events.base import Moment
from realtime.contract.messages import Count

OPERATOR: list[dict[str, list[str]]] = [{"metricsToken": []}, {"bearer": []}, {"cookieAuth": []}]
"""Who may look at health and metrics, also while `DEBUG` asks nobody."""


class Stats(msgspec.Struct, frozen=True, kw_only=True):
    """Numbers of connections, over all processes."""

    total_connections: Annotated[Count, Meta(description="All connections.", examples=[3])]
    connections_by_role: Annotated[
        dict[str, Count],
        Meta(description="Connections of drivers and of passengers.", examples=[{"passenger": 2, "driver": 1}]),
    ]
    connections_by_process: Annotated[
        dict[str, Count], Meta(description="Connections of each process.", examples=[{"web-1": 3}])
    ]
    stale_connections: Annotated[
        Count, Meta(description="Connections of processes that have not reported for a while.", examples=[0])
    ]
    timestamp: Annotated[Moment, Meta(description="When they were counted.")]


class Health(msgspec.Struct, frozen=True, kw_only=True):
    """The health of the system: beside `status` each dependency has a field of its own."""

    status: Annotated[str, Meta(description="`ok` or `unavailable`.", examples=["ok"])]


def complete(result: dict[str, Any], **_: Any) -> dict[str, Any]:
    """Add the addresses that are answered without the REST framework, and take out marks of the generator."""
    result["paths"] = {**result["paths"], **_plain_views()}
    made: dict[str, Any] = _without_marks(result)
    return made


def _without_marks(part: Any) -> Any:
    if isinstance(part, dict):
        return {name: _without_marks(value) for name, value in part.items() if name != "x-spec-enum-id"}
    return [_without_marks(value) for value in part] if isinstance(part, list) else part


def _plain_views() -> dict[str, Any]:
    picture = {"image/svg+xml": {"schema": {"type": "string"}}}
    body = {"application/json": {"schema": {"$ref": "#/components/schemas/Health"}}}
    error = {"application/json": {"schema": {"$ref": "#/components/schemas/ErrorBody"}}}
    nothing = {"application/json": {"schema": {"type": "object"}, "example": {}}}
    payment_id = {
        "name": "payment_id", "in": "path", "required": True, "schema": {"type": "string", "format": "uuid"},
    }  # fmt: skip
    named = {"name": "gateway", "in": "path", "required": True, "schema": {"type": "string"}, "example": "midtrans"}
    settled = {"order_id": "01990000-0000-7000-8000-000000000005", "transaction_status": "settlement"}
    examples = {"Midtrans, some of its fields": {"value": settled}}
    any_body = {"content": {"application/json": {"schema": {"type": "object"}, "examples": examples}}, "required": True}
    notice = _get(
        "notifyPayment",
        "Take a notice of a payment gateway",
        {
            200: _said("Taken; a repeated, late or reordered one changes nothing twice.", nothing),
            400: _said("The signature or the amount is wrong, or it cannot be read.", error),
            404: _said("Payments are not settled by this gateway.", error),
        },
        tag="rides",
        parameters=[named],
        requestBody=any_body,
    )["get"]
    not_found = {"description": "The payment does not exist.", "content": error}
    return {
        "/health/live": _get("live", "Check that the process answers", {200: _said("The process answers.", body)}),
        "/health/ready": _get(
            "ready",
            "Check that sockets can be served",
            {200: _said("Ready.", body), 503: _said("Not ready.", body)},
        ),
        "/api/payments/webhook/{gateway}/": {"post": notice},
        "/api/payments/{payment_id}/qr.svg": _get(
            "showQRCode",
            "Read the QR code of a payment",
            {200: _said("The QR code.", picture), 404: not_found},
            tag="rides",
            parameters=[payment_id],
        ),
    }


def _said(text: str, content: dict[str, Any]) -> dict[str, Any]:
    return {"description": text, "content": content}


def _get(
    name: str, summary: str, answers: dict[int, dict[str, Any]], *, tag: str = "operations", **more: Any
) -> dict[str, Any]:
    responses = {str(status): answer for status, answer in answers.items()}
    return {"get": {"operationId": name, "summary": summary, "tags": [tag], **more, "responses": responses}}
