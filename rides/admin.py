"""Searches, matches, rides and payments in the admin. Everything is read-only; support may cancel a ride."""

from __future__ import annotations

from contextlib import suppress
from datetime import datetime
from functools import reduce
from operator import or_
from typing import Any, TypeVar
from uuid import UUID

from django import forms
from django.contrib import admin, messages
from django.db.models import Model, Q, QuerySet, prefetch_related_objects
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils import timezone
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from common.admin import ReadOnlyAdmin, ReadOnlyInline, ReasonField, answered, ask_first
from common.errors import ValidationFailed
from rides.models import Beacon, Candidate, Finder, LedgerEntry, Match, Payment, Ride, TrackPoint
from rides.personal_data import keeps_track
from rides.services.fares import fare_recompute
from rides.services.rides import STAFF_CANCELS, ride_cancel_by_staff
from rides.staff.filters import CancelledByFilter, OutcomeFilter
from rides.staff.timeline import timeline
from rides.staff.trackmap import track_on_map
from users.models import User
from users.selectors import may_see_numbers, people_found

M = TypeVar("M", bound=Model)

BOTH = ("driver", "passenger")

CANCEL_WARNING = gettext_lazy(
    "These rides end now, driver and passenger are notified, and a pending payment is cancelled. "
    "A ride that is paid or cancelled already stays as it is."
)


class PeopleAdmin(ReadOnlyAdmin[M]):
    """Records of people, found by one of their `ids` or by a number or name of one of the `people`.

    Django would look for the text in every row with every person joined to it; this asks for the persons first, and the
    rest is done by indexes.
    """

    people: tuple[str, ...] = ()
    ids: tuple[str, ...] = ("pk",)
    search_help_text = gettext_lazy("An id, or part of a phone number or of a name")
    search_fields = ("id",)  # lets the box appear
    show_full_result_count = False
    sortable_by = ("created_at", "changed_at")  # what has an index; status and people have filter and search

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[M], search_term: str
    ) -> tuple[QuerySet[M], bool]:
        """Return the records that match the text."""
        text = search_term.strip()
        if not text:
            return queryset, False
        with suppress(ValueError):
            found = queryset.filter(reduce(or_, (Q(**{name: UUID(text)}) for name in self.ids)))
            if found.exists():
                return found, False
        users = people_found(text, by_parts=may_see_numbers(request.user)).values("pk")
        return queryset.filter(reduce(or_, (Q(**{f"{name}__in": users}) for name in self.people))), False


@admin.register(Beacon)
class BeaconAdmin(PeopleAdmin[Beacon]):
    """Which drivers want passengers."""

    list_display = ("driver", "is_active", "changed_at")
    list_filter = ("is_active",)
    people = ("driver",)
    list_select_related = ("driver",)


class CandidateInline(ReadOnlyInline[Candidate, Finder]):
    """The drivers that a search considered, and why each was or was not offered the ride."""

    model = Candidate
    fields = ("attempt", "driver", "distance_km", "position_age_s", "outcome", "considered_at")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Candidate]:
        """Fetch the drivers with one query."""
        return super().get_queryset(request).select_related("driver")


class MatchInline(ReadOnlyInline[Match, Finder]):
    """The offers that a search has made."""

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
    date_hierarchy = "created_at"
    people = ("passenger",)
    list_select_related = ("passenger",)
    inlines = (CandidateInline, MatchInline)


@admin.register(Candidate)
class CandidateAdmin(PeopleAdmin[Candidate]):
    """Drivers who were considered, over all searches."""

    list_display = ("considered_at", "driver", "passenger", "attempt", "distance_km", "position_age_s", "outcome")
    list_filter = (OutcomeFilter, "considered_at")
    people = ("driver", "finder__passenger")
    ids = ("finder",)
    list_select_related = ("driver", "finder__passenger")
    ordering = ("-id",)

    @admin.display(description="passenger")
    def passenger(self, candidate: Candidate) -> User:
        """Who looked for a driver."""
        return candidate.finder.passenger


@admin.register(Match)
class MatchAdmin(PeopleAdmin[Match]):
    """Offers and their answers."""

    list_display = ("created_at", "status", "reason", "driver", "passenger", "distance_km")
    list_filter = ("status", "reason", "created_at")
    date_hierarchy = "created_at"
    people = BOTH
    list_select_related = ("driver", "passenger")


class ReasonForm(forms.Form):
    """Why rides are cancelled."""

    reason = ReasonField(label=gettext_lazy("Reason"), help_text=gettext_lazy("Driver and passenger read it."))


class LedgerInline(ReadOnlyInline[LedgerEntry, Ride]):
    """What was booked of the distance."""

    model = LedgerEntry
    fields = ("created_at", "distance_km", "cost")


class PaymentInline(ReadOnlyInline[Payment, Ride]):
    """What was asked and paid."""

    model = Payment
    fields = ("id", "status", "total_cost", "admin_fee", "driver_payout", "created_at", "processed_at")


@admin.register(Payment)
class PaymentAdmin(PeopleAdmin[Payment]):
    """What passengers were asked for and paid, and how it is shared."""

    list_display = ("created_at", "status", "passenger", "driver", "total_cost", "admin_fee", "driver_payout")
    list_filter = ("status", "created_at")
    date_hierarchy = "created_at"
    people = ("ride__driver", "ride__passenger")
    ids = ("pk", "ride")
    list_select_related = ("ride__driver", "ride__passenger")
    ordering = ("-created_at", "-id")

    @admin.display
    def passenger(self, payment: Payment) -> User:
        """Who pays."""
        return payment.ride.passenger

    @admin.display
    def driver(self, payment: Payment) -> User:
        """Who is paid."""
        return payment.ride.driver


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

    list_display = ("created_at", "status", "driver", "passenger", "distance_km", "total_cost", "adjusted_cost")
    list_filter = ("status", ("needs_review", admin.EmptyFieldListFilter), CancelledByFilter, "created_at")
    date_hierarchy = "created_at"
    people = BOTH
    ids = ("pk", "match")
    list_select_related = ("driver", "passenger")
    inlines = (LedgerInline, PaymentInline)
    actions = ("cancel",)
    readonly_fields = ("fare_check", "points", "happened")

    def get_object(self, request: HttpRequest, object_id: str, from_field: str | None = None) -> Ride | None:
        """Fetch the people and the places with the ride."""
        ride = super().get_object(request, object_id, from_field)
        if ride is not None:
            prefetch_related_objects([ride], "match", "driver", "passenger")
        return ride

    def render_change_form(  # noqa: PLR0917  # the signature is Django's
        self,
        request: HttpRequest,
        context: dict[str, Any],
        add: bool = False,
        change: bool = False,
        form_url: str = "",
        obj: Ride | None = None,
    ) -> HttpResponse:
        """Give the page what its map shows, and say whether the ride can be cancelled there."""
        context["track"] = track_on_map(obj) if obj else None
        context["can_cancel"] = obj and obj.status in STAFF_CANCELS and self.has_cancel_permission(request)
        return super().render_change_form(request, context, add, change, form_url, obj)

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
            self.message_user(
                request, _("Ride %(id)s: %(problem)s") % {"id": ride.pk, "problem": exc.message}, messages.ERROR
            )
        else:
            self.log_change(request, ride, f"Cancelled by support: {reason}")
            self.message_user(request, _("Ride %(id)s is cancelled.") % {"id": ride.pk}, messages.SUCCESS)

    def has_cancel_permission(self, request: HttpRequest) -> bool:
        """Whether somebody may cancel rides, which is the only change there is."""
        return request.user.has_perm("rides.cancel_ride")

    @admin.display(description=gettext_lazy("fare, from the kept points"))
    def fare_check(self, ride: Ride) -> str:
        """Recompute the fare from the kept track."""
        if ride.arrived_at is None:
            return _("The ride has not arrived.")
        if not keeps_track(ride):
            return _("The track is no longer kept.")
        cost = fare_recompute(ride).cost
        return (
            _("%(cost)s, as booked") % {"cost": cost}
            if cost == ride.total_cost
            else _("%(cost)s, but %(booked)s was booked") % {"cost": cost, "booked": ride.total_cost}
        )

    @admin.display(description=gettext_lazy("points of the track"))
    def points(self, ride: Ride) -> SafeString:
        """Link to everything that the driver's phone reported."""
        address = reverse("admin:rides_trackpoint_changelist")
        return format_html('<a href="{}?ride__id__exact={}">{}</a>', address, ride.pk, ride.track.count())

    @admin.display(description=gettext_lazy("what happened (UTC)"))
    def happened(self, ride: Ride) -> SafeString:
        """Show everything that happened on the ride, oldest first."""
        lines = ((_moment(moment.at), moment.kind, moment.text) for moment in timeline(ride))
        table = format_html_join("", "<tr><td>{}</td><td>{}</td><td>{}</td></tr>", lines)
        return format_html("<table>{}</table>", table)


def _ride_in_words(ride: Ride) -> str:
    booked = f"{timezone.localtime(ride.created_at):%Y-%m-%d %H:%M:%S %Z}"
    return f"{ride.status}: {ride.driver} with {ride.passenger}, booked {booked} ({ride.pk})"


def _moment(when: datetime) -> str:
    """Return a time to the millisecond: that is what support wants to know of events."""
    return f"{timezone.localtime(when):%Y-%m-%d %H:%M:%S.%f}"[:-3]
