"""Connections to NATS; only used where `NATS_URL` is set."""

from __future__ import annotations

import asyncio
import logging
import ssl
from typing import Any

import nats
import nats.errors
import nats.js.errors
from django.conf import settings
from nats.aio.client import Client

from nebengjek.errors import brief

logger = logging.getLogger(__name__)

CONNECT_TIMEOUT = 2
"""Seconds for one attempt to connect."""

RETRY_DELAY = 1
"""Seconds between two attempts to connect."""

ANSWER_TIMEOUT = 5.0
"""Seconds for an answer of JetStream."""

AWAY = (
    nats.errors.Error,  # closed, timed out, no servers, no responders
    nats.js.errors.ServiceUnavailableError,
    nats.js.errors.NoStreamResponseError,
    OSError,
    TimeoutError,
)
"""What is raised while the server is away."""


async def connect_to_nats(name: str, **callbacks: Any) -> Client:
    """Return a connection, however long that takes; once made, it is made again for ever when it is lost.

    `name` is shown in the server's list of connections, and begins the subjects of the answers (`_INBOX_name`), which
    the server's permissions may allow to us alone. (Where the library is to try for ever it does so for the first
    connection too, and neither says so nor can be told to stop; so these attempts are ours.)
    """
    said = ""
    while True:
        client = Client()
        try:
            async with asyncio.timeout(CONNECT_TIMEOUT + 1):
                await client.connect(
                    settings.NATS_URL.split(","),
                    name=name,
                    inbox_prefix=f"_INBOX_{name}",
                    error_cb=_log_error,
                    connect_timeout=CONNECT_TIMEOUT,
                    reconnect_time_wait=RETRY_DELAY,
                    max_reconnect_attempts=1,
                    ping_interval=5,
                    max_outstanding_pings=2,
                    **credentials(),
                    **callbacks,
                )
        except asyncio.CancelledError:
            await client.close()
            raise
        except Exception as exc:
            await client.close()
            if said != (said := f"{brief(exc)}"):
                logger.warning("NATS cannot be reached, trying on: %s", said)
            await asyncio.sleep(RETRY_DELAY)
        else:
            client.options["max_reconnect_attempts"] = -1  # from now on
            return client


def credentials() -> dict[str, Any]:
    """Return what proves who we are: a credentials file, or a TLS certificate (user and password may be in the URL)."""
    options: dict[str, Any] = {}
    if settings.NATS_CREDENTIALS:
        options["user_credentials"] = settings.NATS_CREDENTIALS
    if settings.NATS_TLS_CA or settings.NATS_TLS_CERT:
        context = ssl.create_default_context(cafile=settings.NATS_TLS_CA or None)
        if settings.NATS_TLS_CERT:
            context.load_cert_chain(settings.NATS_TLS_CERT, settings.NATS_TLS_KEY or None)
        options["tls"] = context
    return options


async def _log_error(error: Exception) -> None:
    """Say what the library reports; that a server is still away is said once, by who notices it."""
    level = logging.DEBUG if isinstance(error, OSError) else logging.WARNING
    logger.log(level, "NATS: %s", brief(error))
