"""Searches, matches, rides and payments in the admin. All is read-only; support may cancel or finish a ride."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.contrib import admin
from django.db.models import prefetch_related_objects
from django.http import HttpRequest
from django.urls import reverse
from django.utils import timezone
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from common.admin import ReadOnlyAdmin, ReadOnlyInline
from rides.geo import distance_km
from rides.models import Beacon, Candidate, Finder, LedgerEntry, Match, Payment, Ride, TrackPoint
from rides.money import rupiah
from rides.personal_data import keeps_track
from rides.services.fares import Fare, fare_recompute
from rides.snapshots import receipt_lines
from rides.staff import columns
from rides.staff.explanation import explain
from rides.staff.fates import in_words
from rides.staff.filters import CancelledByFilter, OutcomeFilter, ReviewFilter
from rides.staff.people_admin import PeopleAdmin
from rides.staff.reasons import flags_in_words, refusal_in_words
from rides.staff.ride_actions import RideActions
from rides.staff.timeline import timeline
from rides.staff.trackmap import track_on_map
from rides.staff.units import age, distance_exact, duration
from rides.tariff_admin import TariffAdmin as _TariffAdmin  # noqa: F401  # registers itself
from users.models import User

BOTH = ("driver", "passenger")


@admin.register(Beacon)
class BeaconAdmin(PeopleAdmin[Beacon]):
    """Which drivers want passengers."""

    list_display = ("driver", "is_active", "changed_at", "ignored_offers", "ignored_at")
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
    pickup, target = (
        columns.place("location", gettext_lazy("pick-up")),
        columns.place("target_location", gettext_lazy("target")),
    )

    def page_context(self, request: HttpRequest, obj: Finder) -> dict[str, Any]:
        """Say why somebody came, or nobody."""
        return {"explanation": explain(obj)}


@admin.register(Candidate)
class CandidateAdmin(PeopleAdmin[Candidate]):
    """Drivers who were considered, over all searches."""

    list_display = ("considered_at", "driver", "passenger", "attempt", "away", "position", "what")
    fields = ("finder", "attempt", "driver", "away", "position", "what", "considered_at")
    readonly_fields = ("away", "position", "what")
    away = columns.rough_distance("distance_km", gettext_lazy("distance"))
    list_filter = (OutcomeFilter, "considered_at")
    people = ("driver", "finder__passenger")
    ids = ("finder",)
    list_select_related = ("driver", "finder__passenger")
    ordering = ("-id",)

    @admin.display(description=gettext_lazy("passenger"))
    def passenger(self, candidate: Candidate) -> User:
        """Who looked for a driver."""
        return candidate.finder.passenger

    @admin.display(description=gettext_lazy("position"))
    def position(self, candidate: Candidate) -> str:
        """Say how old the position was then."""
        return age(candidate.position_age_s)

    @admin.display(description=gettext_lazy("outcome"))
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
    away, driver_place = (
        columns.rough_distance("distance_km", gettext_lazy("distance")),
        columns.place("driver_location", gettext_lazy("driver")),
    )
    pickup, target = (
        columns.place("location", gettext_lazy("pick-up")),
        columns.place("target_location", gettext_lazy("target")),
    )

    @admin.display(description=gettext_lazy("time to the pick-up"))
    def eta(self, match: Match) -> str:
        """Say what was promised."""
        return "" if match.eta_s is None else duration(match.eta_s)


class LedgerInline(ReadOnlyInline[LedgerEntry, Ride]):
    """What was booked of the distance."""

    model = LedgerEntry
    fields = ("created_at", "driven", "price")
    driven = columns.kilometres("distance_km", gettext_lazy("distance"))
    price = columns.money("cost", gettext_lazy("cost"))


MONEY_OF_PAYMENT = (
    columns.money("total_cost", gettext_lazy("to be paid")),
    columns.money("admin_fee", gettext_lazy("platform fee")),
    columns.money("driver_payout", gettext_lazy("driver payout")),
)


class PaymentInline(ReadOnlyInline[Payment, Ride]):
    """What was asked and paid."""

    model = Payment
    fields = ("id", "status", "to_pay", "fee", "payout", "method", "created_at", "processed_at")
    to_pay, fee, payout = MONEY_OF_PAYMENT


@admin.register(Payment)
class PaymentAdmin(PeopleAdmin[Payment]):
    """What passengers were asked for and paid, and how it is shared."""

    list_display = ("created_at", "status", "passenger", "driver", "to_pay", "fee", "payout")
    fields = ("ride", "passenger", "driver", "status", "to_pay", "fee", "payout", "method", "qr_code_url", "created_at",
              "processed_at")  # fmt: skip
    readonly_fields = ("passenger", "driver", "to_pay", "fee", "payout")
    to_pay, fee, payout = MONEY_OF_PAYMENT
    list_filter = ("status", "created_at")
    date_hierarchy = "created_at"
    people = ("ride__driver", "ride__passenger")
    ids = ("pk", "ride")
    list_select_related = ("ride__driver", "ride__passenger")
    ordering = ("-created_at", "-id")

    @admin.display(description=gettext_lazy("passenger"))
    def passenger(self, payment: Payment) -> User:
        """Who pays."""
        return payment.ride.passenger

    @admin.display(description=gettext_lazy("driver"))
    def driver(self, payment: Payment) -> User:
        """Who is paid."""
        return payment.ride.driver


@admin.register(TrackPoint)
class TrackPointAdmin(ReadOnlyAdmin[TrackPoint]):
    """What drivers' phones reported; one comes here from a ride."""

    list_display = ("timestamp", "where", "within", "moving", "towards", "accepted", "why")
    where = columns.place("place", gettext_lazy("place"))
    within = columns.unit("accuracy", gettext_lazy("accuracy"), "{:.0f} m")
    moving = columns.unit("speed", gettext_lazy("speed"), "{:.1f} m/s")
    towards = columns.unit("heading", gettext_lazy("heading"), "{:.0f}°")
    list_display_links = None
    list_filter = ("accepted",)
    ordering = ("id",)

    @admin.display(description=gettext_lazy("reason"))
    def why(self, point: TrackPoint) -> str:
        """Say why it does not count."""
        return refusal_in_words(point.reason)

    def has_module_permission(self, request: HttpRequest) -> bool:
        """Leave the points of all rides together out of the menu."""
        return False


@admin.register(Ride)
class RideAdmin(RideActions):
    """Rides with their payment, and everything that happened on them in one order."""

    list_display = ("created_at", "status", "driver", "passenger", "driven", "cost", "to_pay", "flags")
    list_filter = ("status", ReviewFilter, CancelledByFilter, "created_at")
    date_hierarchy = "created_at"
    people = BOTH
    ids = ("pk", "match")
    list_select_related = ("driver", "passenger")
    inlines = (LedgerInline, PaymentInline)
    readonly_fields = ("driven", "direct", "cost", "to_pay", "rate", "tracked", "flags", "fare_check", "costs",
                       "points", "happened")  # fmt: skip
    fieldsets = (
        (None, {"fields": ("driver", "passenger", "status", "flags", "driven", "direct", "cost", "to_pay", "fare_check",
                           "costs", "points", "happened")}),
        (gettext_lazy("Times"), {"fields": ("created_at", "started_at", "arrived_at", "completed_at", "cancelled_at",
                                            "cancelled_by", "cancel_reason")}),
        (gettext_lazy("Technical"), {"fields": ("match", "vehicle_type", "vehicle_plate", "rate", "tariff", "quote",
                                                "adjustment_factor", "meter_rule", "max_accuracy_m", "max_speed_kmh",
                                                "tracked"), "classes": ("collapse",)}),
    )  # fmt: skip
    driven = columns.kilometres("distance_km", gettext_lazy("driven"))
    tracked = columns.kilometres("tracked_km", gettext_lazy("tracked km"))
    cost = columns.money("total_cost", gettext_lazy("cost"))
    to_pay = columns.money("adjusted_cost", gettext_lazy("to be paid"))
    rate = columns.money("rate_per_km", gettext_lazy("rate per km"))

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
            "buttons": [*self.buttons(request, obj)],
        }

    @admin.display(description=gettext_lazy("direct, from pick-up to target"))
    def direct(self, ride: Ride) -> str:
        """Say how far it is in a straight line."""
        return distance_exact(distance_km(ride.match.location, ride.match.target_location))

    @admin.display(description=gettext_lazy("needs review"))
    def flags(self, ride: Ride) -> str:
        """Say why support should look at it."""
        return flags_in_words(ride.needs_review)

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
        skipped = [(refusal_in_words(one["reason"]), one["points"]) for one in ride.receipt["not_counted"]]
        table = format_html_join("", "<tr><td>{}</td><td>{}</td></tr>", [*lines, ("", rupiah(ride.adjusted_cost))])
        refused = format_html_join(", ", "{}: {}", skipped) or "-"
        promised = _("As promised before the ride.") if ride.receipt.get("by_quote") else ""
        return format_html("{}<table>{}</table><p>{}: {}</p>", promised, table, _("Points that do not count"), refused)

    @admin.display(description=gettext_lazy("points of the track"))
    def points(self, ride: Ride) -> SafeString:
        """Link to everything that the driver's phone reported."""
        address = reverse("admin:rides_trackpoint_changelist")
        return format_html('<a href="{}?ride__id__exact={}">{}</a>', address, ride.pk, ride.track.count())

    @admin.display(description=gettext_lazy("what happened"))
    def happened(self, ride: Ride) -> SafeString:
        """Show everything that happened on the ride, oldest first."""
        lines = ((_moment(moment.at), _(moment.kind), moment.text) for moment in timeline(ride))
        table = format_html_join("", "<tr><td>{}</td><td>{}</td><td>{}</td></tr>", lines)
        return format_html("<table>{}</table>", table)


def _recomputed(ride: Ride) -> Fare:
    """Return the fare by the kept points; a long track is measured once for a page."""
    known = vars(ride)
    if "recomputed" not in known:
        known["recomputed"] = fare_recompute(ride)
    fare: Fare = known["recomputed"]
    return fare


def _moment(when: datetime) -> str:
    """Return a time to the millisecond: that is what support wants to know of events."""
    return f"{timezone.localtime(when):%Y-%m-%d %H:%M:%S.%f}"[:-3]
