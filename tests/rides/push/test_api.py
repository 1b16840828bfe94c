"""Registering devices."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from rides.models import Device
from rides.personal_data import RidesData
from rides.services.devices import MOST_DEVICES, device_register
from tests.api import as_user
from tests.rides.push.server import Browser
from users.models import User

PATH = "/api/me/devices/"


def test_a_device_is_registered_and_removed(dewi: User, tono: User) -> None:
    """Again is the same device; a stranger neither sees nor removes it."""
    phone = as_user(dewi)
    first = phone.post(PATH, {"kind": "fcm", "token": "t-1"})
    again = phone.post(PATH, {"kind": "fcm", "token": "t-1"})
    assert (first.status_code, again.status_code) == (201, 201)
    assert first.json()["device_id"] == again.json()["device_id"]
    assert "token" not in first.json()
    assert [one["device_id"] for one in phone.get(PATH).json()["devices"]] == [first.json()["device_id"]]
    assert as_user(tono).get(PATH).json()["devices"] == []
    one = f"{PATH}{first.json()['device_id']}/"
    assert as_user(tono).delete(one).status_code == 404
    assert phone.delete(one).status_code == 204
    assert phone.delete(one).status_code == 404
    assert not Device.objects.exists()


def test_a_phone_belongs_to_who_used_it_last(dewi: User, joko: User) -> None:
    """The user before is not woken on it any more."""
    for user in (dewi, joko):
        as_user(user).post(PATH, {"kind": "apns", "token": "shared"})
    assert Device.objects.get().user == joko


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"kind": "fax", "token": "t"}, "kind"),
        ({"kind": "fcm"}, "token"),
        ({"kind": "fcm", "token": ""}, "token"),
        ({"kind": "fcm", "token": "x" * 2049}, "token"),
        ({"kind": "fcm", "token": "t\x00"}, "token"),
        ({"kind": "fcm", "token": "t", "keys": {"a": "x" * 513}}, "keys"),
        ({"kind": "fcm", "token": "t", "keys": "auth"}, "keys"),
    ],
)
def test_a_bad_device_names_the_field(dewi: User, body: dict[str, Any], field: str) -> None:
    """And nothing is kept."""
    answer = as_user(dewi).post(PATH, body)
    assert answer.status_code == 400
    assert list(answer.json()["fields"]) == [field]
    assert not Device.objects.exists()


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"kind": "webpush", "token": "https://fcm.googleapis.com/a", "keys": Browser().keys}, 201),
        ({"kind": "webpush", "token": "https://10.0.0.1/a", "keys": Browser().keys}, 400),
        ({"kind": "webpush", "token": "https://fcm.googleapis.com/a", "keys": {}}, 400),
        ({"kind": "fcm", "token": "t"}, 400),
    ],
    ids=["good", "our network", "no keys", "another kind"],
)
def test_web_push_takes_subscriptions_of_browsers(dewi: User, settings: Any, body: dict[str, Any], status: int) -> None:
    """Only those that it can send to."""
    settings.PUSH_BACKEND = "rides.push.webpush.WebPush"
    assert as_user(dewi).post(PATH, body).status_code == status
    assert Device.objects.count() == (status == 201)


def test_nobody_fills_the_table(dewi: User) -> None:
    """The oldest device makes room."""
    for n in range(MOST_DEVICES + 3):
        device_register(user_id=dewi.pk, kind="fcm", token=f"t-{n:02}", keys={})
    assert set(Device.objects.values_list("token", flat=True)) == {f"t-{n:02}" for n in range(3, MOST_DEVICES + 3)}


def test_devices_are_personal_data(dewi: User, joko: User, settings: Any) -> None:
    """Exported, erased at once with the account, and gone when they were not registered for long."""
    device_register(user_id=dewi.pk, kind="fcm", token="t", keys={})
    device_register(user_id=joko.pk, kind="fcm", token="u", keys={})
    assert RidesData().export(dewi)["devices"][0]["token"] == "t"
    RidesData().erase(dewi)
    assert Device.objects.get().user == joko
    list(RidesData().expire())
    assert Device.objects.exists()
    Device.objects.update(registered_at=timezone.now() - settings.DEVICE_RETENTION - timedelta(days=1))
    list(RidesData().expire())
    assert not Device.objects.exists()


def test_a_browser_learns_the_key(dewi: User, settings: Any) -> None:
    """Without a login nobody sees anything."""
    assert as_user(dewi).get(PATH).json()["application_server_key"] == ""
    assert Client().get(PATH).status_code == 401
