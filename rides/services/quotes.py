"""Prices that are promised before a ride is booked."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

import msgspec
from django.conf import settings
from django.db import transaction

from common import clock
from common.errors import CommonReason, ValidationFailed
from rides.eta import route_between
from rides.fares.tariff import Drive, billed_distance, price_lines
from rides.fares.terms import find_tariff, terms_of
from rides.geo import GeoPoint, distance_km
from rides.models import Quote
from rides.reasons import RideReason
from users.models import User

SAME_PLACE_KM = 0.3
"""How far from the quoted places a search may be and still have the quote."""


def quote_make(*, user: User, location: GeoPoint, target_location: GeoPoint, vehicle_type: str = "") -> Quote:
    """Promise what a ride will cost, for `QUOTE_VALIDITY`; a routing engine is asked outside of any transaction."""
    route = route_between(location, target_location)
    now = clock.now()
    tariff = find_tariff(location, vehicle_type, now)
    rate: int = settings.PRICING_RATE_PER_KM
    km = billed_distance(route.km)
    terms = terms_of(tariff, rate, settings.RIDES_MIN_DISTANCE_KM)
    lines = price_lines(terms, Drive(km, km, moving_s=route.seconds))
    with transaction.atomic():
        return Quote.objects.create(
            user=user,
            latitude=location.latitude,
            longitude=location.longitude,
            target_latitude=target_location.latitude,
            target_longitude=target_location.longitude,
            vehicle_type=vehicle_type,
            tariff=tariff,
            rate_per_km=rate,
            distance_km=round(route.km, 3),
            total_cost=sum(line.amount for line in lines),
            lines=msgspec.to_builtins(lines),
            created_at=now,
            valid_until=now + settings.QUOTE_VALIDITY,
        )


def quote_check(
    *, user_id: UUID, quote_id: UUID, location: GeoPoint, target_location: GeoPoint, vehicle_type: str, now: datetime
) -> None:
    """Raise `ValidationFailed` unless the quote is the user's, still holds, and is for this ride."""
    quote = Quote.objects.filter(pk=quote_id, user_id=user_id).first()
    if quote is None:
        raise ValidationFailed("There is no such quote of yours.", reason=CommonReason.NOT_FOUND, field="quote_id")
    if quote.valid_until <= now:
        raise ValidationFailed(
            "The quote is no longer valid; ask for another one.", reason=RideReason.QUOTE_EXPIRED, field="quote_id"
        )
    if quote.vehicle_type != vehicle_type:
        raise ValidationFailed(
            "The quote is for another kind of vehicle.", reason=RideReason.QUOTE_OF_OTHER_VEHICLE, field="quote_id"
        )
    for field, quoted, wanted in (
        ("location", quote.location, location),
        ("target_location", quote.target_location, target_location),
    ):
        if distance_km(quoted, wanted) > SAME_PLACE_KM:
            text = f"{field} is more than {SAME_PLACE_KM * 1000:.0f} m from the quoted one."
            raise ValidationFailed(text, reason=RideReason.QUOTE_OF_OTHER_PLACES, field="quote_id")
