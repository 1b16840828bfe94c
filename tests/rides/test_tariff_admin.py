"""Tariffs in the admin: added, looked at, never edited."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from rides.models import Tariff
from users.models import StaffRecord, User

pytestmark = pytest.mark.django_db
ADD = "/admin/rides/tariff/add/"


@pytest.fixture
def boss() -> Client:
    """Somebody who may do everything."""
    client = Client()
    client.force_login(User.objects.create_superuser("+6281200000077", "boss-password-1"))
    return client


def form(**changes: Any) -> dict[str, Any]:
    begin = timezone.localtime() + timedelta(hours=1)
    return {
        "name": "jakarta", "source": "KP 667/2022",
        "valid_from_0": f"{begin:%Y-%m-%d}", "valid_from_1": f"{begin:%H:%M:%S}",
        "vehicle_type": "motorcycle", "weekdays": "1234567", "base_fare": 0, "minimum_fare": 10200, "minimum_km": "4",
        "per_km": 2550, "per_minute": 0, "per_waiting_minute": 0, "free_waiting_minutes": 0, "slow_kmh": 3,
        "unit_fare": 0, "counted_km": "0", "counted_s": 0, "surge": "1", "surge_cap": "2", "surcharges": "[]",
        "platform_fee": 0, "rounding": 1, **changes,
    }  # fmt: skip


def test_a_version_is_added_and_shows_what_rides_cost(boss: Client) -> None:
    assert boss.post(ADD, form()).status_code == 302
    tariff = Tariff.objects.get()
    assert tariff.created_by is not None
    page = boss.get(f"/admin/rides/tariff/{tariff.pk}/change/").content.decode()
    assert "Rp 10.200" in page
    assert "Rp 25.500" in page
    priced = boss.get(f"/admin/rides/tariff/{tariff.pk}/change/?km=6&minutes=12&waiting=0").content.decode()
    assert "Rp 15.300" in priced
    assert "2.000 km at 2550" in priced


def test_nobody_edits_or_deletes_one(boss: Client) -> None:
    boss.post(ADD, form())
    tariff = Tariff.objects.get()
    assert boss.post(f"/admin/rides/tariff/{tariff.pk}/change/", form(per_km=1)).status_code == 403
    assert boss.post(f"/admin/rides/tariff/{tariff.pk}/delete/", {"post": "yes"}).status_code == 403
    assert Tariff.objects.get().per_km == 2550


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"valid_from_0": "2020-01-01"}, "in the past"),
        ({"per_km": 0, "minimum_fare": 0}, "rides cost nothing"),
        ({"per_km": -1}, "greater than or equal to 0"),
        ({"weekdays": "8"}, "1 (Monday) to 7"),
        ({"surcharges": '[{"label": "Night"}]'}, "missing required field `amount`"),
        ({"surcharges": '[{"label": "Night", "amount": -5}]'}, "an amount from 0"),
        ({"surge": "3"}, "tariff_surge_capped"),
        ({"rounding": 0}, "greater than or equal to 1"),
        ({"south": 3, "north": 2, "west": 0, "east": 1}, "tariff_area_is_a_box"),
    ],
)
def test_nonsense_is_refused(boss: Client, wrong: dict[str, Any], said: str) -> None:
    page = boss.post(ADD, form(**wrong))
    assert page.status_code == 200
    assert said in page.content.decode().replace("&#x27;", "'")
    assert not Tariff.objects.exists()


@pytest.mark.parametrize(
    ("per_km", "surge", "said"),
    [(2549, "1", "below the lawful"), (2801, "1", "above the lawful"), (2550, "1.2", "above")],
)
def test_what_the_law_forbids_is_refused(boss: Client, settings: Any, per_km: int, surge: str, said: str) -> None:
    """By configuration; a surge counts."""
    settings.PRICING_LEGAL_MIN_PER_KM, settings.PRICING_LEGAL_MAX_PER_KM = 2550, 2800
    page = boss.post(ADD, form(per_km=per_km, minimum_fare=4 * per_km, surge=surge)).content.decode()
    assert said in page
    assert not Tariff.objects.exists()
    assert boss.post(ADD, form()).status_code == 302


def test_a_surcharge_counts_for_the_law(boss: Client, settings: Any) -> None:
    """A fee on every ride cannot lift a lawful price beyond the band."""
    settings.PRICING_LEGAL_MAX_PER_KM = 2800
    night = '[{"label": "Night", "amount": 5000}]'
    assert "above the lawful" in boss.post(ADD, form(surcharges=night)).content.decode()
    assert not Tariff.objects.exists()


def test_staff_records_tell_who_added_a_tariff(boss: Client) -> None:
    boss.post(ADD, form())
    record = StaffRecord.objects.get(target_type="rides.tariff")
    assert record.target_id == str(Tariff.objects.get().pk)
    assert record.actor_id == User.objects.get().pk


def test_a_tariff_is_withdrawn_by_a_version(boss: Client) -> None:
    boss.post(ADD, form())
    later = timezone.localtime() + timedelta(hours=2)
    boss.post(ADD, form(is_withdrawn="on", valid_from_0=f"{later:%Y-%m-%d}", valid_from_1=f"{later:%H:%M:%S}"))
    assert list(Tariff.objects.values_list("is_withdrawn", flat=True)) == [True, False]
    assert Tariff.objects.first().per_km == Decimal(2550)  # type: ignore[union-attr]
