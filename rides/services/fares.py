"""What a ride costs in the end: its whole track measured once more, priced, and written as a receipt."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from itertools import pairwise
from uuid import UUID

import msgspec

from common.prepared import PreparedObjects
from common.rows import insert_rows
from rides.fares.tariff import Booking, Drive, Line, billed_distance, price_lines
from rides.fares.terms import terms_of_ride
from rides.geo import GeoPoint, distance_km
from rides.limits import limits_of
from rides.metering import first_rule
from rides.metering.doubts import apart, doubts
from rides.metering.fixes import Fix
from rides.metering.meter import Measurement, measure
from rides.models import PassengerPoint, Ride, TrackPoint
from rides.services.tracks import LATE, book, fix_of

SETTLED = ("tracked_km", "progress", "distance_km", "total_cost", "receipt", "needs_review")
"""What `ride_settle` changes in a ride."""

QUOTE_TARGET_KM = 0.3
"""How far from the quoted target a ride may end and still cost the quote."""
QUOTE_DISTANCE = 0.2
"""The share of the quoted distance by which it may be longer or shorter."""


class Fare(msgspec.Struct, frozen=True):
    """What a ride costs by its kept points. `track` are the places it was measured by, noise removed.

    Rides of the first rule have no such track.
    """

    km: Decimal
    lines: list[Line]
    by_quote: bool = False
    track: tuple[GeoPoint, ...] = ()

    @property
    def cost(self) -> int:
        """The fare in rupiah."""
        return sum(line.amount for line in self.lines)


def ride_settle(ride: Ride, now: datetime) -> None:
    """Bring a ride's ledger to its fare, within the transaction of its end; the caller saves the ride.

    Its points learn why they do not count, the receipt is written, and what no honest phone reports is flagged.
    """
    if ride.meter_rule == first_rule.RULE:
        fare = _fare(ride, Drive(km := billed_distance(ride.tracked_km), km), end=None)
        not_counted: Counter[str] = Counter()
    else:
        points = _POINTS.all(ride.pk)
        fixes, measurement = _measure(ride, points)
        fare = _fare_of(ride, measurement)
        _tell_points(points, measurement)
        not_counted = Counter(reason for reason in measurement.reasons if reason)
        ride.flag(*_doubts(ride, fixes, measurement))
        ride.tracked_km = measurement.metres / 1000
    ride.progress = ""
    difference = Booking(fare.km - ride.distance_km, fare.cost - ride.total_cost)
    if difference != Booking(Decimal(0), 0):
        insert_rows(book(ride, [difference], now))
    ride.receipt = {
        "lines": msgspec.to_builtins(fare.lines),
        "by_quote": fare.by_quote,
        "not_counted": [{"reason": reason, "points": count} for reason, count in sorted(not_counted.items())],
    }


def fare_recompute(ride: Ride) -> Fare:
    """Return what a ride costs by its kept points; of a ride that has ended it is what was booked."""
    points = _points_in_time(ride)
    if ride.meter_rule == first_rule.RULE:
        counted = [GeoPoint(point.latitude, point.longitude) for point in points if point.accepted]
        km = billed_distance(first_rule.length_km(counted))
        return _fare(ride, Drive(km, km), end=None)
    return _fare_of(ride, _measure(ride, points)[1])


def _points_in_time(ride: Ride) -> list[TrackPoint]:
    """Return the points of a ride that came in before its end."""
    return list(TrackPoint.objects.filter(ride=ride).exclude(reason=LATE, accepted=False).order_by("id"))


def _measure(ride: Ride, points: Sequence[TrackPoint]) -> tuple[list[Fix], Measurement]:
    assert ride.started_at is not None
    fixes = [fix_of(point) for point in points]
    return fixes, measure(fixes, limits_of(ride), ride.started_at.timestamp())


def _fare_of(ride: Ride, measurement: Measurement) -> Fare:
    track = tuple(GeoPoint(latitude, longitude) for _, latitude, longitude in measurement.track)
    fare = _fare(ride, _drive(ride, measurement), track[-1] if track else None)
    return msgspec.structs.replace(fare, track=track)


def _fare(ride: Ride, drive: Drive, end: GeoPoint | None) -> Fare:
    quote = ride.quote
    if quote is not None and end is not None:
        is_there = distance_km(quote.target_location, end) <= QUOTE_TARGET_KM
        if is_there and abs(float(drive.km) - quote.distance_km) <= QUOTE_DISTANCE * quote.distance_km:
            return Fare(drive.km, msgspec.convert(quote.lines, list[Line]), by_quote=True)
    return Fare(drive.km, price_lines(terms_of_ride(ride), drive))


def _drive(ride: Ride, measurement: Measurement) -> Drive:
    """Return what was driven. Time counts from the first to the last fix: what nobody saw costs nothing."""
    slow_km_s = terms_of_ride(ride).slow_kmh / 3600
    limit_km_s = (ride.max_speed_kmh or float("inf")) / 3600
    moving = waiting = fast = slow = 0.0
    for (at, *a), (then, *b) in pairwise(measurement.track):
        way, seconds = distance_km(GeoPoint(*a), GeoPoint(*b)), then - at
        if way < slow_km_s * seconds:
            waiting, slow = waiting + seconds, slow + way
        else:
            moving += seconds
            fast += way if way <= limit_km_s * seconds else 0.0  # a jump was not driven
    km = billed_distance(measurement.metres / 1000)
    share = fast / (fast + slow) if fast + slow else 0.0
    return Drive(km, billed_distance(float(km) * share), moving, waiting)


def _doubts(ride: Ride, fixes: Sequence[Fix], measurement: Measurement) -> list[str]:
    points = PassengerPoint.objects.filter(ride=ride).order_by("id") if ride.kept_passenger_points else ()
    passenger = [fix_of(point) for point in points]
    found: list[str] = [*doubts(fixes, measurement)]
    return [*found, "apart"] if passenger and apart(fixes, passenger, limits_of(ride)) else found


def _tell_points(points: Sequence[TrackPoint], measurement: Measurement) -> None:
    """Write down which points count, where the running estimate thought otherwise."""
    changed = []
    for point, reason in zip(points, measurement.reasons, strict=True):
        if point.reason != reason:
            point.reason, point.accepted = reason, not reason
            changed.append(point)
    TrackPoint.objects.bulk_update(changed, ["reason", "accepted"], batch_size=200)


_POINTS = PreparedObjects(UUID, build=lambda ride_id: TrackPoint.objects.filter(ride=ride_id).order_by("id"))
