"""Sending text messages. `SMS_BACKEND` names the class; another provider is another class with the same `send`."""

from __future__ import annotations

import sys
from typing import Protocol

from django.conf import settings
from django.utils.module_loading import import_string


class SMSBackend(Protocol):
    """Sends one text message."""

    def send(self, msisdn: str, text: str) -> None:
        """Send `text` to `msisdn` (E.164); raise when the message was certainly not accepted."""


class ConsoleSMS:
    """Writes messages to standard output, for development: whoever reads the output can log in as anybody."""

    def send(self, msisdn: str, text: str) -> None:
        """Print the message as one line."""
        sys.stdout.write(f"SMS to {msisdn}: {text}\n")
        sys.stdout.flush()


def send_sms(msisdn: str, text: str) -> None:
    """Send `text` to `msisdn` with the configured backend."""
    backend: SMSBackend = import_string(settings.SMS_BACKEND)()
    backend.send(msisdn, text)
