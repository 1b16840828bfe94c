"""Links from years to months and days above a list, fast for lists of any size.

Django reads all rows to find the years, months and days that occur: 0.4 s for 100,000 rows. Here an index gives the
first and the last day, and every day between them gets a link.
"""

from __future__ import annotations

import calendar
from collections.abc import Callable, Iterator
from datetime import date
from typing import Any

import msgspec
from django import template
from django.contrib.admin.views.main import ChangeList
from django.utils import formats, timezone

register = template.Library()

Link = Callable[..., str]


class Step(msgspec.Struct, frozen=True):
    """A link; the current place has a title only."""

    title: str
    link: str = ""


@register.inclusion_tag("admin/date_hierarchy.html")
def date_steps(changes: ChangeList) -> dict[str, Any]:
    """Show the links that lead from the chosen year, month or day."""
    span = _span(changes)
    name = changes.date_hierarchy
    if span is None or not name:
        return {"show": False}
    first, last = span

    def link(**chosen: int) -> str:
        return str(changes.get_query_string({f"{name}__{part}": n for part, n in chosen.items()}, [f"{name}__"]))

    year, month, day = (int(changes.params.get(f"{name}__{part}") or 0) for part in ("year", "month", "day"))
    if year and month and day:
        back = Step(_month_name(year, month), link(year=year, month=month))
        return {"show": True, "back": back, "choices": [Step(_day_name(date(year, month, day)))]}
    if year and month:
        return {"show": True, "back": Step(str(year), link(year=year)), "choices": list(_days(year, month, span, link))}
    if year:
        return {"show": True, "back": Step("All dates", link()), "choices": list(_months(year, span, link))}
    if first.year != last.year:
        years = [Step(str(n), link(year=n)) for n in range(first.year, last.year + 1)]
        return {"show": True, "back": None, "choices": years}
    one_month = first.month == last.month
    choices = _days(first.year, first.month, span, link) if one_month else _months(first.year, span, link)
    return {"show": True, "back": None, "choices": list(choices)}


def _span(changes: ChangeList) -> tuple[date, date] | None:
    """Return the first and the last day of all records, without regard to filters; an index has them."""
    name = changes.date_hierarchy
    times = changes.root_queryset.order_by(name).values_list(name, flat=True)
    first, last = times.first(), times.last()
    return (timezone.localtime(first).date(), timezone.localtime(last).date()) if first and last else None


def _months(year: int, span: tuple[date, date], link: Link) -> Iterator[Step]:
    first, last = span
    for month in range(1, 13):
        if (first.year, first.month) <= (year, month) <= (last.year, last.month):
            yield Step(_month_name(year, month), link(year=year, month=month))


def _days(year: int, month: int, span: tuple[date, date], link: Link) -> Iterator[Step]:
    first, last = span
    for number in range(1, calendar.monthrange(year, month)[1] + 1):
        day = date(year, month, number)
        if first <= day <= last:
            yield Step(_day_name(day), link(year=year, month=month, day=number))


def _month_name(year: int, month: int) -> str:
    return formats.date_format(date(year, month, 1), "YEAR_MONTH_FORMAT")


def _day_name(day: date) -> str:
    return formats.date_format(day, "MONTH_DAY_FORMAT")
