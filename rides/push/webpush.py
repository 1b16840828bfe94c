"""Web Push (RFC 8030, 8291, 8292) by `pywebpush`."""

from __future__ import annotations

import base64
import binascii
from http import HTTPStatus
from pathlib import Path
from typing import ClassVar
from urllib.parse import urlsplit

import msgspec
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, EllipticCurvePublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from django.conf import settings
from py_vapid import Vapid
from pywebpush import WebPushException, webpush
from requests import Session

from rides.models import DeviceKind
from rides.push.base import DeviceGone, Target, Wake

AUTH_LENGTH = 16
"""Bytes of the secret of a subscription (RFC 8291)."""

LOCAL = ("localhost", "127.0.0.1", "[::1]")


class WebPush:
    """Sends to browsers. Only hosts of `WEBPUSH_HOSTS` are called: the address of a subscription is a user's input."""

    kinds: ClassVar[tuple[str, ...]] = (DeviceKind.WEB_PUSH,)

    @property
    def application_server_key(self) -> str:
        """The public half of `VAPID_PRIVATE_KEY`, as browsers take it."""
        point = vapid_key().public_key.public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
        return base64.urlsafe_b64encode(point).rstrip(b"=").decode()

    def check(self, target: Target) -> None:
        """Raise `ValueError` for a subscription that no browser makes, or of an unknown push service."""
        if not is_known_service(target.token):
            raise ValueError("This is not an address of a known push service.")
        key, secret = _decoded(target.keys.get("p256dh", "")), _decoded(target.keys.get("auth", ""))
        if len(secret) != AUTH_LENGTH:
            raise ValueError(f"keys.auth must be {AUTH_LENGTH} bytes in URL-safe base64.")
        try:
            EllipticCurvePublicKey.from_encoded_point(SECP256R1(), key)
        except ValueError as exc:
            raise ValueError("keys.p256dh must be a point of P-256 in URL-safe base64.") from exc

    def send(self, target: Target, wake: Wake, seconds: int) -> None:
        """Encrypt and send; a redirection is not followed."""
        if not is_known_service(target.token):
            raise DeviceGone  # the list has become shorter
        with Session() as session:
            session.max_redirects = 0
            session.trust_env = False
            try:
                webpush(
                    {"endpoint": target.token, "keys": dict(target.keys)},
                    msgspec.json.encode(wake).decode(),
                    vapid_private_key=vapid_key(),
                    vapid_claims={"sub": settings.VAPID_SUBJECT},
                    ttl=seconds,
                    headers={"Urgency": "high"},
                    timeout=settings.PUSH_TIMEOUT.total_seconds(),
                    requests_session=session,
                )
            except WebPushException as exc:
                if exc.status_code in (HTTPStatus.NOT_FOUND, HTTPStatus.GONE):
                    raise DeviceGone from exc
                raise


def vapid_key() -> Vapid:
    """Return the key that signs; raises `ValueError` or `VapidException` for what is none."""
    text: str = settings.VAPID_PRIVATE_KEY
    return Vapid.from_file(text) if Path(text).is_file() else Vapid.from_string(text)


def is_known_service(address: str) -> bool:
    """Whether an address is one of a push service that may be called."""
    try:
        parts = urlsplit(address)
        host, _ = parts.hostname or "", parts.port
    except ValueError:
        return False
    is_safe = parts.scheme == "https" or (parts.scheme == "http" and host in LOCAL)
    known = any(host == name or host.endswith(f".{name}") for name in settings.WEBPUSH_HOSTS)
    return is_safe and known and "@" not in parts.netloc


def _decoded(text: str) -> bytes:
    try:
        return base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        return b""
