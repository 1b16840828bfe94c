"""Filters that write distances and time spans as people say them."""

from __future__ import annotations

from django import template

from rides import money
from rides.staff.units import distance, duration

register = template.Library()


@register.filter
def kilometres(km: float) -> str:
    """Write kilometres."""
    return distance(km)


@register.filter
def metres(number: float) -> str:
    """Write metres."""
    return distance(number / 1000)


@register.filter
def rupiah(amount: int) -> str:
    """Write an amount."""
    return money.rupiah(amount)


@register.filter
def seconds(number: float) -> str:
    """Write seconds."""
    return duration(number)
