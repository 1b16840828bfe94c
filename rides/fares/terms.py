"""Which terms a ride has: those of a version of a tariff, else those of the environment."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal

import msgspec
from django.utils import timezone

from rides.fares.tariff import Surcharge, Terms
from rides.geo import GeoPoint
from rides.models import Ride, Tariff

OWN_FIELDS = tuple(field for field in Terms.__struct_fields__ if field not in ("booked_km", "surcharges"))
"""The terms that have a column of their own in `Tariff`."""


def find_tariff(place: GeoPoint, vehicle_type: str, at: datetime) -> Tariff | None:
    """Return the version that holds for a ride that is booked at a place and time; None for the environment's."""
    newest: dict[str, Tariff] = {}
    for tariff in Tariff.objects.filter(valid_from__lte=at).order_by("-valid_from", "-id"):
        newest.setdefault(tariff.name, tariff)
    fitting = [tariff for tariff in newest.values() if _fits(tariff, place, vehicle_type, at)]
    return max(fitting, key=_particularity, default=None)


def terms_of(tariff: Tariff | None, rate_per_km: int, booked_km: Decimal) -> Terms:
    """Return the terms of a version, or of the environment as they were."""
    if tariff is None:
        return Terms(booked_km=booked_km, per_km=rate_per_km)
    surcharges = msgspec.convert(tariff.surcharges, tuple[Surcharge, ...])
    return Terms(booked_km=booked_km, surcharges=surcharges, **{name: getattr(tariff, name) for name in OWN_FIELDS})


def terms_of_ride(ride: Ride) -> Terms:
    """Return the terms under which a ride was booked."""
    return terms_of(ride.tariff, ride.rate_per_km, ride.unit_km)


def _fits(tariff: Tariff, place: GeoPoint, vehicle_type: str, at: datetime) -> bool:
    local = timezone.localtime(at)
    return (
        not tariff.is_withdrawn
        and tariff.vehicle_type in ("", vehicle_type)
        and str(local.isoweekday()) in tariff.weekdays
        and _covers(tariff, place)
        and _is_on(tariff, local)
    )


def _covers(tariff: Tariff, place: GeoPoint) -> bool:
    if tariff.south is None or tariff.north is None or tariff.west is None or tariff.east is None:
        return True
    across = (
        tariff.west <= place.longitude <= tariff.east
        if tariff.west <= tariff.east
        else place.longitude >= tariff.west or place.longitude <= tariff.east  # over the date line
    )
    return across and tariff.south <= place.latitude <= tariff.north


def _is_on(tariff: Tariff, local: datetime) -> bool:
    if tariff.from_time is None or tariff.to_time is None:
        return True
    if tariff.from_time <= tariff.to_time:
        return tariff.from_time <= local.time() < tariff.to_time
    return local.time() >= tariff.from_time or local.time() < tariff.to_time


def _particularity(tariff: Tariff) -> tuple[float, bool, bool, bool, datetime, int]:
    area = float("inf")
    if tariff.south is not None and tariff.north is not None and tariff.west is not None and tariff.east is not None:
        width = tariff.east - tariff.west
        area = (tariff.north - tariff.south) * (width if width >= 0 else width + 360)  # over the date line
    by_time = tariff.from_time is not None
    return -area, bool(tariff.vehicle_type), by_time, len(tariff.weekdays) < 7, tariff.valid_from, tariff.pk
