import json
from datetime import timedelta

import pytest
from django.contrib.auth.models import Permission
from django.test import Client
from django.utils import timezone

from events.models import OutboxEvent
from rides.models import Ride
from tests.cast import arrive
from users.models import Driver, User


@pytest.fixture
def boss(client: Client, db: None) -> Client:
    client.force_login(User.objects.create_superuser("+6281200000099", "a long password"))
    return client


def start_page(client: Client) -> str:
    return client.get("/admin/").content.decode()


def test_a_quiet_day_needs_nobody(boss: Client) -> None:
    """Then the start page begins with the figures."""
    assert "Needs somebody" not in start_page(boss)


def test_what_needs_somebody_comes_first(boss: Client, dewi: User, joko: User, putri: User) -> None:
    """Drivers who wait, papers, rides that hang or are unpaid, events that were given up; each with a link."""
    ride = arrive(dewi, putri)
    Ride.objects.filter(pk=ride.pk).update(arrived_at=timezone.now() - timedelta(hours=2))
    Driver.objects.filter(pk=joko.pk).update(approval="pending", papers_until=timezone.localdate() - timedelta(days=1))
    OutboxEvent.objects.filter(pk=OutboxEvent.objects.latest("pk").pk).update(failed_at=timezone.now())
    page = start_page(boss)
    for text in ("drivers wait for approval", "papers that have expired", "not paid after an hour", "were given up"):
        assert text in page, text
    assert page.index("Needs somebody") < page.index("Today")
    assert "?approval__exact=pending" in page


def test_flagged_rides_lead_to_their_list(boss: Client, dewi: User, putri: User) -> None:
    """However old, until somebody has looked; the link shows the flagged ones only."""
    ride = arrive(dewi, putri)
    assert "are flagged" not in start_page(boss)
    Ride.objects.update(needs_review="driver_silent")
    shown = '<a href="/admin/rides/ride/?review=yes">rides are flagged for support</a>: <strong>1</strong>'
    assert shown in start_page(boss)
    assert "1 ride" in boss.get("/admin/rides/ride/?review=yes").content.decode()
    assert "0 rides" in boss.get("/admin/rides/ride/?review=no").content.decode()
    Ride.objects.filter(pk=ride.pk).update(created_at=timezone.now() - timedelta(days=80))
    assert "are flagged" in start_page(boss)
    body = {"action": "review", "_selected_action": [str(ride.pk)], "confirmed": "yes", "note": "The phone had died."}
    boss.post("/admin/rides/ride/", {**body, "seen": json.dumps({str(ride.pk): "driver_silent"})})
    assert "are flagged" not in start_page(boss)


def test_who_drives_no_more_needs_nobody(boss: Client, dewi: User) -> None:
    """What staff recorded of drivers who left is kept, and asks for nothing."""
    Driver.objects.update(approval="pending", papers_until=timezone.localdate() - timedelta(days=1))
    User.objects.filter(pk=dewi.pk).update(role="passenger")
    assert "Needs somebody" not in start_page(boss)


@pytest.mark.parametrize(
    ("status", "column", "text"),
    [("PICKUP", "created_at", "pick-ups take very long"), ("ONGOING", "started_at", "rides take very long")],
)
def test_rides_that_hang_are_found(  # noqa: PLR0917
    boss: Client, dewi: User, putri: User, status: str, column: str, text: str
) -> None:
    """By the time that the state has lasted."""
    ride = arrive(dewi, putri)
    Ride.objects.filter(pk=ride.pk).update(status=status, arrived_at=None)
    assert text not in start_page(boss)
    Ride.objects.filter(pk=ride.pk).update(**{column: timezone.now() - timedelta(hours=7)})
    assert text in start_page(boss)


def test_each_sees_the_tasks_of_their_pages(client: Client, dewi: User) -> None:
    """Nobody counts what they may not see."""
    Driver.objects.update(approval="pending")
    user = User.objects.create_user("+6281200000098", "a long password", is_staff=True)
    client.force_login(user)
    assert "drivers wait" not in start_page(client)
    user.user_permissions.add(Permission.objects.get(codename="view_driver"))
    assert "drivers wait" in start_page(client)
