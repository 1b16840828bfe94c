"""Which version of which tariff a ride has."""

from __future__ import annotations

from datetime import UTC, datetime, time
from decimal import Decimal
from typing import Any

import pytest
from django.core.management import call_command
from django.db import IntegrityError, transaction

from rides.fares.tariff import Drive, price
from rides.fares.terms import find_tariff, terms_of
from rides.geo import GeoPoint
from rides.models import Tariff
from tests.cast import MONAS

pytestmark = pytest.mark.django_db
NOON = datetime(2026, 3, 4, 5, 0, tzinfo=UTC)  # Wednesday, 12:00 in Jakarta
JAKARTA: dict[str, Any] = {"south": -6.8, "west": 106.3, "north": -5.9, "east": 107.2}


@pytest.fixture(autouse=True)
def _in_jakarta(settings: Any) -> None:
    settings.TIME_ZONE = "Asia/Jakarta"


def add(name: str, day: int = 1, **fields: Any) -> Tariff:
    begun = datetime(2026, 3, day, tzinfo=UTC)
    return Tariff.objects.create(name=name, valid_from=begun, created_at=begun, **fields)


def holds(place: GeoPoint = MONAS, vehicle: str = "motorcycle", at: datetime = NOON) -> str | None:
    found = find_tariff(place, vehicle, at)
    return found.name if found else None


def test_without_a_tariff_the_environment_holds() -> None:
    assert holds() is None


def test_the_newest_version_that_has_begun_counts() -> None:
    add("all", 1, per_km=1)
    newer = add("all", 2, per_km=2)
    add("all", 30, per_km=3)
    assert find_tariff(MONAS, "car", NOON) == newer


def test_a_tariff_that_is_withdrawn_holds_no_more() -> None:
    add("all", 1)
    add("city", 1, **JAKARTA)
    assert holds() == "city"
    add("city", 2, is_withdrawn=True)
    assert holds() == "all"


@pytest.mark.parametrize(
    ("fields", "place", "vehicle", "at", "fits"),
    [
        (JAKARTA, MONAS, "car", NOON, True),
        (JAKARTA, GeoPoint(-7.8, 110.4), "car", NOON, False),
        ({"south": -20, "north": -10, "west": 170, "east": -170}, GeoPoint(-15, -179), "car", NOON, True),
        ({"south": -20, "north": -10, "west": 170, "east": -170}, GeoPoint(-15, 0), "car", NOON, False),
        ({"vehicle_type": "car"}, MONAS, "car", NOON, True),
        ({"vehicle_type": "car"}, MONAS, "motorcycle", NOON, False),
        ({"weekdays": "3"}, MONAS, "car", NOON, True),
        ({"weekdays": "67"}, MONAS, "car", NOON, False),
        ({"from_time": time(12), "to_time": time(13)}, MONAS, "car", NOON, True),
        ({"from_time": time(11), "to_time": time(12)}, MONAS, "car", NOON, False),
        ({"from_time": time(22), "to_time": time(5)}, MONAS, "car", NOON, False),
        ({"from_time": time(22), "to_time": time(5)}, MONAS, "car", NOON.replace(hour=16), True),
        ({"from_time": time(22), "to_time": time(5)}, MONAS, "car", NOON.replace(hour=21), True),
    ],
)
def test_a_tariff_fits_by_area_vehicle_day_and_time(
    fields: dict[str, Any], place: GeoPoint, vehicle: str, at: datetime, fits: bool
) -> None:
    """Days and times are those of `TIME_ZONE`; an area may reach over the date line, a night over midnight."""
    add("it", **fields)
    assert (holds(place, vehicle, at) == "it") == fits


def test_the_most_particular_tariff_is_taken() -> None:
    add("all", 3)
    add("vehicle", vehicle_type="motorcycle")
    assert holds() == "vehicle"
    add("country", south=-11, north=6, west=95, east=141)
    assert holds() == "country"
    add("world", south=-90, north=90, west=-180, east=180)
    assert holds() == "country"
    add("city", **JAKARTA)
    assert holds() == "city"
    add("city-bikes", vehicle_type="motorcycle", **JAKARTA)
    assert holds() == "city-bikes"
    add("city-bikes-noon", vehicle_type="motorcycle", from_time=time(11), to_time=time(14), **JAKARTA)
    assert holds() == "city-bikes-noon"


def test_a_version_is_never_changed() -> None:
    tariff = add("all", per_km=2000)
    tariff.per_km = 1
    with pytest.raises(TypeError, match="add a version"):
        tariff.save()
    assert Tariff.objects.get().per_km == 2000


@pytest.mark.parametrize(
    "fields",
    [
        {"surge": Decimal("2.1"), "surge_cap": Decimal(2)},
        {"surge": Decimal("0.9")},
        {"rounding": 0},
        {"unit_fare": 100},
        {"south": 1, "north": 0, "west": 0, "east": 1},
        {"south": 1},
        {"from_time": time(1)},
    ],
)
def test_the_database_refuses_nonsense(fields: dict[str, Any]) -> None:
    with pytest.raises(IntegrityError), transaction.atomic():
        add("it", **fields)


@pytest.mark.parametrize(
    ("fixture", "name", "drive", "cost"),
    [
        ("tariffs_jakarta", "jakarta-motorcycle", Drive(Decimal(3), Decimal(3)), 10_200),
        ("tariffs_jakarta", "jakarta-motorcycle", Drive(Decimal(10), Decimal(10)), 25_500),
        ("tariffs_bengaluru", "bengaluru-rickshaw", Drive(Decimal(10), Decimal(10), waiting_s=301), 19_000),
        ("tariffs_bengaluru", "bengaluru-rickshaw-night", Drive(Decimal(10), Decimal(10)), 27_000),
        ("tariffs_new_york", "new-york-taxi", Drive(Decimal("8.04672"), Decimal("8.04672")), 300 + 25 * 70 + 150),
        ("tariffs_new_york", "new-york-taxi-rush", Drive(Decimal(0), Decimal(0), waiting_s=59), 300 + 70 + 150 + 250),
        ("tariffs_new_york", "new-york-taxi-night", Drive(Decimal(0), Decimal(0), waiting_s=61), 300 + 140 + 150 + 100),
    ],
)
def test_the_shipped_tariffs_cost_what_their_rules_say(fixture: str, name: str, drive: Drive, cost: int) -> None:
    """Each names its source."""
    call_command("loaddata", fixture, verbosity=0)
    tariff = Tariff.objects.get(name=name)
    assert tariff.source
    assert price(terms_of(tariff, 0, Decimal(1)), drive) == cost
