"""Admin filters whose choices come from the code instead of a query over all rows."""

from __future__ import annotations

from typing import Any, get_args

from django.contrib.admin import SimpleListFilter
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from rides.models import Candidate, CandidateOutcome, Ride, RideStatus
from rides.services.rides import Side


class CancelledByFilter(SimpleListFilter):
    """Who cancelled rides."""

    title = gettext_lazy("cancelled by")
    parameter_name = "cancelled_by"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        """Return the sides."""
        return [(side, _(side)) for side in get_args(Side)]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Ride]) -> QuerySet[Ride]:
        """Return the rides that the chosen side cancelled."""
        return queryset.filter(status=RideStatus.CANCELLED, cancelled_by=self.value()) if self.value() else queryset


class ReviewFilter(SimpleListFilter):
    """Whether support should look at a ride."""

    title = gettext_lazy("needs review")
    parameter_name = "review"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        """Return yes and no."""
        return [("yes", _("Yes")), ("no", _("No"))]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Ride]) -> QuerySet[Ride]:
        """Return the rides that need it, or do not."""
        choices = {"yes": queryset.exclude(needs_review=""), "no": queryset.filter(needs_review="")}
        return choices.get(self.value() or "", queryset)


class OutcomeFilter(SimpleListFilter):
    """Why drivers were or were not offered a ride."""

    title = gettext_lazy("outcome")
    parameter_name = "outcome"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        """Return the possible outcomes."""
        return [(value, _(label)) for value, label in CandidateOutcome.choices]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Candidate]) -> QuerySet[Candidate]:
        """Return the candidates with the chosen outcome."""
        return queryset.filter(outcome=self.value()) if self.value() else queryset
