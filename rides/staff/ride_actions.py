"""What staff may do about rides: cancel them, finish them, and note that flagged ones have been looked at."""

from __future__ import annotations

from collections.abc import Iterator

from django import forms
from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from common.admin import MOST_AT_ONCE, ActionButton, ReasonField, answered, ask_first
from common.errors import ValidationFailed
from rides.models import Ride, RideStatus
from rides.services.rides import STAFF_CANCELS, ride_cancel_by_staff, ride_finish_by_staff, ride_review
from rides.staff.people_admin import PeopleAdmin
from rides.staff.reasons import flags_in_words

FINISH_WARNING = gettext_lazy(
    "These rides end now at what was driven so far: the fare is booked, and the passenger is asked to pay it. Do this "
    "for a driver who cannot do it. A ride that is not under way stays as it is."
)

REVIEW_WARNING = gettext_lazy(
    "These rides leave the list of those that need somebody. What you found is recorded; nothing else changes."
)

CANCEL_WARNING = gettext_lazy(
    "These rides end now, driver and passenger are notified, and a pending payment is cancelled. "
    "A ride that is paid or cancelled already stays as it is."
)


class ReasonForm(forms.Form):
    """Why rides are cancelled."""

    reason = ReasonField(label=gettext_lazy("Reason"), help_text=gettext_lazy("Driver and passenger read it."))


class ReviewForm(forms.Form):
    """What was found, and the flags that were seen: others may have come meanwhile."""

    note = ReasonField(
        label=gettext_lazy("What you found"), help_text=gettext_lazy("It is kept for good: write no names and numbers.")
    )
    seen = forms.JSONField(widget=forms.HiddenInput, required=False)

    def clean_seen(self) -> dict[str, str]:
        """Return the flags by ride; none where the field is not what the page had sent."""
        seen = self.cleaned_data["seen"]
        return seen if isinstance(seen, dict) and all(isinstance(flags, str) for flags in seen.values()) else {}


class RideActions(PeopleAdmin[Ride]):
    """The actions, each with a permission of its own and a question first, and the buttons on a ride's page."""

    actions = ("review", "cancel", "finish")

    def buttons(self, request: HttpRequest, ride: Ride) -> Iterator[ActionButton]:
        """Yield the actions that would change something, for those who may."""
        at = reverse("admin:rides_ride_changelist")
        if ride.needs_review and self.has_review_permission(request):
            yield ActionButton(_("Note that you have looked at it …"), "review", at, is_grave=False)
        if ride.status in STAFF_CANCELS and self.has_cancel_permission(request):
            yield ActionButton(_("Cancel this ride …"), "cancel", at)
        if ride.status == RideStatus.ONGOING and self.has_finish_permission(request):
            yield ActionButton(_("Finish ride at what was driven …"), "finish", at)

    @admin.action(description=gettext_lazy("Cancel rides that are not paid yet"), permissions=["cancel"])
    def cancel(self, request: HttpRequest, queryset: QuerySet[Ride]) -> HttpResponse | None:
        """Ask for a reason, then cancel the chosen rides; both parties are notified."""
        form = ReasonForm(request.POST if answered(request) else None)
        people = queryset.select_related("driver", "passenger")
        said = {"title": _("Cancel rides"), "warning": str(CANCEL_WARNING)}
        question = ask_first(request, self, people, **said, name=_ride_in_words, form=form)
        if question is not None:
            return question
        for ride in list(queryset):
            self._cancel(request, ride, form.cleaned_data["reason"])
        return None

    def _cancel(self, request: HttpRequest, ride: Ride, reason: str) -> None:
        try:
            ride_cancel_by_staff(ride_id=ride.pk, reason=reason)
        except ValidationFailed as exc:
            self._refused(request, ride, exc)
        else:
            self.log_change(request, ride, f"Cancelled by support: {reason}")
            self.message_user(request, _("Ride %(id)s is cancelled.") % {"id": ride.pk}, messages.SUCCESS)

    @admin.action(description=gettext_lazy("Note that they have been looked at"), permissions=["review"])
    def review(self, request: HttpRequest, queryset: QuerySet[Ride]) -> HttpResponse | None:
        """Ask what was found, then take the chosen rides from the list of those that need somebody."""
        seen = {str(ride.pk): ride.needs_review for ride in queryset.exclude(needs_review="")[:MOST_AT_ONCE]}
        form = ReviewForm(request.POST if answered(request) else None, initial={"seen": seen})
        people = queryset.select_related("driver", "passenger")
        said = {"title": _("Note that rides have been looked at"), "warning": str(REVIEW_WARNING)}
        question = ask_first(request, self, people, **said, name=_flags_in_words, form=form)
        if question is not None:
            return question
        for ride in list(queryset):
            self._review(request, ride, form.cleaned_data["seen"].get(str(ride.pk), ""), form.cleaned_data["note"])
        return None

    def _review(self, request: HttpRequest, ride: Ride, seen: str, note: str) -> None:
        if ride_review(ride_id=ride.pk, seen=seen):
            self.log_change(request, ride, f"Looked at by support ({seen}): {note}")
            self.message_user(request, _("Ride %(id)s has been looked at.") % {"id": ride.pk}, messages.SUCCESS)
        else:
            text = _("Ride %(id)s was not flagged, or has been flagged anew since you saw it: look again.")
            self.message_user(request, text % {"id": ride.pk}, messages.WARNING)

    @admin.action(description=gettext_lazy("Finish rides at what was driven"), permissions=["finish"])
    def finish(self, request: HttpRequest, queryset: QuerySet[Ride]) -> HttpResponse | None:
        """Ask first, then end the chosen rides as their drivers would."""
        people = queryset.select_related("driver", "passenger")
        title = _("Finish rides at what was driven")
        question = ask_first(request, self, people, title=title, warning=str(FINISH_WARNING), name=_ride_in_words)
        if question is not None:
            return question
        for ride in list(queryset):
            self._finish(request, ride)
        return None

    def _finish(self, request: HttpRequest, ride: Ride) -> None:
        try:
            ride_finish_by_staff(ride_id=ride.pk)
        except ValidationFailed as exc:
            self._refused(request, ride, exc)
        else:
            self.log_change(request, ride, "Finished by support at what was driven.")
            self.message_user(request, _("Ride %(id)s is finished.") % {"id": ride.pk}, messages.SUCCESS)

    def _refused(self, request: HttpRequest, ride: Ride, exc: ValidationFailed) -> None:
        text = _("Ride %(id)s: %(problem)s") % {"id": ride.pk, "problem": exc.message}
        self.message_user(request, text, messages.ERROR)

    def has_review_permission(self, request: HttpRequest) -> bool:
        """Whether somebody may note that they have looked at flagged rides."""
        return request.user.has_perm("rides.review_ride")

    def has_finish_permission(self, request: HttpRequest) -> bool:
        """Whether somebody may finish rides."""
        return request.user.has_perm("rides.finish_ride")

    def has_cancel_permission(self, request: HttpRequest) -> bool:
        """Whether somebody may cancel rides."""
        return request.user.has_perm("rides.cancel_ride")


def _ride_in_words(ride: Ride) -> str:
    booked = f"{timezone.localtime(ride.created_at):%Y-%m-%d %H:%M:%S %Z}"
    return f"{ride.status}: {ride.driver} with {ride.passenger}, booked {booked} ({ride.pk})"


def _flags_in_words(ride: Ride) -> str:
    return f"{flags_in_words(ride.needs_review) or _('not flagged')}. {_ride_in_words(ride)}"
