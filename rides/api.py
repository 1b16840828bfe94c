"""REST: driver registration, one's own rides, and the QR code of a payment."""

from __future__ import annotations

from io import BytesIO
from typing import Any
from uuid import UUID

import segno
from django.http import Http404, HttpRequest, HttpResponse
from django.views.decorators.http import require_safe
from rest_framework import status
from rest_framework.generics import ListAPIView
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.serializers import BaseSerializer
from rest_framework.views import APIView

from rides.models import Payment, Ride
from rides.selectors import ride_detail, rides_of
from rides.serializers import DriverRequest
from rides.services.registration import driver_register
from rides.snapshots import ride_snapshot
from users.api import current_user, session_body, validated


class DriverView(APIView):
    """`POST /api/drivers/`: register a vehicle and become a driver."""

    def post(self, request: Request) -> Response:
        """Answer with new tokens: the old ones are of a passenger."""
        user = driver_register(user_id=current_user(request).pk, **validated(DriverRequest, request))
        return Response(session_body(user), status=status.HTTP_201_CREATED)


class RideSerializer(BaseSerializer[Ride]):
    """A ride with the fields of the contract."""

    def to_representation(self, instance: Ride) -> dict[str, Any]:
        """Return the ride as in the frames of the WebSocket."""
        return ride_snapshot(instance).to_data()


class RideListView(ListAPIView[Ride]):
    """`GET /api/rides/`: one's own rides, newest first, in pages."""

    serializer_class = RideSerializer

    def get_queryset(self) -> Any:
        """Return the rides of the person who asks."""
        return rides_of(current_user(self.request).pk)


class RideDetailView(APIView):
    """`GET /api/rides/<id>/`: one's own ride with ledger, payment and track."""

    def get(self, request: Request, ride_id: UUID) -> Response:
        """Answer 404 for a ride that does not exist and for other people's."""
        ride = rides_of(current_user(request).pk).filter(pk=ride_id).first()
        if ride is None:
            raise Http404
        return Response(ride_detail(ride).to_data())


@require_safe
def qr_code(request: HttpRequest, payment_id: UUID) -> HttpResponse:
    """Draw the QR code of a payment. Whoever has its random id may see what it asks for, as on a printed bill."""
    payment = Payment.objects.filter(pk=payment_id).first()
    if payment is None:
        raise Http404
    picture = segno.make(f"nebengjek:payment:{payment.pk}:{payment.total_cost}:IDR")
    drawing = BytesIO()
    picture.save(drawing, kind="svg", scale=6)
    return HttpResponse(drawing.getvalue(), content_type="image/svg+xml")
