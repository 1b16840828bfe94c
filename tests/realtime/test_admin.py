from typing import Any
from uuid import uuid4

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Permission
from django.test import Client

from events.models import OutboxEvent
from realtime.admin import PER_PAGE
from rides.models import Beacon
from rides.services.beacons import beacon_update
from tests.realtime.operations.test_live_connections import note
from users.models import User
from users.presence import Presence, presence

pytestmark = pytest.mark.django_db
URL = "/admin/realtime/liveconnection/"


@pytest.fixture
def staff(client: Client) -> Client:
    client.force_login(User.objects.create_superuser("+6281200000099", "a long password"))
    return client


@pytest.fixture
def clerk() -> User:
    return User.objects.create_user("+6281200000098", "a long password", is_staff=True)


def allow(user: User, *names: str) -> None:
    user.user_permissions.set(Permission.objects.filter(codename__in=names))


def body(action: str, *connections: Presence, **more: str) -> dict[str, Any]:
    return {"action": action, "connection": [str(one.connection_id) for one in connections], **more}


def test_it_shows_who_is_connected_and_finds_them(staff: Client, dewi: User, putri: User) -> None:
    note(dewi, putri)
    page = staff.get(URL).content.decode()
    assert "2 connections, over all processes" in page
    assert "host:1" in page
    assert "198.51.100.7" in page
    found = staff.get(URL, {"q": "0812-0000-0003"}).content.decode()
    assert "Putri" in found
    assert "Dewi" not in found
    assert "Nobody is connected" in staff.get(URL, {"q": "nobody at all"}).content.decode()


def test_thousands_come_in_pages_with_the_same_few_queries(
    staff: Client, dewi: User, django_assert_max_num_queries: Any
) -> None:
    people = User.objects.bulk_create(User(msisdn=f"+62877{n:08d}", password="!") for n in range(3 * PER_PAGE))
    presence().note([Presence(connection_id=uuid4(), user_id=user.pk, role="driver") for user in people])
    with django_assert_max_num_queries(5):
        page = staff.get(URL, {"p": "2"}).content.decode()
    assert "Page 2 of 3" in page
    assert page.count('name="connection"') == PER_PAGE
    assert "Page 3 of 3" in staff.get(URL, {"p": "99999"}).content.decode()


def test_an_action_asks_first_and_then_tells_what_it_did(staff: Client, dewi: User, putri: User) -> None:
    one, _ = note(dewi, putri)
    asked = staff.post(URL, body("log_out", one)).content.decode()
    assert "All tokens of these users end" in asked
    assert "Dewi" in asked
    assert "Putri" not in asked
    dewi.refresh_from_db()
    assert dewi.token_version == 0
    done = staff.post(URL, body("log_out", one, confirmed="yes"), follow=True).content.decode()
    assert "Logged out everywhere by support: 1 of 1." in done
    dewi.refresh_from_db()
    assert dewi.token_version == 1
    assert OutboxEvent.objects.get().subject == "user.revoked"
    assert str(one.connection_id) in LogEntry.objects.get().change_message


def test_a_beacon_is_switched_off_and_its_driver_hears_of_it(staff: Client, dewi: User, putri: User) -> None:
    beacon_update(user_id=dewi.pk, is_active=True)
    connections = note(dewi, putri)
    done = staff.post(URL, body("beacon_off", *connections, confirmed="yes"), follow=True).content.decode()
    assert "Beacon switched off by support: 1 of 2." in done
    assert not Beacon.objects.get(driver=dewi).is_active
    assert OutboxEvent.objects.latest("id").data["is_active"] is False


@pytest.mark.parametrize("posted", [{}, {"action": "nonsense"}, {"action": "disconnect"}])
def test_what_is_not_complete_does_nothing(staff: Client, dewi: User, posted: dict[str, str]) -> None:
    note(dewi)
    answer = staff.post(URL, {**posted, "confirmed": "yes"}, follow=True).content.decode()
    assert "Choose" in answer
    assert not LogEntry.objects.exists()


def test_who_may_look_may_not_end_anything(client: Client, clerk: User, dewi: User) -> None:
    [one] = note(dewi)
    client.force_login(clerk)
    assert client.get(URL).status_code == 403
    allow(clerk, "view_liveconnection")
    page = client.get(URL)
    assert page.status_code == 200
    assert b'name="action"' not in page.content
    assert client.post(URL, body("log_out", one, confirmed="yes")).status_code == 403
    allow(clerk, "view_liveconnection", "end_liveconnection")
    assert b"1 of 1" in client.post(URL, body("log_out", one, confirmed="yes"), follow=True).content


@pytest.mark.parametrize("rights", [{"is_superuser": True}, {"is_staff": True}])
def test_staff_is_logged_out_by_superusers_only(client: Client, clerk: User, rights: dict[str, bool]) -> None:
    boss = User.objects.create_user("+6281200000097", "a long password", **rights)
    [one] = note(boss)
    allow(clerk, "view_liveconnection", "end_liveconnection")
    client.force_login(clerk)
    assert b"0 of 1" in client.post(URL, body("log_out", one, confirmed="yes"), follow=True).content
    boss.refresh_from_db()
    assert boss.token_version == 0


def test_the_other_pages_of_a_model_are_not_there(staff: Client) -> None:
    for path in ("add/", f"{uuid4()}/change/", f"{uuid4()}/delete/", f"{uuid4()}/history/"):
        assert staff.get(URL + path).status_code == 404
