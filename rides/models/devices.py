"""Devices, and what they confirmed."""

from __future__ import annotations

import uuid

from django.conf import settings
from django.db import models
from django.db.models import Q


class DeviceReceipt(models.Model):
    """What a user's device has confirmed last. A user without a row never confirms: an older app, not a dead phone."""

    user = models.OneToOneField(settings.AUTH_USER_MODEL, models.CASCADE, primary_key=True, related_name="+")
    seq = models.PositiveBigIntegerField(help_text="The number of the newest notification that was confirmed.")
    received_at = models.DateTimeField()

    def __str__(self) -> str:
        return f"{self.user_id} {self.seq}"


class NotificationReceipt(models.Model):
    """When a notification about a match or a ride reached the device of one of its people.

    `key` is the event's: the match or the ride. `status` tells repeated events of one type apart (a payment that is
    asked for and accepted, a match that one side and both have confirmed).
    """

    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, related_name="+")
    key = models.CharField(max_length=64)
    type = models.CharField(max_length=64)
    status = models.CharField(max_length=24, blank=True)
    received_at = models.DateTimeField()

    class Meta:
        constraints = (models.UniqueConstraint(fields=("key", "user", "type", "status"), name="one_receipt_per_event"),)

    def __str__(self) -> str:
        return f"{self.type} {self.key}"


class DeviceKind(models.TextChoices):
    """Whose push service wakes a device."""

    WEB_PUSH = "webpush", "Web Push"
    FCM = "fcm", "Firebase Cloud Messaging"
    APNS = "apns", "Apple Push Notification service"


class Device(models.Model):
    """Where a push service wakes a user. The token is a secret of the device and of no interest to staff."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, related_name="devices")
    kind = models.CharField(max_length=16, choices=DeviceKind.choices)
    token = models.CharField(max_length=2048, unique=True, help_text="For Web Push the address of the subscription.")
    keys = models.JSONField(default=dict)
    registered_at = models.DateTimeField(db_index=True)

    class Meta:
        constraints = (models.CheckConstraint(condition=Q(kind__in=DeviceKind.values), name="device_kind_known"),)

    def __str__(self) -> str:
        return f"{self.kind} of {self.user_id}"
