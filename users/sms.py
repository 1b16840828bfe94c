"""Sending text messages. `SMS_BACKEND` names the class; another provider is another class with the same `send`.

They are sent by threads of their own: a provider that takes ten seconds, or is away, holds up no request.
"""

from __future__ import annotations

import sys
from typing import Protocol

from django.conf import settings
from django.core.cache import cache
from django.utils.module_loading import import_string

from common.process import process
from common.senders import Senders

THREADS = 32
"""Messages on their way at once: a provider that takes ten seconds for each still takes three a second."""

WAITING = 1000
"""Messages that wait at most."""


class SMSBackend(Protocol):
    """Sends one text message."""

    def send(self, msisdn: str, text: str) -> None:
        """Send `text` to `msisdn` (E.164); raise if the provider did not accept the message.

        Give up after some seconds: nobody else does it for you, and the threads are few.
        """


class ConsoleSMS:
    """Writes messages to standard output. For development only: who reads the output can log in as any user."""

    def send(self, msisdn: str, text: str) -> None:
        """Print the message as one line."""
        sys.stdout.write(f"SMS to {msisdn}: {text}\n")
        sys.stdout.flush()


def last_message(msisdn: str) -> str:
    """Return the last message to a number, if the console showed it less than `OTP_TTL` ago; nothing without `DEMO`."""
    return str(cache.get(f"sms:{msisdn}", "")) if settings.DEMO else ""


def forget_messages(msisdn: str) -> None:
    """Forget the last message to a number."""
    cache.delete(f"sms:{msisdn}")


def send_sms(msisdn: str, text: str) -> bool:
    """Send `text` to `msisdn` soon, with the configured backend; return False where too many messages wait.

    With `DEMO` the console's are kept, at once, for the page that asks for them.
    """
    backend: SMSBackend = import_string(settings.SMS_BACKEND)()
    if settings.DEMO and isinstance(backend, ConsoleSMS):
        cache.set(f"sms:{msisdn}", text, timeout=settings.OTP_TTL.total_seconds())
    return sms_senders().put(lambda: backend.send(msisdn, text))


def sms_senders() -> Senders:
    """Return the threads of this process that send messages."""
    return process.one("sms", lambda: Senders("sms", threads=THREADS, waiting=WAITING))
