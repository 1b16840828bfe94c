"""The signature of our messages: which of those in NATS are ours, whoever else may publish there.

It is an HMAC over what the message says and on which subject, with a key that is derived from `SECRET_KEY` and so known
to our processes only. Without one, headers that claim to be ours are a stranger's.
"""

from __future__ import annotations

from collections.abc import Mapping

from django.conf import settings
from django.utils.crypto import constant_time_compare, salted_hmac

from events.stream import ID_HEADER, TYPE_HEADER, VALID_UNTIL_HEADER, VIEWS_HEADER

SIGNATURE_HEADER = "Nebengjek-Signature"
SALT = "nebengjek.events.signature"
SIGNED_HEADERS = (ID_HEADER, TYPE_HEADER, VALID_UNTIL_HEADER, VIEWS_HEADER)


def signature_of(subject: str, payload: bytes, headers: Mapping[str, str]) -> str:
    """Return the signature of a message, in hexadecimal digits."""
    return _signature(settings.SECRET_KEY, _signed(subject, payload, headers))


def is_signed(subject: str, payload: bytes, headers: Mapping[str, str]) -> bool:
    """Return whether a message bears our signature, by the present `SECRET_KEY` or the previous one."""
    given = headers.get(SIGNATURE_HEADER)
    if not given:
        return False
    signed = _signed(subject, payload, headers)
    keys = [settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS]
    return given.isascii() and any(constant_time_compare(given, _signature(key, signed)) for key in keys)


def own_headers(headers: Mapping[str, str] | None) -> dict[str, str]:
    """Return the headers that we write ourselves, without the signature: NATS clients add others."""
    return {name: value for name, value in (headers or {}).items() if name in SIGNED_HEADERS}


def _signature(secret: str, signed: bytes) -> str:
    return salted_hmac(SALT, signed, secret=secret, algorithm="sha256").hexdigest()


def _signed(subject: str, payload: bytes, headers: Mapping[str, str]) -> bytes:
    """Return what is signed: each part after its length, so that nothing can move from one part into another."""
    parts = [subject.encode(), payload, *(headers.get(name, "").encode() for name in SIGNED_HEADERS)]
    return b"".join(b"%d:%b" % (len(part), part) for part in parts)
