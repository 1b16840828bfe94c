"""The track of a ride, as a map shows it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from django.utils import timezone

from rides.geo import GeoPoint
from rides.models import Ride, TrackPoint
from rides.staff.reasons import refusal_in_words

Place = tuple[float, float]

DIGITS = 6
"""After the decimal point: a tenth of a metre."""


def track_on_map(ride: Ride, measured: Iterable[GeoPoint]) -> dict[str, Any]:
    """Return the places of a ride whose match is loaded, as latitude and longitude; one query, however long the ride.

    `driven` are the points that count as they were reported, `measured` is the track without noise that was billed;
    `refused` has the reason and the time of each point that does not count.
    """
    driven: list[Place] = []
    refused: list[tuple[float, float, str, str]] = []
    fields = ("latitude", "longitude", "accepted", "reason", "timestamp")
    for latitude, longitude, accepted, reason, timestamp in (
        TrackPoint.objects.filter(ride=ride).order_by("id").values_list(*fields)
    ):
        place = _place(GeoPoint(latitude, longitude))
        if accepted:
            driven.append(place)
        else:
            refused.append((*place, refusal_in_words(reason), f"{timezone.localtime(timestamp):%H:%M:%S}"))
    return {
        "driven": driven,
        "measured": [_place(point) for point in measured],
        "refused": refused,
        "pickup": _place(ride.match.location),
        "target": _place(ride.match.target_location),
    }


def _place(point: GeoPoint) -> Place:
    return round(point.latitude, DIGITS), round(point.longitude, DIGITS)
