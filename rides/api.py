"""REST: driver registration, one's own rides, and the QR code of a payment."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from functools import partial
from io import BytesIO
from typing import Any
from uuid import UUID

import msgspec
import segno
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_POST
from drf_spectacular.utils import OpenApiParameter
from rest_framework import status
from rest_framework.generics import ListAPIView
from rest_framework.pagination import PageNumberPagination
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.serializers import BaseSerializer
from rest_framework.views import APIView

from common.errors import ValidationFailed, error_body
from common.rest.documented import answer, documented
from common.rest.exception_handler import only_reading, page_not_found
from rides.gateways import gateway
from rides.models import Payment, Ride, TrackPoint
from rides.selectors import reported_point, ride_detail, rides_of
from rides.serializers import DriverRequest, QuoteRequest
from rides.services.payments import payment_settle
from rides.services.quotes import quote_make
from rides.services.registration import driver_change_vehicle, driver_register, driver_unregister
from rides.services.relations import ride_block
from rides.snapshots import QuoteBody, ReportedPoint, RideCard, RideDetail, quote_body, ride_card
from users.api import PAIR, USER, current_user, session_body, validated
from users.authentication import digest_of
from users.serializers import SessionSerializer, UserSerializer
from users.services import session_once

logger = logging.getLogger(__name__)

RIDES = "http://127.0.0.1:8000/api/rides/"
PAGE = OpenApiParameter("page", {"type": "integer", "minimum": 1, "default": 1}, description="The number of the page.")

VEHICLE = {"vehicle_type": "motorcycle", "vehicle_plate": "B 1234 XYZ"}
QUOTE = {
    "location": {"latitude": -6.1754, "longitude": 106.8272},
    "target_location": {"latitude": -6.2, "longitude": 106.83},
}
DRIVER_SESSION = {**PAIR, "user": {**USER, "role": "driver", "driver": VEHICLE}}
"""Examples for the documents."""


class DriverView(APIView):
    """`/api/drivers/`: register a vehicle and become a driver, change it, and become a passenger again."""

    ends_token = True

    @documented(
        "registerDriver",
        "Become a driver",
        "Answered with 409 for a driver, and during a search or a ride. The older tokens end. "
        "The same call within 60 s, with the token that has ended, gets the same answer.",
        {201: answer(SessionSerializer, "New tokens, of a driver; the older ones have ended.", DRIVER_SESSION)},
        refusals=[401, 409],
        tag="profile",
        request=DriverRequest,
        example=VEHICLE,
    )
    def post(self, request: Request) -> Response:
        """Answer with new tokens: the old ones are of a passenger."""
        user = current_user(request)
        register = partial(driver_register, user_id=user.pk, **validated(DriverRequest, request))
        session = session_once(user=user, request=digest_of(request), act=register)
        return Response(session_body(session), status=status.HTTP_201_CREATED)

    @documented(
        "changeVehicle",
        "Drive another vehicle",
        "Refused with 409 for a passenger, and during a ride. Open offers are withdrawn.",
        {200: answer(UserSerializer, "The profile as it is now.", {**USER, "role": "driver", "driver": VEHICLE})},
        refusals=[401, 409],
        tag="profile",
        request=DriverRequest,
        example=VEHICLE,
    )
    def put(self, request: Request) -> Response:
        """Answer with the profile: the tokens stay good."""
        vehicle = validated(DriverRequest, request)
        user = driver_change_vehicle(user_id=current_user(request).pk, **vehicle)
        return Response(UserSerializer(user).data)

    @documented(
        "stopDriving",
        "Become a passenger again",
        "Refused with 409 for a passenger, and during a ride. All tokens end: log in again.",
        {204: answer(None, "A passenger again; all tokens have ended.")},
        refusals=[401, 409],
        tag="profile",
    )
    def delete(self, request: Request) -> Response:
        """Answer with nothing: the tokens were of a driver."""
        driver_unregister(user_id=current_user(request).pk)
        return Response(status=status.HTTP_204_NO_CONTENT)


class RideSerializer(BaseSerializer[Ride]):
    """A ride with the fields of the contract."""

    def to_representation(self, instance: Ride) -> dict[str, Any]:
        """Return the ride as in the frames of the WebSocket."""
        return ride_card(instance, current_user(self.context["request"]).pk).to_data()


class Pages(PageNumberPagination):
    """Pages of `PAGE_SIZE` things."""

    def get_paginated_response_schema(self, schema: Mapping[str, Any]) -> dict[str, Any]:
        """Return what a page looks like, for the documents."""
        link = {"type": ["string", "null"], "format": "uri"}
        properties = {
            "count": {"type": "integer", "minimum": 0, "description": "All there are.", "example": 21},
            "next": {**link, "description": "The next page; null on the last.", "example": f"{RIDES}?page=2"},
            "previous": {**link, "description": "The page before; null on the first.", "example": None},
            "results": schema,
        }
        return {"type": "object", "required": list(properties), "properties": properties}


class RideListView(ListAPIView[Ride]):
    """`GET /api/rides/`: one's own rides, newest first, in pages."""

    serializer_class = RideSerializer
    pagination_class = Pages

    @documented(
        "listRides",
        "List your rides, newest first",
        "As driver and as passenger, in pages.",
        {200: answer(RideCard, "A page of rides.")},
        refusals=[401, 404],
        tag="rides",
        parameters=[PAGE],
    )
    def get(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """List them."""
        return super().get(request, *args, **kwargs)

    def get_queryset(self) -> Any:
        """Return the rides of the person who asks."""
        return rides_of(current_user(self.request).pk)


class RideDetailView(APIView):
    """`GET /api/rides/<id>/`: one's own ride with ledger, receipt and payment."""

    @documented(
        "readRide",
        "Read one of your rides",
        "A ride of other people is answered with 404.",
        {200: answer(RideDetail, "The ride with its ledger, receipt and payment.")},
        refusals=[401, 404],
        tag="rides",
    )
    def get(self, request: Request, ride_id: UUID) -> Response:
        """Answer 404 for a ride that does not exist and for other people's."""
        user = current_user(request)
        ride = rides_of(user.pk).filter(pk=ride_id).first()
        if ride is None:
            raise Http404
        return Response(ride_detail(ride, user.pk).to_data())


class RideBlockView(APIView):
    """`POST /api/rides/<id>/block/`: never again ride with the other side."""

    @documented(
        "blockOtherSide",
        "Never again ride with the other side",
        "Neither gets an offer with the other any more. It cannot be undone, and the other side is not told. 404 for a "
        "ride of other people.",
        {204: answer(None, "The other side is blocked, now or before.")},
        refusals=[401, 404],
        tag="rides",
    )
    def post(self, request: Request, ride_id: UUID) -> Response:
        """Block the other side."""
        user = current_user(request)
        if not rides_of(user.pk).filter(pk=ride_id).exists():
            raise Http404
        ride_block(user_id=user.pk, ride_id=ride_id)
        return Response(status=status.HTTP_204_NO_CONTENT)


class TrackPages(Pages):
    """Pages of 1,000 positions."""

    page_size = 1000


class PointSerializer(BaseSerializer[TrackPoint]):
    """A position of a track."""

    def to_representation(self, instance: TrackPoint) -> dict[str, Any]:
        """Return the position as the contract writes it."""
        point: dict[str, Any] = msgspec.to_builtins(reported_point(instance))
        return point


class TrackView(ListAPIView[TrackPoint]):
    """`GET /api/rides/<id>/track/`: the positions that the driver reported, in pages."""

    serializer_class = PointSerializer
    pagination_class = TrackPages

    @documented(
        "readTrack",
        "Read the track of one of your rides",
        "All positions that the driver reported, in the order in which they came in, in pages of 1,000.",
        {200: answer(ReportedPoint, "A page of positions.")},
        refusals=[401, 404],
        tag="rides",
        parameters=[PAGE],
    )
    def get(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """List them."""
        return super().get(request, *args, **kwargs)

    def get_queryset(self) -> Any:
        """Return the track; 404 for a ride that does not exist and for other people's."""
        ride = rides_of(current_user(self.request).pk).filter(pk=self.kwargs["ride_id"]).first()
        if ride is None:
            raise Http404
        return TrackPoint.objects.filter(ride=ride).order_by("id")


class QuoteView(APIView):
    """`POST /api/quotes/`: the price of a ride before it is booked."""

    @documented(
        "askForQuote",
        "Ask what a ride will cost",
        "A search that begins with the `quote_id` within its validity pays the quote, when the ride ends within 300 m "
        "of the quoted target and is at most 20 % longer or shorter than the quoted way.",
        {201: answer(QuoteBody, "The price, and what each part of it is for.")},
        refusals=[401],
        tag="rides",
        request=QuoteRequest,
        example=QUOTE,
    )
    def post(self, request: Request) -> Response:
        """Answer with the price."""
        wanted = validated(QuoteRequest, request)
        vehicle_type = wanted.pop("vehicle_type", None) or ""
        quote = quote_make(user=current_user(request), vehicle_type=vehicle_type, **wanted)
        return Response(msgspec.to_builtins(quote_body(quote)), status=status.HTTP_201_CREATED)


@csrf_exempt
@require_POST
def payment_webhook(request: HttpRequest, name: str) -> HttpResponse:
    """Take a notice of a payment gateway: 200 for what it has signed, whether or not it is new; else 400."""
    used = gateway()
    if getattr(used, "name", "") != name or not getattr(used, "settles", False):
        return page_not_found(request, Http404())
    try:
        payment_settle(gateway_name=name, notice=used.read_notice(request.body, request.headers))
    except ValidationFailed as exc:
        logger.warning("Refused a notice of %s: %s", name, exc.message)
        return JsonResponse(error_body(exc.code, exc.message, exc.reason), status=400)
    return JsonResponse({})


@only_reading
def qr_code(request: HttpRequest, payment_id: UUID) -> HttpResponse:
    """Draw the QR code of a payment. Whoever has its random id may see what it asks for, as on a printed bill."""
    payment = Payment.objects.filter(pk=payment_id).first()
    if payment is None:
        return page_not_found(request, Http404())
    picture = segno.make(f"nebengjek:payment:{payment.pk}:{payment.total_cost}:IDR")
    drawing = BytesIO()
    picture.save(drawing, kind="svg", scale=6)
    return HttpResponse(drawing.getvalue(), content_type="image/svg+xml")
