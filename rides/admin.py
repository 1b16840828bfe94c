"""Matches and rides in the admin: everything to look at, one thing to do (cancel a ride)."""

from __future__ import annotations

import re
from datetime import datetime
from functools import reduce
from operator import or_
from typing import TypeVar, get_args
from uuid import UUID

from django import forms
from django.contrib import admin, messages
from django.db.models import Model, Q, QuerySet
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils import timezone
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from nebengjek.admin import ReadOnlyAdmin, ReadOnlyInline, answered, ask_first
from nebengjek.errors import ValidationFailed
from rides.models import Beacon, Candidate, Finder, Match, Payment, Ride, RideStatus, TrackPoint
from rides.services.rides import Side, ride_cancel_by_staff
from rides.services.tracks import ledger_recompute
from rides.timeline import timeline
from users.models import User

M = TypeVar("M", bound=Model)

BOTH = ("driver", "passenger")

CANCEL_WARNING = (
    "These rides end now, driver and passenger are told, and a payment that was asked for need not be made any more. "
    "A ride that is paid or cancelled already stays as it is."
)


class PeopleAdmin(ReadOnlyAdmin[M]):
    """Records of people, found by their own id or by a number or name of one of the `people`.

    Django would look for the text in every row with every person joined to it; this asks for the persons first, and the
    rest is done by indexes.
    """

    people: tuple[str, ...] = ()
    search_help_text = "An id, or part of a phone number or of a name"
    search_fields = ("id",)  # lets the box appear
    show_full_result_count = False
    sortable_by = ("created_at", "changed_at")  # what has an index; status and people have filter and search

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[M], search_term: str
    ) -> tuple[QuerySet[M], bool]:
        """Return the records that the text asks for."""
        text = search_term.strip()
        if not text:
            return queryset, False
        try:
            return queryset.filter(pk=UUID(text)), False
        except ValueError:
            pass
        wanted = Q(full_name__icontains=text)
        if digits := re.sub(r"[\s+().-]", "", text).removeprefix("0"):
            wanted |= Q(msisdn__contains=digits)
        users = User.objects.filter(wanted).values("pk")
        return queryset.filter(reduce(or_, (Q(**{f"{name}__in": users}) for name in self.people))), False


@admin.register(Beacon)
class BeaconAdmin(PeopleAdmin[Beacon]):
    """Which drivers want passengers."""

    list_display = ("driver", "is_active", "changed_at")
    list_filter = ("is_active",)
    people = ("driver",)
    list_select_related = ("driver",)


class CandidateInline(ReadOnlyInline[Candidate, Finder]):
    """Who was considered, and why he was or was not asked."""

    model = Candidate
    fields = ("attempt", "driver", "distance_km", "position_age_s", "outcome", "considered_at")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Candidate]:
        """Fetch the drivers with one query."""
        return super().get_queryset(request).select_related("driver")


class MatchInline(ReadOnlyInline[Match, Finder]):
    """The proposals that a search has made."""

    model = Match
    fields = ("driver", "status", "reason", "distance_km", "created_at", "expires_at", "decided_at")
    show_change_link = True

    def get_queryset(self, request: HttpRequest) -> QuerySet[Match]:
        """Fetch the drivers with one query."""
        return super().get_queryset(request).select_related("driver")


@admin.register(Finder)
class FinderAdmin(PeopleAdmin[Finder]):
    """Searches for a driver."""

    list_display = ("created_at", "passenger", "status", "attempts", "ended_at")
    list_filter = ("status", "created_at")
    people = ("passenger",)
    list_select_related = ("passenger",)
    inlines = (CandidateInline, MatchInline)


@admin.register(Match)
class MatchAdmin(PeopleAdmin[Match]):
    """Proposals and their answers."""

    list_display = ("created_at", "driver", "passenger", "status", "reason", "distance_km")
    list_filter = ("status", "reason", "created_at")
    people = BOTH
    list_select_related = ("driver", "passenger")


class CancelledByFilter(admin.SimpleListFilter):
    """Who called rides off; asked of the code and not of a million rows."""

    title = "cancelled by"
    parameter_name = "cancelled_by"

    def lookups(self, request: HttpRequest, model_admin: object) -> list[tuple[str, str]]:
        """Return the sides."""
        return [(side, side) for side in get_args(Side)]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Ride]) -> QuerySet[Ride]:
        """Return what the chosen side has called off."""
        return queryset.filter(status=RideStatus.CANCELLED, cancelled_by=self.value()) if self.value() else queryset


class ReasonForm(forms.Form):
    """Why rides are cancelled."""

    reason = forms.CharField(max_length=200, help_text="Driver and passenger read it.")


class PaymentInline(ReadOnlyInline[Payment, Ride]):
    """What was asked and paid."""

    model = Payment
    fields = ("id", "status", "total_cost", "admin_fee", "driver_payout", "created_at", "processed_at")


@admin.register(TrackPoint)
class TrackPointAdmin(ReadOnlyAdmin[TrackPoint]):
    """What drivers' phones reported; one comes here from a ride."""

    list_display = ("timestamp", "latitude", "longitude", "accuracy", "speed", "heading", "accepted", "reason")
    list_display_links = None
    list_filter = ("accepted",)
    ordering = ("id",)

    def has_module_permission(self, request: HttpRequest) -> bool:
        """Leave the points of all rides together out of the menu."""
        return False


@admin.register(Ride)
class RideAdmin(PeopleAdmin[Ride]):
    """Rides with their payment, and everything that happened on them in one order."""

    list_display = ("created_at", "driver", "passenger", "status", "distance_km", "total_cost", "adjusted_cost")
    list_filter = ("status", "created_at")
    people = BOTH
    list_select_related = ("driver", "passenger")
    inlines = (PaymentInline,)
    actions = ("cancel",)
    readonly_fields = ("fare_check", "points", "happened")

    @admin.action(description="Cancel rides that are not paid yet", permissions=["cancel"])
    def cancel(self, request: HttpRequest, queryset: QuerySet[Ride]) -> HttpResponse | None:
        """Ask for a reason, then call the chosen rides off; both parties are told."""
        form = ReasonForm(request.POST if answered(request) else None)
        people = queryset.select_related("driver", "passenger")
        question = ask_first(request, self, people, title="Cancel rides", warning=CANCEL_WARNING, form=form)
        if question is not None:
            return question
        for ride in list(queryset):
            self._cancel(request, ride, form.cleaned_data["reason"])
        return None

    def _cancel(self, request: HttpRequest, ride: Ride, reason: str) -> None:
        try:
            ride_cancel_by_staff(ride_id=ride.pk, reason=reason)
        except ValidationFailed as exc:
            self.message_user(request, f"Ride {ride.pk}: {exc.message}", messages.ERROR)
        else:
            self.log_change(request, ride, f"Cancelled by support: {reason}")
            self.message_user(request, f"Ride {ride.pk} is cancelled.", messages.SUCCESS)

    def has_cancel_permission(self, request: HttpRequest) -> bool:
        """Whether somebody may cancel rides, which is the only change there is."""
        return request.user.has_perm("rides.cancel_ride")

    @admin.display(description="fare, from the kept points")
    def fare_check(self, ride: Ride) -> str:
        """Compute the ledger once more from the track, as anybody may."""
        if ride.arrived_at is None:
            return "The ride has not arrived."
        cost = sum(booking.cost for booking in ledger_recompute(ride))
        return f"{cost}, as booked" if cost == ride.total_cost else f"{cost}, but {ride.total_cost} was booked"

    @admin.display(description="points of the track")
    def points(self, ride: Ride) -> SafeString:
        """Lead to all that the driver's phone reported."""
        address = reverse("admin:rides_trackpoint_changelist")
        return format_html('<a href="{}?ride__id__exact={}">{}</a>', address, ride.pk, ride.track.count())

    @admin.display(description="what happened (UTC)")
    def happened(self, ride: Ride) -> SafeString:
        """Tell the ride in one order."""
        lines = ((_moment(moment.at), moment.kind, moment.text) for moment in timeline(ride))
        table = format_html_join("", "<tr><td>{}</td><td>{}</td><td>{}</td></tr>", lines)
        return format_html("<table>{}</table>", table)


def _moment(when: datetime) -> str:
    """Return a time to the millisecond: that is what support wants to know of events."""
    return f"{timezone.localtime(when):%Y-%m-%d %H:%M:%S.%f}"[:-3]
