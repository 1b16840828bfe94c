"""The outbox (pending events, and for a while those that were published), and dead letters."""

from __future__ import annotations

import uuid

from django.db import models
from django.db.models import Q

from common import clock


class OutboxEvent(models.Model):
    """One event, written in the transaction of the service that caused it.

    The primary key gives the order in which the relay publishes events; `event_id` is the event's identity everywhere.
    `audience` maps each recipient's id to the data that this person sees, or to null for `data` itself.
    """

    event_id = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    key = models.CharField(max_length=64, db_index=True)
    type = models.CharField(max_length=64)
    subject = models.CharField(max_length=64)
    data = models.JSONField()
    audience = models.JSONField(help_text="Recipient's id -> data of their own, or null for the event's data.")
    valid_until = models.DateTimeField(null=True, blank=True)
    traceparent = models.CharField(
        max_length=55, blank=True, default="", db_default="", editable=False, help_text="The trace that it is part of."
    )
    created_at = models.DateTimeField(default=clock.now)
    published_at = models.DateTimeField(null=True, blank=True)
    attempts = models.PositiveSmallIntegerField(default=0)
    failed_at = models.DateTimeField(null=True, blank=True, help_text="Given up after the last attempt.")
    error = models.TextField(blank=True)

    class Meta:
        ordering = ("-id",)
        verbose_name = "outbox event"
        indexes = (
            models.Index(
                fields=("id",), name="outbox_pending", condition=Q(published_at__isnull=True, failed_at__isnull=True)
            ),
            models.Index(fields=("published_at",), name="outbox_published"),
            models.Index(fields=("id",), name="outbox_given_up", condition=Q(failed_at__isnull=False)),
        )

    def __str__(self) -> str:
        return f"{self.subject} {self.key}"


class DeadLetter(models.Model):
    """A message from NATS that could not be delivered, whole, with the reason. It can be replayed."""

    stream_id = models.CharField(max_length=64, help_text="The stream, and when it was made.")
    sequence = models.PositiveBigIntegerField(help_text="The message's number in the stream.")
    subject = models.CharField(max_length=255)
    payload = models.BinaryField()
    headers = models.JSONField()
    reason = models.TextField()
    created_at = models.DateTimeField()
    replay_requested_at = models.DateTimeField(null=True, blank=True)
    replayed_at = models.DateTimeField(null=True, blank=True)
    replays = models.PositiveIntegerField(default=0)

    class Meta:
        ordering = ("-id",)
        constraints = (models.UniqueConstraint(fields=("stream_id", "sequence"), name="one_letter_per_message"),)
        indexes = (
            models.Index(fields=("id",), name="dead_letter_to_replay", condition=Q(replay_requested_at__isnull=False)),
            models.Index(fields=("id",), name="dead_letter_unreplayed", condition=Q(replayed_at__isnull=True)),
        )

    def __str__(self) -> str:
        return f"{self.subject} #{self.sequence}"
