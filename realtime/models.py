"""What the socket remembers: commands that have been answered."""

from __future__ import annotations

from django.conf import settings
from django.db import models


class CommandReceipt(models.Model):
    """The stored answer to a command that came with an `id`; it makes the command happen once.

    It is written in the transaction of the command, so there is never one without the other.
    """

    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, related_name="+")
    command_id = models.CharField(max_length=64)
    type = models.CharField(max_length=64)
    digest = models.CharField(max_length=64, help_text="SHA-256 of the command's type and data.")
    answer = models.JSONField()
    created_at = models.DateTimeField(db_index=True)

    class Meta:
        constraints = (models.UniqueConstraint(fields=("user", "command_id"), name="one_receipt_per_command"),)

    def __str__(self) -> str:
        return f"{self.type} {self.command_id}"


class LiveConnection(models.Model):
    """A connection, for the admin and its permissions; it has no table (see `realtime.socket.presence`)."""

    class Meta:
        managed = False
        default_permissions = ("view",)
        permissions = (
            ("end_liveconnection", "Can end live connections and switch beacons off"),
            ("view_live_map", "Can see the live map"),
            ("view_statistics", "Can see statistics, health and metrics"),
        )
