"""REST: the devices that a push service may wake."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.http import Http404
from rest_framework import status
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from common.rest.documented import answer, documented
from rides.models import Device
from rides.push.base import push_backend
from rides.serializers import DeviceRequest, DeviceSerializer, DevicesSerializer
from rides.services.devices import device_register, device_remove
from users.api import current_user, validated

EXAMPLE = {
    "device_id": "01990000-0000-7000-8000-000000000009",
    "kind": "webpush",
    "registered_at": "2026-01-31T12:00:03Z",
}
SUBSCRIPTION = {
    "kind": "webpush",
    "token": "https://fcm.googleapis.com/fcm/send/c1KrmpTuRm8:APA91bE",
    "keys": {
        "p256dh": "BNcRdreALRFXTkOOUHK1EtK2wtaz5Ry4YfYCA_0QTpQtUbVlUls0VJXg7A8u-Ts1XbjhazAkj7I99e8QcYP7DkM",
        "auth": "tBHItJI5svbpez7KI4CCXg",
    },
}


class DevicesView(APIView):
    """`/api/me/devices/`: what a push service may wake."""

    @documented(
        "listDevices",
        "List your devices",
        "And what an app needs to register one: the kinds, and the key with which a browser subscribes.",
        {
            200: answer(
                DevicesSerializer,
                "The devices.",
                {"kinds": ["webpush"], "application_server_key": "BNcRdreALRFX…", "devices": [EXAMPLE]},
            )
        },
        refusals=[401],
        tag="profile",
    )
    def get(self, request: Request) -> Response:
        """List them, the newest first."""
        backend = push_backend()
        devices = Device.objects.filter(user=current_user(request)).order_by("-registered_at")
        return Response(
            {
                "kinds": list(backend.kinds),
                "application_server_key": backend.application_server_key,
                "devices": [_device_body(device) for device in devices],
            }
        )

    @documented(
        "registerDevice",
        "Let a push service wake this device",
        "It is woken when it has no socket, or does not confirm an offer (`received`); the push names nobody. Apps "
        "register at each start and after each login by code, which ends what was registered. A device belongs to the "
        "user who registered it last; of each user the newest ten are kept.",
        {201: answer(DeviceSerializer, "It is registered.", EXAMPLE)},
        refusals=[401],
        tag="profile",
        request=DeviceRequest,
        example=SUBSCRIPTION,
    )
    def post(self, request: Request) -> Response:
        """Register it."""
        device = device_register(user_id=current_user(request).pk, **validated(DeviceRequest, request))
        return Response(_device_body(device), status=status.HTTP_201_CREATED)


class DeviceView(APIView):
    """`/api/me/devices/<id>/`: one of them."""

    @documented(
        "removeDevice",
        "Let no push service wake a device any more",
        "Apps call it before they log out. A device of somebody else is answered with 404.",
        {204: answer(None, "It is removed.")},
        refusals=[401, 404],
        tag="profile",
    )
    def delete(self, request: Request, device_id: UUID) -> Response:
        """Remove it."""
        if not device_remove(user_id=current_user(request).pk, device_id=device_id):
            raise Http404
        return Response(status=status.HTTP_204_NO_CONTENT)


def _device_body(device: Device) -> dict[str, Any]:
    return {"device_id": device.pk, "kind": device.kind, "registered_at": device.registered_at}
