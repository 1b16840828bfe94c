"""Connections to NATS; only used where `NATS_URL` is set."""

from __future__ import annotations

import asyncio
import logging
import ssl
from typing import Any
from urllib.parse import unquote, urlsplit

import nats
import nats.errors
import nats.js.errors
from django.conf import settings
from nats.aio.client import Client

from common.errors import brief

logger = logging.getLogger(__name__)

CONNECT_TIMEOUT = 2
"""Seconds for one attempt to connect."""

RETRY_DELAY = 1
"""Seconds between two attempts to connect."""

ANSWER_TIMEOUT = 5.0
"""Seconds for an answer of JetStream."""

AWAY = (
    nats.errors.ConnectionClosedError,
    nats.errors.ConnectionDrainingError,
    nats.errors.ConnectionReconnectingError,
    nats.errors.NoRespondersError,
    nats.errors.NoServersError,
    nats.errors.OutboundBufferLimitError,
    nats.errors.StaleConnectionError,
    nats.errors.UnexpectedEOF,
    nats.js.errors.ServiceUnavailableError,
    nats.js.errors.NoStreamResponseError,
    OSError,
    TimeoutError,
)
"""What is raised while the server is away; anything else it says is about what it was asked."""


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
                    servers(),
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
            if (task := asyncio.current_task()) is not None and task.cancelling():
                raise asyncio.CancelledError from exc  # the library has taken it for a failure
            if said != (said := f"{brief(exc)}"):
                logger.warning("NATS cannot be reached, trying on: %s", said)
            await asyncio.sleep(RETRY_DELAY)
        else:
            client.options["max_reconnect_attempts"] = -1  # from now on
            return client


def servers() -> list[str]:
    """Return the addresses of the servers, without user and password."""
    parts = [urlsplit(url.strip()) for url in settings.NATS_URL.split(",")]
    return [part._replace(netloc=part.netloc.rpartition("@")[2]).geturl() for part in parts]


def credentials() -> dict[str, Any]:
    """Return what proves who we are: user and password of the URL, a credentials file, or a TLS certificate."""
    options: dict[str, Any] = {}
    url = urlsplit(settings.NATS_URL.split(",")[0].strip())
    if url.username and url.password:
        options |= {"user": unquote(url.username), "password": unquote(url.password)}
    elif url.username:
        options["token"] = unquote(url.username)
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
