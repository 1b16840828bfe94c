"""The devices on which a push service wakes a user."""

from __future__ import annotations

from collections.abc import Mapping
from uuid import UUID

from django.db import transaction

from common import clock
from common.errors import CommonReason, ValidationFailed
from rides.models import Device
from rides.push.base import Target, push_backend
from rides.reasons import RideReason

MOST_DEVICES = 10
"""Devices of one user; the oldest makes room."""


@transaction.atomic
def device_register(*, user_id: UUID, kind: str, token: str, keys: Mapping[str, str]) -> Device:
    """Let a push service wake a user on a device, which from now on is this user's alone.

    Raises `ValidationFailed` for what the configured push service cannot send to.
    """
    backend = push_backend()
    if kind not in backend.kinds:
        raise ValidationFailed(
            f"kind: This server pushes to {', '.join(backend.kinds)}.", reason=RideReason.PUSH_UNSUPPORTED, field="kind"
        )
    try:
        backend.check(Target(kind, token, keys))
    except ValueError as exc:
        raise ValidationFailed(f"token: {exc}", reason=CommonReason.INVALID_FIELD, field="token") from exc
    device, _ = Device.objects.update_or_create(
        token=token, defaults={"user_id": user_id, "kind": kind, "keys": dict(keys), "registered_at": clock.now()}
    )
    kept = Device.objects.filter(user_id=user_id).order_by("-registered_at").values_list("pk", flat=True)
    Device.objects.filter(user_id=user_id).exclude(pk__in=list(kept[:MOST_DEVICES])).delete()
    return device


@transaction.atomic
def device_remove(*, user_id: UUID, device_id: UUID) -> bool:
    """Let no push service wake a user on a device any more; return False where it is not theirs."""
    return bool(Device.objects.filter(pk=device_id, user_id=user_id).delete()[0])
