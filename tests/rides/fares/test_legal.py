from decimal import Decimal
from typing import Any

import pytest

from rides.fares.legal import outside_the_law
from rides.fares.tariff import Terms


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"per_km": 2600}, None),
        ({"per_km": 2400}, "below the lawful 2550"),
        ({"per_km": 2900}, "above the lawful 2800"),
        ({"per_km": 2700, "platform_fee": 2000}, "A ride of 5 km costs 15500, above"),
        ({"per_km": 2550, "minimum_fare": 10_200, "minimum_km": Decimal(4)}, None),
        ({"per_km": 2550, "minimum_fare": 10_200, "minimum_km": Decimal(6)}, "A ride of 5 km costs 10200, below"),
    ],
)
def test_a_tariff_is_judged_by_what_rides_cost(settings: Any, fields: dict[str, Any], said: str | None) -> None:
    settings.PRICING_LEGAL_MIN_PER_KM, settings.PRICING_LEGAL_MAX_PER_KM = 2550, 2800
    found = outside_the_law(Terms(booked_km=Decimal(1), **fields))
    assert (found is None) if said is None else (found is not None and said in found)


def test_without_a_band_everything_is_lawful() -> None:
    assert outside_the_law(Terms(booked_km=Decimal(1), per_km=1)) is None
