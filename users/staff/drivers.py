"""Drivers in the admin: staff approve them, refuse them and record their papers."""

from __future__ import annotations

from datetime import datetime
from functools import partial
from typing import Any, cast

from django import forms
from django.contrib import admin, messages
from django.db.models import Q, QuerySet
from django.forms import BaseInlineFormSet
from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from common import clock
from common.admin import ReadOnlyAdmin, ReasonField, answered, ask_first
from users.models import Approval, Driver, Paper, PaperKind, User
from users.selectors import may_see_numbers, people_found
from users.services import driver_decide, paper_record
from users.staff.buttons import driver_buttons

APPROVE_WARNING = gettext_lazy("These drivers may drive from now on, and are told by a text message.")
REFUSE_WARNING = gettext_lazy(
    "These drivers get no offers any more, and are told by a text message. A ride in progress goes on."
)


class DecisionForm(forms.Form):
    """When staff saw the records that they decide upon."""

    seen_at = forms.DateTimeField(widget=forms.HiddenInput, required=False, initial=lambda: clock.now().isoformat())


class ReasonForm(DecisionForm):
    """Why drivers are refused."""

    reason = ReasonField(label=gettext_lazy("Reason"), help_text=gettext_lazy("The driver reads it."))


class PaperInline(admin.TabularInline[Paper, Driver]):
    """The papers of a driver; a new one of a kind replaces the old one."""

    model = Paper
    fields = ("kind", "expires_on", "recorded_at")
    readonly_fields = ("recorded_at",)
    extra = 1
    max_num = len(PaperKind)
    can_delete = False

    def has_add_permission(self, request: HttpRequest, obj: Driver | None = None) -> bool:
        """Whether somebody may record papers."""
        return request.user.has_perm("users.approve_driver")

    def has_change_permission(self, request: HttpRequest, obj: Driver | None = None) -> bool:
        """Whether somebody may record papers."""
        return request.user.has_perm("users.approve_driver")

    def has_view_permission(self, request: HttpRequest, obj: Driver | None = None) -> bool:
        """Who sees the driver sees when papers expire."""
        return request.user.has_perm("users.view_driver")


class DriverAdmin(ReadOnlyAdmin[Driver]):
    """Drivers, their vehicles, and whether they may drive."""

    list_display = ("user", "vehicle_type", "vehicle_plate", "approval", "papers_until", "is_active", "created_at")
    list_filter = ("approval", "vehicle_type", "user__is_active")
    search_fields = ("vehicle_plate",)
    search_help_text = gettext_lazy("Part of a plate, an id, or part of a phone number or of a name")
    list_select_related = ("user",)
    readonly_fields = (
        "user", "vehicle_type", "vehicle_plate", "approval", "approval_reason", "approval_at", "papers_until",
        "created_at",
    )  # fmt: skip
    fields = readonly_fields
    inlines = (PaperInline,)
    actions = ("approve", "refuse")

    def page_context(self, request: HttpRequest, obj: Driver) -> dict[str, Any]:
        """Show the decisions that are open as buttons."""
        return {"buttons": [*driver_buttons(cast("User", request.user), obj)]}

    def has_change_permission(self, request: HttpRequest, obj: Driver | None = None) -> bool:
        """The papers can be changed, nothing else."""
        return request.user.has_perm("users.approve_driver")

    def has_approve_permission(self, request: HttpRequest) -> bool:
        """Whether somebody may approve and refuse drivers."""
        return request.user.has_perm("users.approve_driver")

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Driver], search_term: str
    ) -> tuple[QuerySet[Driver], bool]:
        """Return the drivers whom the text means, and those with such a plate."""
        people = people_found(search_term, by_parts=may_see_numbers(request.user))
        wanted = Q(vehicle_plate__icontains=search_term.strip()) | Q(user__in=people.values("pk"))
        return queryset.filter(wanted), False

    @admin.display(boolean=True, description=gettext_lazy("active"), ordering="user__is_active")
    def is_active(self, driver: Driver) -> bool:
        """Whether the driver may log in."""
        return driver.user.is_active

    def save_formset(
        self, request: HttpRequest, form: Any, formset: BaseInlineFormSet[Any, Any, Any], change: bool
    ) -> None:
        """Record the papers that were entered."""
        for paper in formset.save(commit=False):
            paper_record(user_id=paper.driver_id, kind=PaperKind(paper.kind), expires_on=paper.expires_on)

    def save_model(self, request: HttpRequest, obj: Driver, form: Any, change: bool) -> None:
        """Nothing of the driver can be changed here."""

    @admin.action(description=gettext_lazy("Approve"), permissions=["approve"])
    def approve(self, request: HttpRequest, queryset: QuerySet[Driver]) -> HttpResponse | None:
        """Let the chosen drivers drive."""
        form = DecisionForm(request.POST if answered(request) else None)
        people = queryset.select_related("user")
        title, warning = _("Approve drivers"), str(APPROVE_WARNING)
        question = ask_first(request, self, people, title=title, warning=warning, form=form)
        if question is None:
            self._decide(request, people, Approval.APPROVED, "Approved", form.cleaned_data["seen_at"])
        return question

    @admin.action(description=gettext_lazy("Refuse, with a reason"), permissions=["approve"])
    def refuse(self, request: HttpRequest, queryset: QuerySet[Driver]) -> HttpResponse | None:
        """Ask for a reason, and let the chosen drivers drive no more."""
        form = ReasonForm(request.POST if answered(request) else None)
        people = queryset.select_related("user")
        question = ask_first(request, self, people, title=_("Refuse drivers"), warning=str(REFUSE_WARNING), form=form)
        if question is None:
            seen_at, reason = form.cleaned_data["seen_at"], form.cleaned_data["reason"]
            self._decide(request, people, Approval.REFUSED, "Refused", seen_at, reason)
        return question

    def _decide(  # noqa: PLR0917  # one decision
        self,
        request: HttpRequest,
        queryset: QuerySet[Driver],
        approval: Approval,
        done: str,
        seen_at: datetime | None,
        reason: str = "",
    ) -> None:
        """Decide on each driver but oneself. The reason is kept on the driver only, so that it goes with them."""
        drivers = list(queryset)
        decide = partial(driver_decide, approval=approval, reason=reason, seen_at=seen_at)
        others = [one for one in drivers if one.pk != request.user.pk]
        changed = [one for one in others if decide(user_id=one.pk)]
        for driver in changed:
            self.log_change(request, driver, f"{done} by staff.")
        counted = _("%(done)s: %(count)s of %(all)s drivers.") % {
            "done": _(done),
            "count": len(changed),
            "all": len(drivers),
        }
        kept = _("The others were so before, are your own account, or have changed since you saw them: look again.")
        all_done = len(changed) == len(drivers)
        level = messages.SUCCESS if all_done else messages.WARNING
        self.message_user(request, counted if all_done else f"{counted} {kept}", level)
