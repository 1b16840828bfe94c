"""Django's part of the ASGI application."""

from __future__ import annotations

import asyncio

from django.conf import settings
from django.core.handlers.asgi import ASGIHandler
from django.http import HttpRequest
from django.http.response import HttpResponseBase


class BoundedASGIHandler(ASGIHandler):
    """Handles at most `HTTP_THREADS` requests at once.

    Django gives each request a thread, and so a database connection, of its own; a burst of requests would open as
    many, and take the file descriptors that the sockets need. A request waits only after its body has been read:
    clients that send slowly hold no place.
    """

    def __init__(self) -> None:
        super().__init__()
        self._places = asyncio.Semaphore(settings.HTTP_THREADS)

    async def run_get_response(self, request: HttpRequest) -> HttpResponseBase:
        """Answer a request when fewer than `HTTP_THREADS` are being handled."""
        async with self._places:
            return await super().run_get_response(request)
