"""Web Push, to a real server that a browser reads from."""

from __future__ import annotations

import base64
import time
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import http_ece
import jwt
import pytest
import requests
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, EllipticCurvePublicKey
from django.utils import timezone
from py_vapid import Vapid
from pywebpush import WebPushException

from rides.push.base import DeviceGone, Target, Wake
from rides.push.webpush import WebPush, is_known_service
from tests.rides.push.server import Browser, PushService, push_service, text_of

KEY = Vapid()
KEY.generate_keys()


@pytest.fixture
def service(settings: Any, tmp_path: Any) -> Iterator[PushService]:
    """A push service that may be called, and a key."""
    KEY.save_key(tmp_path / "key.pem")
    settings.WEBPUSH_HOSTS = ["127.0.0.1"]
    settings.VAPID_PRIVATE_KEY = str(tmp_path / "key.pem")
    settings.VAPID_SUBJECT = "mailto:ops@example.com"
    with push_service() as service:
        yield service


def wake() -> Wake:
    return Wake("match_proposal", timezone.now() + timedelta(seconds=30))


def target_of(service: PushService, browser: Browser, path: str = "/device") -> Target:
    return Target("webpush", f"{service.url}{path}", browser.keys)


def test_a_browser_reads_what_was_sent(service: PushService) -> None:
    """Encrypted for this browser, signed with the key that it subscribed with; and it names nobody."""
    browser, sent = Browser(), wake()
    WebPush().send(target_of(service, browser), sent, 30)
    [(path, headers, body)] = service.got
    assert path == "/device"
    read = browser.read(body)
    assert set(read) == {"type", "expires_at"}
    assert read["type"] == "match_proposal"
    assert (headers["ttl"], headers["urgency"], headers["content-encoding"]) == ("30", "high", "aes128gcm")
    scheme, _, parameters = headers["authorization"].partition(" ")
    assert scheme == "vapid"
    parts = dict(part.strip().split("=", 1) for part in parameters.split(","))
    assert parts["k"] == WebPush().application_server_key
    point = base64.urlsafe_b64decode(parts["k"] + "=" * (-len(parts["k"]) % 4))
    public = EllipticCurvePublicKey.from_encoded_point(SECP256R1(), point)
    claims = jwt.decode(parts["t"], public, algorithms=["ES256"], audience=service.url)
    assert claims["sub"] == "mailto:ops@example.com"
    with pytest.raises(http_ece.ECEException):
        Browser().read(body)


@pytest.mark.parametrize("status", [404, 410])
def test_a_device_that_is_gone_is_told_apart(service: PushService, status: int) -> None:
    """These two answers mean that the subscription has ended."""
    service.answers["/device"] = status
    with pytest.raises(DeviceGone):
        WebPush().send(target_of(service, Browser()), wake(), 30)


@pytest.mark.parametrize("status", [302, 307, 400, 429, 500])
def test_a_refusal_is_an_error(service: PushService, status: int) -> None:
    """The device may work next time; and nobody is sent elsewhere."""
    service.answers["/device"] = status
    with pytest.raises((WebPushException, requests.TooManyRedirects)):
        WebPush().send(target_of(service, Browser()), wake(), 30)
    assert len(service.got) == 1


def test_a_service_that_hangs_is_given_up(service: PushService, settings: Any) -> None:
    """After `PUSH_TIMEOUT`."""
    settings.PUSH_TIMEOUT = timedelta(seconds=0.2)
    service.hold.clear()
    begun = time.monotonic()
    with pytest.raises(requests.Timeout):
        WebPush().send(target_of(service, Browser()), wake(), 30)
    assert time.monotonic() - begun < 5


@pytest.mark.parametrize(
    "address",
    [
        "https://10.0.0.1/x", "https://169.254.169.254/latest", "http://fcm.googleapis.com/x", "ftp://fcm.googleapis.com/",
        "https://fcm.googleapis.com.evil.example/x", "https://evilfcm.googleapis.com/x", "https://a@fcm.googleapis.com/",
        "https://fcm.googleapis.com@evil.example/", "https://[::1", "", "x", "https://:443/", "http://127.0.0.1/x",
        "https://fcm.googleapis.com:99999/",
    ],
)  # fmt: skip
def test_only_known_services_are_called(settings: Any, address: str) -> None:
    """The address is what a user says: it must not reach what only this server can reach."""
    assert not is_known_service(address)
    with pytest.raises(ValueError, match="known push service"):
        WebPush().check(Target("webpush", address, Browser().keys))
    with pytest.raises(DeviceGone):
        WebPush().send(Target("webpush", address, Browser().keys), wake(), 30)


@pytest.mark.parametrize("address", ["https://fcm.googleapis.com/x", "https://db5.notify.windows.com/w/?token=a"])
def test_known_services_are_taken(address: str) -> None:
    """And the hosts below them."""
    WebPush().check(Target("webpush", address, Browser().keys))


@pytest.mark.parametrize(
    "change",
    [
        {"auth": ""}, {"auth": "AAAA"}, {"auth": "ä" * 22}, {"p256dh": ""}, {"p256dh": "A" * 87}, {"p256dh": "!"},
    ],
    ids=str,
)  # fmt: skip
def test_keys_that_no_browser_makes_are_refused(change: dict[str, str]) -> None:
    """They would fail at the first push."""
    with pytest.raises(ValueError, match="base64"):
        WebPush().check(Target("webpush", "https://fcm.googleapis.com/x", {**Browser().keys, **change}))


def test_the_key_may_be_given_as_text(settings: Any, service: PushService) -> None:
    """In URL-safe base64, as some tools print it."""
    from_file = WebPush().application_server_key
    number = KEY.private_key.private_numbers().private_value
    settings.VAPID_PRIVATE_KEY = text_of(number.to_bytes(32, "big"))
    assert WebPush().application_server_key == from_file
