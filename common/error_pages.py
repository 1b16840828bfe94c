"""The error pages of `DEBUG`, which show source code and settings."""

from __future__ import annotations

from django.http import HttpRequest
from django.utils.safestring import SafeString
from django.views.debug import ExceptionReporter

from common.addresses import comes_from_here, is_loopback, without_port
from common.errors import SERVER_MESSAGE


class LocalExceptionReporter(ExceptionReporter):
    """Shows an error in full to whoever sits at this machine, and to everybody else that there was one."""

    def get_traceback_html(self) -> SafeString:
        """Return the page, or one sentence."""
        return super().get_traceback_html() if self._is_shown() else SafeString(SERVER_MESSAGE)

    def get_traceback_text(self) -> SafeString:
        """Return the text, or one sentence."""
        return super().get_traceback_text() if self._is_shown() else SafeString(SERVER_MESSAGE)

    def _is_shown(self) -> bool:
        request: HttpRequest | None = self.request
        return request is None or (comes_from_here(request) and asks_for_here(request))


def asks_for_here(request: HttpRequest) -> bool:
    """Return whether a request names this machine by its `Host`.

    A page of somebody else can make a developer's browser ask this machine under a name of its own (DNS rebinding).
    """
    return is_loopback(without_port(request.META.get("HTTP_HOST", "")))
