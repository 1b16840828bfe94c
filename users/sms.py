"""Sending text messages. `SMS_BACKEND` names the class; another provider is another class with the same `send`."""

from __future__ import annotations

import sys
from typing import Protocol

from django.conf import settings
from django.core.cache import cache
from django.utils.module_loading import import_string


class SMSBackend(Protocol):
    """Sends one text message."""

    def send(self, msisdn: str, text: str) -> None:
        """Send `text` to `msisdn` (E.164); raise if the provider did not accept the message."""


class ConsoleSMS:
    """Writes messages to standard output. For development only: who reads the output can log in as any user.

    With `DEMO` the last message of each number is kept for `OTP_TTL`, for the page that shows it.
    """

    def send(self, msisdn: str, text: str) -> None:
        """Print the message as one line."""
        sys.stdout.write(f"SMS to {msisdn}: {text}\n")
        sys.stdout.flush()
        if settings.DEMO:
            cache.set(f"sms:{msisdn}", text, timeout=settings.OTP_TTL.total_seconds())


def last_message(msisdn: str) -> str:
    """Return the last message to a number that the console backend kept; nothing without `DEMO`."""
    return str(cache.get(f"sms:{msisdn}", "")) if settings.DEMO else ""


def forget_messages(msisdn: str) -> None:
    """Forget what the console backend kept for a number."""
    cache.delete(f"sms:{msisdn}")


def send_sms(msisdn: str, text: str) -> None:
    """Send `text` to `msisdn` with the configured backend."""
    backend: SMSBackend = import_string(settings.SMS_BACKEND)()
    backend.send(msisdn, text)
