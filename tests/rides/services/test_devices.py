"""Where the phones of a person can be woken."""

from __future__ import annotations

from uuid import uuid4

from rides.models import Device
from rides.services.devices import device_register, device_remove
from users.models import User

ENDPOINT = "https://push.example/abc"
KEYS = {
    "p256dh": "BNcRdreALRFXTkOOUHK1EtK2wtaz5Ry4YfYCA_0QTpQtUbVlUls0VJXg7A8u-Ts1XbjhazAkj7I99e8QcYP7DkM",
    "auth": "tBHItJI5svbpez7KI4CCXg",
}


def test_a_phone_is_registered_once_and_has_one_owner(dewi: User, putri: User) -> None:
    """The app registers at each start; who logs in on another's phone takes it over."""
    first = device_register(user_id=dewi.pk, kind="webpush", token=ENDPOINT, keys=KEYS)
    again = device_register(user_id=dewi.pk, kind="webpush", token=ENDPOINT, keys=KEYS)
    assert first.pk == again.pk
    device_register(user_id=putri.pk, kind="webpush", token=ENDPOINT, keys=KEYS)
    assert [device.user_id for device in Device.objects.all()] == [putri.pk]


def test_only_its_owner_removes_a_phone(dewi: User, putri: User) -> None:
    device = device_register(user_id=dewi.pk, kind="webpush", token=ENDPOINT, keys=KEYS)
    assert not device_remove(user_id=putri.pk, device_id=device.pk)
    assert not device_remove(user_id=dewi.pk, device_id=uuid4())
    assert device_remove(user_id=dewi.pk, device_id=device.pk)
    assert not Device.objects.exists()
