"""The interface of a push service. `PUSH_BACKEND` names the class; FCM or APNs are other classes of this shape."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import ClassVar, Literal, Protocol

import msgspec
from django.conf import settings
from django.utils.module_loading import import_string

WakeType = Literal["match_proposal", "match_confirm"]


class Wake(msgspec.Struct, frozen=True):
    """What a phone is woken for. It names nobody and nothing: the phone connects, and reads its state."""

    type: WakeType
    expires_at: datetime


class Target(msgspec.Struct, frozen=True):
    """A device as its push service knows it: for Web Push the address of the subscription, and its keys."""

    kind: str
    token: str
    keys: Mapping[str, str]


class DeviceGone(Exception):
    """The push service does not know the device any more."""


class PushBackend(Protocol):
    """Sends to the devices of some kinds."""

    kinds: ClassVar[tuple[str, ...]]
    """The kinds of devices that may be registered."""

    application_server_key: str
    """The public key that a browser needs to subscribe; empty where there is none."""

    def check(self, target: Target) -> None:
        """Raise `ValueError` for a token or keys that can never work, or that must not be sent to."""

    def send(self, target: Target, wake: Wake, seconds: int) -> None:
        """Send, for delivery within so many seconds; wait at most `PUSH_TIMEOUT`.

        Raises `DeviceGone`, and anything else when it was not accepted. It is called on a thread of its own.
        """


def push_backend() -> PushBackend:
    """Return the configured backend."""
    backend: PushBackend = import_string(settings.PUSH_BACKEND)()
    return backend
