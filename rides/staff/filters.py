"""Filters of the admin whose choices are asked of the code, and not of a million rows."""

from __future__ import annotations

from typing import Any, get_args

from django.contrib.admin import SimpleListFilter
from django.db.models import QuerySet
from django.http import HttpRequest

from rides.matching import OUTCOMES
from rides.models import Candidate, Ride, RideStatus
from rides.services.rides import Side


class CancelledByFilter(SimpleListFilter):
    """Who called rides off."""

    title = "cancelled by"
    parameter_name = "cancelled_by"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        """Return the sides."""
        return [(side, side) for side in get_args(Side)]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Ride]) -> QuerySet[Ride]:
        """Return what the chosen side has called off."""
        return queryset.filter(status=RideStatus.CANCELLED, cancelled_by=self.value()) if self.value() else queryset


class OutcomeFilter(SimpleListFilter):
    """Why drivers were or were not asked."""

    title = "outcome"
    parameter_name = "outcome"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        """Return what a search may think of a driver."""
        return [(outcome, outcome.replace("_", " ")) for outcome in OUTCOMES]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Candidate]) -> QuerySet[Candidate]:
        """Return the drivers of whom it was thought."""
        return queryset.filter(outcome=self.value()) if self.value() else queryset
