"""Matches and rides in the admin: everything to look at, one thing to do (cancel a ride)."""

from __future__ import annotations

from datetime import datetime

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils import timezone
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from events.models import OutboxEvent
from nebengjek.admin import ReadOnlyAdmin, ReadOnlyInline
from nebengjek.errors import ValidationFailed
from rides.models import Beacon, Candidate, Finder, LedgerEntry, Match, Payment, Ride, TrackPoint
from rides.services.rides import ride_cancel_by_staff
from rides.services.tracks import ledger_recompute

PEOPLE = ("driver__msisdn", "driver__full_name", "passenger__msisdn", "passenger__full_name")


@admin.register(Beacon)
class BeaconAdmin(ReadOnlyAdmin[Beacon]):
    """Which drivers want passengers."""

    list_display = ("driver", "is_active", "changed_at")
    list_filter = ("is_active",)
    search_fields = ("driver__msisdn", "driver__full_name")
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
class FinderAdmin(ReadOnlyAdmin[Finder]):
    """Searches for a driver."""

    list_display = ("created_at", "passenger", "status", "attempts", "ended_at")
    list_filter = ("status", "created_at")
    search_fields = ("id", "passenger__msisdn", "passenger__full_name")
    list_select_related = ("passenger",)
    date_hierarchy = "created_at"
    inlines = (CandidateInline, MatchInline)


@admin.register(Match)
class MatchAdmin(ReadOnlyAdmin[Match]):
    """Proposals and their answers."""

    list_display = ("created_at", "driver", "passenger", "status", "reason", "distance_km")
    list_filter = ("status", "reason", "created_at")
    search_fields = ("id", *PEOPLE)
    list_select_related = ("driver", "passenger")
    date_hierarchy = "created_at"


class LedgerInline(ReadOnlyInline[LedgerEntry, Ride]):
    """What was booked."""

    model = LedgerEntry
    fields = ("created_at", "distance_km", "cost")


class PaymentInline(ReadOnlyInline[Payment, Ride]):
    """What was asked and paid."""

    model = Payment
    fields = ("id", "status", "total_cost", "admin_fee", "driver_payout", "created_at", "processed_at")


class TrackInline(ReadOnlyInline[TrackPoint, Ride]):
    """What the driver's phone reported."""

    model = TrackPoint
    fields = ("timestamp", "latitude", "longitude", "accuracy", "accepted", "reason")


@admin.register(Ride)
class RideAdmin(ReadOnlyAdmin[Ride]):
    """Rides with their ledger, payment, track and events."""

    list_display = ("created_at", "driver", "passenger", "status", "distance_km", "total_cost", "adjusted_cost")
    list_filter = ("status", "created_at")
    search_fields = ("id", *PEOPLE)
    list_select_related = ("driver", "passenger")
    date_hierarchy = "created_at"
    inlines = (LedgerInline, PaymentInline, TrackInline)
    actions = ("cancel",)
    readonly_fields = ("fare_check", "events")

    @admin.action(description="Cancel rides that are not paid yet", permissions=["cancel"])
    def cancel(self, request: HttpRequest, queryset: QuerySet[Ride]) -> None:
        """Call the chosen rides off; both parties are told."""
        for ride_id in list(queryset.values_list("pk", flat=True)):
            try:
                ride_cancel_by_staff(ride_id=ride_id, reason="Cancelled by support.")
            except ValidationFailed as exc:
                self.message_user(request, f"Ride {ride_id}: {exc.message}", messages.ERROR)
            else:
                self.message_user(request, f"Ride {ride_id} is cancelled.", messages.SUCCESS)

    def has_cancel_permission(self, request: HttpRequest) -> bool:
        """Staff who may change rides may cancel them, which is the only change there is."""
        return bool(request.user.has_perm("rides.change_ride"))

    @admin.display(description="fare, from the kept points")
    def fare_check(self, ride: Ride) -> str:
        """Compute the ledger once more from the track, as anybody may."""
        if ride.arrived_at is None:
            return "The ride has not arrived."
        cost = sum(booking.cost for booking in ledger_recompute(ride))
        return f"{cost}, as booked" if cost == ride.total_cost else f"{cost}, but {ride.total_cost} was booked"

    @admin.display(description="events")
    def events(self, ride: Ride) -> SafeString:
        """List what was told about the ride and its match, and when it left the outbox."""
        rows = OutboxEvent.objects.filter(key__in=(str(ride.pk), str(ride.match_id))).order_by("id")
        lines = ((_moment(row.created_at), row.subject, _moment(row.published_at)) for row in rows)
        table = format_html_join("", "<tr><td>{}</td><td>{}</td><td>{}</td></tr>", lines)
        return format_html("<table><tr><th>happened</th><th>what</th><th>delivered</th></tr>{}</table>", table)


def _moment(when: datetime | None) -> str:
    """Return a time to the millisecond: that is what support wants to know of events."""
    return f"{timezone.localtime(when):%Y-%m-%d %H:%M:%S.%f}"[:-3] if when else "waiting"
