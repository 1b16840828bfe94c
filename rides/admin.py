"""Searches, matches, rides and payments in the admin. All is read-only; support may cancel or finish a ride."""

from __future__ import annotations

from collections.abc import Callable
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
from rides.geo import GeoPoint
from rides.models import Beacon, Candidate, Finder, LedgerEntry, Match, Payment, Ride, RideStatus, TrackPoint
from rides.money import rupiah
from rides.personal_data import keeps_track
from rides.services.fares import Fare, fare_recompute
from rides.services.rides import STAFF_CANCELS, ride_cancel_by_staff, ride_finish_by_staff
from rides.snapshots import receipt_lines
from rides.staff.explanation import explain
from rides.staff.fates import in_words
from rides.staff.filters import CancelledByFilter, OutcomeFilter, ReviewFilter
from rides.staff.timeline import timeline
from rides.staff.trackmap import track_on_map
from rides.staff.units import age, distance, duration
from rides.tariff_admin import TariffAdmin as _TariffAdmin  # noqa: F401  # registers itself
from users.models import User
from users.selectors import may_see_numbers, people_found

M = TypeVar("M", bound=Model)

BOTH = ("driver", "passenger")

FINISH_WARNING = gettext_lazy(
    "These rides end now at what was driven so far: the fare is booked, and the passenger is asked to pay it. Do this "
    "for a driver who cannot do it. A ride that is not under way stays as it is."
)

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


def distance_column() -> Callable[[Any, Any], str]:
    """Return a column with the distance to the pick-up."""

    @admin.display(description="distance")
    def column(_: Any, row: Match | Candidate) -> str:
        return distance(row.distance_km)

    return column


def place_column(name: str, attribute: str) -> Callable[[Any, Any], str]:
    """Return a column with a place, to about a metre."""

    @admin.display(description=name)
    def column(_: Any, row: Match | Finder) -> str:
        point: GeoPoint = getattr(row, attribute)
        return f"{point.latitude:.5f}, {point.longitude:.5f}"

    return column


@admin.register(Beacon)
class BeaconAdmin(PeopleAdmin[Beacon]):
    """Which drivers want passengers."""

    list_display = ("driver", "is_active", "changed_at")
    list_filter = ("is_active",)
    people = ("driver",)
    list_select_related = ("driver",)


@admin.register(Finder)
class FinderAdmin(PeopleAdmin[Finder]):
    """Searches for a driver."""

    list_display = ("created_at", "passenger", "status", "attempts", "ended_at")
    list_filter = ("status", "created_at")
    date_hierarchy = "created_at"
    people = ("passenger",)
    list_select_related = ("passenger",)
    fields = ("passenger", "status", "pickup", "target", "vehicle_type", "auto_accept", "quote_id", "attempts",
              "created_at", "ended_at")  # fmt: skip
    readonly_fields = ("pickup", "target")
    pickup, target = place_column("pick-up", "location"), place_column("target", "target_location")

    def page_context(self, request: HttpRequest, obj: Finder) -> dict[str, Any]:
        """Say why somebody came, or nobody."""
        return {"explanation": explain(obj)}


@admin.register(Candidate)
class CandidateAdmin(PeopleAdmin[Candidate]):
    """Drivers who were considered, over all searches."""

    list_display = ("considered_at", "driver", "passenger", "attempt", "away", "position", "what")
    fields = ("finder", "attempt", "driver", "away", "position", "what", "considered_at")
    readonly_fields = ("away", "position", "what")
    away = distance_column()
    list_filter = (OutcomeFilter, "considered_at")
    people = ("driver", "finder__passenger")
    ids = ("finder",)
    list_select_related = ("driver", "finder__passenger")
    ordering = ("-id",)

    @admin.display(description="passenger")
    def passenger(self, candidate: Candidate) -> User:
        """Who looked for a driver."""
        return candidate.finder.passenger

    @admin.display
    def position(self, candidate: Candidate) -> str:
        """Say how old the position was then."""
        return age(candidate.position_age_s)

    @admin.display(description="outcome")
    def what(self, candidate: Candidate) -> str:
        """Say why they were or were not offered the ride."""
        return in_words(candidate.outcome)


@admin.register(Match)
class MatchAdmin(PeopleAdmin[Match]):
    """Offers and their answers."""

    list_display = ("created_at", "status", "reason", "driver", "passenger", "away")
    list_filter = ("status", "reason", "created_at")
    date_hierarchy = "created_at"
    people = BOTH
    list_select_related = ("driver", "passenger")
    fields = ("finder", "attempt", "driver", "passenger", "status", "reason", "away", "eta", "driver_place", "pickup",
              "target", "created_at", "expires_at", "received_at", "unreachable_at", "answered_at",
              "decided_at")  # fmt: skip
    readonly_fields = ("away", "eta", "driver_place", "pickup", "target")
    away, driver_place = distance_column(), place_column("driver", "driver_location")
    pickup, target = place_column("pick-up", "location"), place_column("target", "target_location")

    @admin.display(description="time to the pick-up")
    def eta(self, match: Match) -> str:
        """Say what was promised."""
        return "" if match.eta_s is None else duration(match.eta_s)


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

    list_display = ("created_at", "status", "driver", "passenger", "driven", "total_cost", "adjusted_cost", "review")
    list_filter = ("status", ReviewFilter, CancelledByFilter, "created_at")
    date_hierarchy = "created_at"
    people = BOTH
    ids = ("pk", "match")
    list_select_related = ("driver", "passenger")
    inlines = (LedgerInline, PaymentInline)
    actions = ("cancel", "finish")
    readonly_fields = ("fare_check", "costs", "points", "happened")
    exclude = ("progress", "receipt")

    def get_object(self, request: HttpRequest, object_id: str, from_field: str | None = None) -> Ride | None:
        """Fetch the people and the places with the ride."""
        ride = super().get_object(request, object_id, from_field)
        if ride is not None:
            prefetch_related_objects([ride], "match", "driver", "passenger")
        return ride

    def page_context(self, request: HttpRequest, obj: Ride) -> dict[str, Any]:
        """Return what the map shows, and what can be done about the ride."""
        return {
            "track": track_on_map(obj, _recomputed(obj).track if obj.arrived_at else ()),
            "can_cancel": obj.status in STAFF_CANCELS and self.has_cancel_permission(request),
            "can_finish": obj.status == RideStatus.ONGOING and self.has_finish_permission(request),
        }

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

    @admin.action(description="Finish rides at what was driven", permissions=["finish"])
    def finish(self, request: HttpRequest, queryset: QuerySet[Ride]) -> HttpResponse | None:
        """Ask first, then end the chosen rides as their drivers would."""
        people = queryset.select_related("driver", "passenger")
        title = "Finish rides at what was driven"
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
            self.message_user(request, f"Ride {ride.pk}: {exc.message}", messages.ERROR)
        else:
            self.log_change(request, ride, "Finished by support at what was driven.")
            self.message_user(request, f"Ride {ride.pk} is finished.", messages.SUCCESS)

    def has_finish_permission(self, request: HttpRequest) -> bool:
        """Whether somebody may finish rides."""
        return request.user.has_perm("rides.finish_ride")

    def has_cancel_permission(self, request: HttpRequest) -> bool:
        """Whether somebody may cancel rides."""
        return request.user.has_perm("rides.cancel_ride")

    @admin.display(description=gettext_lazy("driven"))
    def driven(self, ride: Ride) -> str:
        """Say how far it went."""
        return distance(float(ride.distance_km))

    @admin.display(description=gettext_lazy("needs review"))
    def review(self, ride: Ride) -> str:
        """Say why support should look at it."""
        return ride.needs_review.replace("_", " ")

    @admin.display(description=gettext_lazy("fare, from the kept points"))
    def fare_check(self, ride: Ride) -> str:
        """Recompute the fare from the kept track."""
        if ride.arrived_at is None:
            return _("The ride has not arrived.")
        if not keeps_track(ride):
            return _("The track is no longer kept.")
        cost = _recomputed(ride).cost
        said = {"cost": rupiah(cost), "booked": rupiah(ride.total_cost)}
        as_booked = cost == ride.total_cost
        return (_("%(cost)s, as booked") if as_booked else _("%(cost)s, but %(booked)s was booked")) % said

    @admin.display(description=gettext_lazy("receipt"))
    def costs(self, ride: Ride) -> SafeString | str:
        """Show what each part costs, and what was not counted and why."""
        if ride.receipt is None:
            return _("The ride has not arrived.")
        lines = [(line.label, rupiah(line.amount)) for line in receipt_lines(ride)]
        skipped = [(one["reason"].replace("_", " "), one["points"]) for one in ride.receipt["not_counted"]]
        table = format_html_join("", "<tr><td>{}</td><td>{}</td></tr>", [*lines, ("", rupiah(ride.adjusted_cost))])
        refused = format_html_join(", ", "{}: {}", skipped) or "-"
        return format_html("<table>{}</table><p>{}: {}</p>", table, _("Points that do not count"), refused)

    @admin.display(description=gettext_lazy("points of the track"))
    def points(self, ride: Ride) -> SafeString:
        """Link to everything that the driver's phone reported."""
        address = reverse("admin:rides_trackpoint_changelist")
        return format_html('<a href="{}?ride__id__exact={}">{}</a>', address, ride.pk, ride.track.count())

    @admin.display(description=gettext_lazy("what happened"))
    def happened(self, ride: Ride) -> SafeString:
        """Show everything that happened on the ride, oldest first."""
        lines = ((_moment(moment.at), moment.kind, moment.text) for moment in timeline(ride))
        table = format_html_join("", "<tr><td>{}</td><td>{}</td><td>{}</td></tr>", lines)
        return format_html("<table>{}</table>", table)


def _recomputed(ride: Ride) -> Fare:
    """Return the fare by the kept points; a long track is measured once for a page."""
    known = vars(ride)
    if "recomputed" not in known:
        known["recomputed"] = fare_recompute(ride)
    fare: Fare = known["recomputed"]
    return fare


def _ride_in_words(ride: Ride) -> str:
    booked = f"{timezone.localtime(ride.created_at):%Y-%m-%d %H:%M:%S %Z}"
    return f"{ride.status}: {ride.driver} with {ride.passenger}, booked {booked} ({ride.pk})"


def _moment(when: datetime) -> str:
    """Return a time to the millisecond: that is what support wants to know of events."""
    return f"{timezone.localtime(when):%Y-%m-%d %H:%M:%S.%f}"[:-3]
