"""The way from years to days above the list of rides."""

import re
from datetime import UTC, datetime
from typing import Any

import pytest
from django.test import Client, override_settings

from rides.models import Ride
from tests.cast import book
from users.models import User

pytestmark = pytest.mark.django_db


@pytest.fixture
def staff(client: Client) -> Client:
    client.force_login(User.objects.create_superuser("+6281200000099", "a long password"))
    return client


def booked(dewi: User, putri: User, *times: datetime) -> None:
    for time in times:
        ride = book(dewi, putri)
        Ride.objects.filter(pk=ride.pk).update(status="CANCELLED", created_at=time)


def steps(staff: Client, query: str = "") -> dict[str, str]:
    """What can be chosen, and where it leads."""
    page = staff.get(f"/admin/rides/ride/{query}").content.decode()
    found = re.search(r'<nav class="toplinks">(.+?)</nav>', page, re.DOTALL)
    pairs = re.findall(r'<a href="([^"]+)"[^>]*>(?:&lsaquo; )?([^<]+)</a>', found[1] if found else "")
    return {title: link.replace("&amp;", "&") for link, title in pairs}


def test_one_goes_from_years_to_a_day_and_back(staff: Client, dewi: User, putri: User) -> None:
    booked(dewi, putri, datetime(2024, 11, 30, 23, tzinfo=UTC), datetime(2026, 2, 3, 1, tzinfo=UTC))
    years = steps(staff)
    assert list(years) == ["2024", "2025", "2026"]
    months = steps(staff, years["2026"])
    assert list(months) == ["All dates", "January 2026", "February 2026"]
    days = steps(staff, months["February 2026"])
    assert list(days) == ["2026", "February 1", "February 2", "February 3"]
    assert b"1 ride" in staff.get(f"/admin/rides/ride/{days['February 3']}").content
    assert b"0 rides" in staff.get(f"/admin/rides/ride/{days['February 2']}").content
    assert list(steps(staff, days["February 3"])) == ["February 2026"]
    assert list(steps(staff, months["All dates"])) == ["2024", "2025", "2026"]


def test_a_single_year_or_month_is_opened_at_once(staff: Client, dewi: User, putri: User) -> None:
    booked(dewi, putri, datetime(2026, 2, 3, tzinfo=UTC))
    assert list(steps(staff)) == ["February 3"]
    booked(dewi, putri, datetime(2026, 4, 1, tzinfo=UTC))
    assert list(steps(staff)) == ["February 2026", "March 2026", "April 2026"]


def test_days_are_those_of_the_server(staff: Client, dewi: User, putri: User) -> None:
    booked(dewi, putri, datetime(2026, 2, 3, 23, tzinfo=UTC))
    with override_settings(TIME_ZONE="Asia/Jakarta"):
        assert list(steps(staff)) == ["February 4"]


def test_other_filters_stay(staff: Client, dewi: User, putri: User) -> None:
    booked(dewi, putri, datetime(2026, 2, 3, tzinfo=UTC))
    assert "status__exact=CANCELLED" in steps(staff, "?status__exact=CANCELLED")["February 3"]


NONSENSE = ("year=x", "year=2026&created_at__month=13", "year=2026&created_at__day=3", "month=2", "day=99", "year=0")


@pytest.mark.parametrize(
    "query", [*NONSENSE, "year=99999", "year=-1", "year=2026&created_at__month=2&created_at__day=30"]
)
def test_nonsense_is_no_error(staff: Client, dewi: User, putri: User, query: str) -> None:
    booked(dewi, putri, datetime(2026, 2, 3, tzinfo=UTC))
    assert staff.get(f"/admin/rides/ride/?created_at__{query}", follow=True).status_code == 200


def test_of_nothing_there_are_no_days(staff: Client) -> None:
    assert steps(staff) == {}


def test_it_costs_two_queries(staff: Client, dewi: User, putri: User, django_assert_max_num_queries: Any) -> None:
    booked(dewi, putri, datetime(2024, 2, 3, tzinfo=UTC), datetime(2026, 2, 3, tzinfo=UTC))
    for query in ("", "?created_at__year=2026", "?created_at__year=2026&created_at__month=2"):
        with django_assert_max_num_queries(6):
            staff.get(f"/admin/rides/ride/{query}")
