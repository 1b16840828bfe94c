"""Django's part of the ASGI application."""

from __future__ import annotations

import asyncio

from django.core.handlers.asgi import ASGIHandler
from django.http import HttpRequest
from django.http.response import HttpResponseBase

from common.descriptors import requests_at_once
from common.probes import PATHS

PROBES = 4
"""Probes and scrapes that are answered at once."""


class BoundedASGIHandler(ASGIHandler):
    """Handles at most `HTTP_THREADS` requests at once, or fewer where file descriptors are short.

    Django gives each request a thread, and so a database connection, of its own; a burst of requests would open as
    many, and take the file descriptors that the sockets need. A request waits only after its body has been read:
    clients that send slowly hold no place. Probes have places of their own: whoever restarts what does not answer must
    not do so because others wait for the database.
    """

    def __init__(self) -> None:
        super().__init__()
        self._places: asyncio.Semaphore | None = None
        self._probes = asyncio.Semaphore(PROBES)

    async def run_get_response(self, request: HttpRequest) -> HttpResponseBase:
        """Answer a request when fewer than that are being handled."""
        if self._places is None:  # the server may have changed its limits since it was made
            self._places = asyncio.Semaphore(requests_at_once())
        async with self._probes if request.path.startswith(PATHS) else self._places:
            return await super().run_get_response(request)
