"""Lists in pages, with links that work from outside."""

from __future__ import annotations

from urllib.parse import urlsplit, urlunsplit

from django.conf import settings
from rest_framework.pagination import PageNumberPagination


class PublicPagination(PageNumberPagination):
    """Pages whose `next` and `previous` begin with `PUBLIC_URL`, where it is set.

    Behind a proxy that ends TLS the request itself says `http` and the name of this machine.
    """

    def get_next_link(self) -> str | None:
        """Return the address of the next page."""
        return public(super().get_next_link())

    def get_previous_link(self) -> str | None:
        """Return the address of the page before."""
        return public(super().get_previous_link())


def public(url: str | None) -> str | None:
    """Return an address of this server as clients reach it."""
    if url is None or not settings.PUBLIC_URL_IS_SET:
        return url
    outside, inside = urlsplit(settings.PUBLIC_URL), urlsplit(url)
    return urlunsplit(inside._replace(scheme=outside.scheme, netloc=outside.netloc, path=outside.path + inside.path))
