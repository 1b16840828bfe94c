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
from common.retrying import retry_while

logger = logging.getLogger(__name__)

CONNECT_TIMEOUT = 2
"""Seconds for one attempt to connect."""

RETRY_DELAY = 1
"""Seconds between two attempts to connect."""

ANSWER_TIMEOUT = 5.0
"""Seconds for an answer of JetStream."""

PING_INTERVAL = 1
"""Seconds between two pings."""

PINGS_UNANSWERED = 2
"""Pings without an answer after which a connection is lost: a frozen server is noticed within 4 s."""

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
"""What is raised while the server is unavailable; other errors are about what it was asked."""


async def connect_to_nats(name: str, **callbacks: Any) -> Client:
    """Return a connection, however long that takes; once made, it is made again for ever when it is lost.

    `name` is shown in the server's list of connections, and begins the subjects of the answers (`_INBOX_name`), which
    the server's permissions may allow to us alone. (Where the library is to try for ever it does so for the first
    connection too, logs nothing and cannot be cancelled; so the first attempts are ours.)
    """
    client = await retry_while((Exception,), lambda: _connect(name, callbacks), log=_log_unreachable, delay=RETRY_DELAY)
    client.options["max_reconnect_attempts"] = -1  # from now on
    return client


async def _connect(name: str, callbacks: dict[str, Any]) -> Client:
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
                ping_interval=PING_INTERVAL,
                max_outstanding_pings=PINGS_UNANSWERED,
                **credentials(),
                **callbacks,
            )
    except BaseException as exc:
        await client.close()
        if (task := asyncio.current_task()) is not None and task.cancelling():
            raise asyncio.CancelledError from exc  # the library has taken it for a failure
        raise
    return client


def _log_unreachable(reason: str) -> None:
    logger.warning("NATS is unreachable, retrying: %s", reason)


def servers() -> list[str]:
    """Return the addresses of the servers, without user and password."""
    parts = [urlsplit(url.strip()) for url in settings.NATS_URL.split(",")]
    return [part._replace(netloc=part.netloc.rpartition("@")[2]).geturl() for part in parts]


def credentials() -> dict[str, Any]:
    """Return how we authenticate: user and password (or token) of the URL, a credentials file, a TLS certificate."""
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
    """Log what the library reports; that the server is still unavailable is logged once, by the caller."""
    level = logging.DEBUG if isinstance(error, OSError) else logging.WARNING
    logger.log(level, "NATS: %s", brief(error))
