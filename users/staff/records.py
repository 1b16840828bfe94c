"""The record of what staff did."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from django.contrib import admin
from django.db.models import Model
from django.http import HttpRequest
from django.utils.translation import gettext_lazy

from common import clock
from common.admin import ReadOnlyAdmin
from common.rest.throttling import address_of_request
from users.models import StaffAct, StaffRecord, User
from users.selectors import people_found


def record_act(
    request: HttpRequest,
    act: StaffAct,
    *,
    actor_id: UUID | None,
    targets: Sequence[Model] = (),
    text: str = "",
) -> None:
    """Record what a member of staff did, once for each of the targets."""
    address = address_of_request(request)[:64]
    common = {"at": clock.now(), "act": act, "actor_id": actor_id, "address": address, "text": text}
    about = [(target._meta.label_lower, str(target.pk)) for target in targets] or [("", "")]
    StaffRecord.objects.bulk_create(StaffRecord(target_type=kind, target_id=pk[:64], **common) for kind, pk in about)


def record_action(request: HttpRequest, targets: Sequence[Model], text: str) -> None:
    """Record an action of the admin (`settings.STAFF_RECORDER`)."""
    record_act(request, StaffAct.ACTION, actor_id=request.user.pk, targets=targets, text=text)


class StaffRecordAdmin(ReadOnlyAdmin[StaffRecord]):
    """What staff did, newest first."""

    list_display = ("at", "actor", "act", "target_type", "target_id", "text", "address")
    list_filter = ("act", "at")
    date_hierarchy = "at"
    search_fields = ("target_id",)
    search_help_text = gettext_lazy("The id of a record or of a person, or the number or name of a member of staff")

    @admin.display(description=gettext_lazy("actor"))
    def actor(self, record: StaffRecord) -> User | None:
        """Return who it was."""
        return User.objects.filter(pk=record.actor_id).first() if record.actor_id else None

    def get_search_results(self, request: HttpRequest, queryset: Any, search_term: str) -> tuple[Any, bool]:
        """Find records by the id that they are about, or by who acted."""
        if not search_term.strip():
            return queryset, False
        staff = people_found(search_term, by_parts=False).filter(is_staff=True)
        about = queryset.filter(target_id=search_term.strip())
        return about | queryset.filter(actor_id__in=staff.values("pk")), False
