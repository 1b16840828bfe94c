"""The band of prices that the law allows, as `PRICING_LEGAL_MIN_PER_KM` and `PRICING_LEGAL_MAX_PER_KM` say it."""

from __future__ import annotations

from decimal import Decimal

from django.conf import settings

from rides.fares.tariff import Drive, Terms, price

LOOKED_AT_KM = (5, 10, 20)
"""Rides by which a tariff is judged: longer than any first kilometres that have a price of their own."""


def outside_the_law(terms: Terms) -> str | None:
    """Return why a tariff is not allowed, judged by rides without waiting; 0 is no bound."""
    lowest, highest = settings.PRICING_LEGAL_MIN_PER_KM, settings.PRICING_LEGAL_MAX_PER_KM
    for km in LOOKED_AT_KM:
        cost = price(terms, Drive(Decimal(km), Decimal(km)))
        if lowest and cost < lowest * km:
            return f"A ride of {km} km costs {cost}, below the lawful {lowest} a kilometre (PRICING_LEGAL_MIN_PER_KM)."
        if highest and cost > highest * km:
            return f"A ride of {km} km costs {cost}, above the lawful {highest} a kilometre (PRICING_LEGAL_MAX_PER_KM)."
    return None
