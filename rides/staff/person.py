"""What rides know of a person, for their page: what is happening now, and what has been."""

from __future__ import annotations

from collections.abc import Iterator

from django.db.models import Q, QuerySet
from django.http import HttpRequest
from django.urls import reverse
from django.utils.translation import gettext as _

from common import clock
from rides.geo import distance_km
from rides.models import PASSENGER_BUSY, Beacon, Finder, FinderStatus, Payment, PaymentStatus, Ride
from rides.money import rupiah
from rides.positions import positions
from rides.staff.units import age, distance_exact
from users.models import User
from users.staff.panels import MOST, Cell, Panel, moment, person_link


def now(user: User, request: HttpRequest) -> Iterator[Panel]:
    """Yield beacon, position, search, ride and payment as they are."""
    if not request.user.has_perm("rides.view_ride"):
        return
    beacon = Beacon.objects.filter(driver=user).first()
    search = Finder.objects.filter(passenger=user, status=FinderStatus.OPEN).first()
    ride = _rides(user).filter(status__in=PASSENGER_BUSY).first()
    due = Payment.objects.filter(ride__passenger=user, status=PaymentStatus.PENDING).first()
    facts = {
        _("Beacon"): Cell(_("on") if beacon.is_active else _("off")) if beacon else None,
        _("Position"): _position(user),
        _("Search"): Cell(_("looking for a driver"), search_page(search)) if search else None,
        _("Ride"): Cell(_(ride.get_status_display()), _page("ride", ride.pk)) if ride else None,
        _("Payment due"): Cell(rupiah(due.total_cost), _page("ride", due.ride_id)) if due else None,
    }
    yield Panel(
        title=_("Now"), facts=[(name, cell) for name, cell in facts.items() if cell], empty=_("Nothing is happening.")
    )


def rides(user: User, request: HttpRequest) -> Iterator[Panel]:
    """Yield the last rides with the other party and what was paid."""
    if not request.user.has_perm("rides.view_ride"):
        return
    found = _rides(user).select_related("match", "driver", "passenger", "payment").order_by("-created_at")[:MOST]
    yield Panel(
        title=_("Last rides"),
        columns=[_("Booked"), _("Status"), _("With"), _("Driven"), _("Direct"), _("Cost"), _("Payment")],
        lines=[_line(user, ride) for ride in found],
        more=Cell(_("All rides"), f"{reverse('admin:rides_ride_changelist')}?q={user.pk}"),
        empty=_("None."),
    )


def payments(user: User, request: HttpRequest) -> Iterator[Panel]:
    """Yield what the person was last asked to pay, and paid."""
    found = Payment.objects.filter(ride__passenger=user).order_by("-created_at", "-id")[:MOST]
    if not request.user.has_perm("rides.view_payment") or not found:
        return
    yield Panel(
        title=_("Last payments"),
        columns=[_("Asked"), _("Status"), _("Amount"), _("How"), _("Paid"), _("Ride")],
        lines=[
            [
                Cell(moment(one.created_at).text, _page("payment", one.pk)),
                Cell(_(one.get_status_display())),
                Cell(rupiah(one.total_cost)),
                Cell(one.method),
                moment(one.processed_at),
                Cell(str(one.ride_id)[:8], _page("ride", one.ride_id)),
            ]
            for one in found
        ],
        more=Cell(_("All payments"), f"{reverse('admin:rides_payment_changelist')}?q={user.pk}"),
    )


def searches(user: User, request: HttpRequest) -> Iterator[Panel]:
    """Yield the last searches."""
    found = Finder.objects.filter(passenger=user).order_by("-created_at")[:MOST]
    if not found or not request.user.has_perm("rides.view_finder"):
        return
    yield Panel(
        title=_("Last searches"),
        columns=[_("Begun"), _("Status"), _("Attempts"), _("Ended")],
        lines=[
            [
                Cell(moment(one.created_at).text, search_page(one)),
                Cell(_(one.get_status_display())),
                Cell(str(one.attempts)),
                moment(one.ended_at),
            ]
            for one in found
        ],
        more=Cell(_("All searches"), f"{reverse('admin:rides_finder_changelist')}?q={user.pk}"),
    )


def search_page(search: Finder) -> str:
    """Return where it is explained why nobody came."""
    return _page("finder", search.pk)


def _rides(user: User) -> QuerySet[Ride]:
    return Ride.objects.filter(Q(driver=user) | Q(passenger=user))


def _line(user: User, ride: Ride) -> list[Cell]:
    payment: Payment | None = getattr(ride, "payment", None)
    other = ride.passenger if ride.driver_id == user.pk else ride.driver
    return [
        Cell(moment(ride.created_at).text, _page("ride", ride.pk)),
        Cell(_(ride.get_status_display())),
        person_link(other),
        Cell(distance_exact(float(ride.distance_km))),
        Cell(distance_exact(distance_km(ride.match.location, ride.match.target_location))),
        Cell(rupiah(ride.adjusted_cost)),
        Cell(_(payment.get_status_display()) if payment else ""),
    ]


def _position(user: User) -> Cell | None:
    last = positions().last(user.pk)
    if last is None:
        return None
    return Cell(age(max(0, clock.timestamp() - last.received_at)))


def _page(model: str, pk: object) -> str:
    return reverse(f"admin:rides_{model}_change", args=[pk])
