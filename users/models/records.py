"""What staff did: written once, never changed."""

from __future__ import annotations

from django.db import models
from django.utils import timezone


class StaffAct(models.TextChoices):
    """What is recorded of staff."""

    LOGIN = "login", "logged in"
    LOGIN_FAILED = "login_failed", "failed to log in"
    LOGIN_LIMITED = "login_limited", "was not let try to log in"
    ACTION = "action", "acted"


class StaffRecord(models.Model):
    """One act of a member of staff. The database refuses changes, and PostgreSQL also deletions (migration 0009).

    It names people by their ids only, so that nothing in it has to be erased with a person.
    """

    at = models.DateTimeField(db_index=True)
    act = models.CharField(max_length=16, choices=StaffAct.choices)
    actor_id = models.UUIDField(null=True, blank=True, db_index=True, help_text="None: the number is nobody's.")
    address = models.CharField(max_length=64, blank=True)
    target_type = models.CharField(max_length=64, blank=True, help_text="As in rides.ride.")
    target_id = models.CharField(max_length=64, blank=True, db_index=True)
    text = models.TextField(blank=True)

    class Meta:
        ordering = ("-id",)

    def __str__(self) -> str:
        return f"{timezone.localtime(self.at):%Y-%m-%d %H:%M:%S} {self.actor_id} {self.get_act_display()}"
