import re
from typing import Any

import pytest
from django.conf import settings
from django.contrib.auth.models import Permission
from django.test import Client, override_settings

from common.process import process
from rides.services.payments import payment_process
from tests.cast import arrive
from tests.realtime.operations.test_live_connections import note
from users.models import User
from users.support import support_add

pytestmark = pytest.mark.django_db


def shown(page: str) -> dict[str, int]:
    """The figures of the start page, by name."""
    found = re.findall(r'data-figure="([\w-]+)">(?:Rp )?([\d.]+)<', page)
    return {name: int(text.replace(".", "")) for name, text in found}


def clerk(*permissions: str) -> User:
    user = User.objects.create_user("+6281200000098", "a long password", is_staff=True)
    user.user_permissions.set(Permission.objects.filter(codename__in=permissions))
    return user


def test_support_sees_the_day_on_the_start_page(client: Client, dewi: User, putri: User, sari: User) -> None:
    ride = arrive(dewi, putri, tracked_km=2)
    payment_process(user_id=putri.pk, ride_id=ride.pk, total_cost=6000, status="ACCEPTED")
    note(dewi, putri, sari)
    client.force_login(support_add(msisdn="+6281200000098"))
    page = client.get("/admin/").content.decode()
    found = shown(page)
    assert (found["COMPLETED"], found["revenue"], found["fees"], found["searches"]) == (1, 6000, 300, 0)
    assert (found["connected-driver"], found["connected-passenger"]) == (1, 2)
    assert "since midnight (WIB, the time zone of the server)" in page
    for link in re.findall(r'<dt><a href="([^"]+)"', page):
        assert client.get(link.replace("&amp;", "&")).status_code == 200, link


@pytest.mark.parametrize(
    ("permission", "seen"),
    [("view_ride", "COMPLETED"), ("view_payment", "revenue"), ("view_liveconnection", "connected-driver")],
)
def test_each_sees_what_he_may_look_at(client: Client, permission: str, seen: str) -> None:
    client.force_login(clerk(permission))
    found = shown(client.get("/admin/").content.decode())
    assert seen in found
    assert not {"COMPLETED", "revenue", "connected-driver"} - {seen} & set(found)


def test_who_may_look_at_nothing_sees_no_figures(client: Client) -> None:
    client.force_login(clerk())
    assert "Today" not in client.get("/admin/").content.decode()


def test_the_start_page_costs_a_few_queries(
    client: Client, dewi: User, putri: User, django_assert_max_num_queries: Any
) -> None:
    arrive(dewi, putri)
    note(dewi, putri)
    client.force_login(support_add(msisdn="+6281200000098"))
    with django_assert_max_num_queries(19):
        client.get("/admin/")


def test_while_redis_is_away_the_rest_is_shown(client: Client) -> None:
    client.force_login(support_add(msisdn="+6281200000098"))
    away = {"BACKENDS": settings.DISTRIBUTED_BACKENDS, "REDIS_URL": "redis://127.0.0.1:1/0"}
    with override_settings(**away):
        process.reset()
        page = client.get("/admin/").content.decode()
    assert "not known: Redis is away" in page
    assert shown(page)["COMPLETED"] == 0
