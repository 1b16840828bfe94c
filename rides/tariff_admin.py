"""Tariffs in the admin: versions are added and never edited, and each says what rides cost under it."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Any

import msgspec
from django import forms
from django.conf import settings
from django.contrib import admin
from django.core.exceptions import ValidationError
from django.http import HttpRequest
from django.utils import timezone
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from common import clock
from common.admin import RecordedAdmin
from rides.fares.legal import outside_the_law
from rides.fares.tariff import Drive, Surcharge, price, price_lines
from rides.fares.terms import terms_of
from rides.models import Tariff
from rides.money import rupiah

EXAMPLES_KM = (1, 3, 5, 10, 20)
EXAMPLES_WAITING = (0, 5, 15)
"""Kilometres, at `ETA_SPEED_KMH`, and minutes of waiting, of the table on a tariff's page."""


class PreviewForm(forms.Form):
    """A ride of which the price under a tariff is wanted."""

    km = forms.DecimalField(min_value=0, max_value=1000, max_digits=9, decimal_places=3, label="Kilometres")
    minutes = forms.FloatField(min_value=0, max_value=10_000, label="Minutes of driving")
    waiting = forms.FloatField(min_value=0, max_value=10_000, label="Minutes of waiting", initial=0)


class TariffForm(forms.ModelForm[Tariff]):
    """A new version; what makes no sense, or is against the law as configured, is refused."""

    def clean_surcharges(self) -> Any:
        """Return the surcharges; the message names what is wrong with them."""
        given = self.cleaned_data["surcharges"] or []
        try:
            found = msgspec.convert(given, list[Surcharge])
        except msgspec.ValidationError as exc:
            raise ValidationError(f'Write [{{"label": "Night", "amount": 5000}}]: {exc}.') from exc
        if any(not one.label.strip() or not 0 <= one.amount <= 10**9 for one in found):
            raise ValidationError("Each needs a label, and an amount from 0.")
        return msgspec.to_builtins(found)

    def clean_weekdays(self) -> str:
        """Return the days in order."""
        days = set(self.cleaned_data["weekdays"])
        if not days or days - set("1234567"):
            raise ValidationError("Write digits from 1 (Monday) to 7 (Sunday).")
        return "".join(sorted(days))

    def clean_valid_from(self) -> Any:
        """Refuse the past: rides have been booked in it."""
        begin = self.cleaned_data["valid_from"]
        if begin < clock.now() - timedelta(minutes=5):
            raise ValidationError("This is in the past: rides have been booked since.")
        return begin

    def clean(self) -> dict[str, Any]:
        """Refuse what costs nothing, and what the law forbids."""
        data: dict[str, Any] = super().clean() or {}
        if self.errors or data["is_withdrawn"] or not data["rounding"]:
            return data
        terms = terms_of(Tariff(**data), 0, settings.RIDES_MIN_DISTANCE_KM)
        if not price(terms, Drive(Decimal(10), Decimal(10), moving_s=1440, waiting_s=600)):
            raise ValidationError("Under this tariff rides cost nothing.")
        if problem := outside_the_law(terms):
            raise ValidationError(problem)
        return data


@admin.register(Tariff)
class TariffAdmin(RecordedAdmin[Tariff]):
    """Versions of tariffs."""

    form = TariffForm
    list_display = ("name", "valid_from", "vehicle_type", "per_km", "minimum_fare", "is_withdrawn", "holds_now")
    list_filter = ("name", "vehicle_type", "is_withdrawn")
    search_fields = ("name", "source")
    readonly_fields = ("preview",)
    fieldsets = (
        (None, {"fields": ("name", "valid_from", "is_withdrawn", "source")}),
        (
            "Which rides",
            {"fields": ("vehicle_type", "weekdays", "from_time", "to_time", "south", "west", "north", "east")},
        ),
        ("Distance", {"fields": ("base_fare", "minimum_fare", "minimum_km", "per_km")}),
        ("Time", {"fields": ("per_minute", "per_waiting_minute", "free_waiting_minutes", "slow_kmh")}),
        ("Counted units", {"fields": ("unit_fare", "counted_km", "counted_s")}),
        ("On top", {"fields": ("surge", "surge_cap", "surcharges", "platform_fee", "rounding")}),
        ("What rides cost", {"fields": ("preview",)}),
    )

    def has_change_permission(self, request: HttpRequest, obj: Tariff | None = None) -> bool:
        """Nobody edits a version."""
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Tariff | None = None) -> bool:
        """Nobody deletes one either: withdraw it by a version."""
        return False

    def get_changeform_initial_data(self, request: HttpRequest) -> dict[str, Any]:
        """Begin a version tomorrow at midnight, so that it can be looked at before."""
        tomorrow = timezone.localtime() + timedelta(days=1)
        begin = tomorrow.replace(hour=0, minute=0, second=0, microsecond=0)
        return {"valid_from": begin, **super().get_changeform_initial_data(request)}

    def save_model(self, request: HttpRequest, obj: Tariff, form: Any, change: bool) -> None:
        """Note who has added it."""
        obj.created_at, obj.created_by = clock.now(), request.user  # type: ignore[assignment]
        super().save_model(request, obj, form, change)

    def page_context(self, request: HttpRequest, obj: Tariff) -> dict[str, Any]:
        """Return the price of the ride that was asked for."""
        asked = PreviewForm(request.GET if "km" in request.GET else None)
        return {"asked": asked, "priced": _priced(obj, asked)}

    @admin.display(description="holds now", boolean=True)
    def holds_now(self, tariff: Tariff) -> bool:
        """Whether it is the newest version of its name that has begun, and is not withdrawn."""
        newest = Tariff.objects.filter(name=tariff.name, valid_from__lte=clock.now()).first()
        return newest == tariff and not tariff.is_withdrawn

    @admin.display(description="examples")
    def preview(self, tariff: Tariff) -> SafeString | str:
        """Show what rides cost, by distance and waiting."""
        if tariff._state.adding:
            return "Save it first; it begins only at the time above, and can be withdrawn until then and after."
        terms = terms_of(tariff, 0, settings.RIDES_MIN_DISTANCE_KM)
        head = format_html_join("", "<th>{} min waiting</th>", ((minutes,) for minutes in EXAMPLES_WAITING))
        costs = {km: [rupiah(price(terms, _drive(km, wait))) for wait in EXAMPLES_WAITING] for km in EXAMPLES_KM}
        rows = ((f"{km} km", *cost) for km, cost in costs.items())
        body = format_html_join("", "<tr><th>{}</th><td>{}</td><td>{}</td><td>{}</td></tr>", rows)
        return format_html("<table><tr><th></th>{}</tr>{}</table>", head, body)


def _drive(km: float, waiting: float, minutes: float | None = None) -> Drive:
    way = Decimal(str(km))
    moving = km / float(settings.ETA_SPEED_KMH) * 3600 if minutes is None else minutes * 60
    return Drive(way, way, moving_s=moving, waiting_s=waiting * 60)


def _priced(tariff: Tariff, asked: PreviewForm) -> list[tuple[str, str]]:
    if not asked.is_valid():
        return []
    terms = terms_of(tariff, 0, settings.RIDES_MIN_DISTANCE_KM)
    ride = asked.cleaned_data
    lines = price_lines(terms, _drive(float(ride["km"]), ride["waiting"], ride["minutes"]))
    total = sum(line.amount for line in lines)
    return [*((line.label, rupiah(line.amount)) for line in lines), ("Together", rupiah(total))]
