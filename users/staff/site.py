"""The admin: who may enter."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any

from django.contrib.admin import AdminSite
from django.core.exceptions import FieldError
from django.db import DataError, NotSupportedError, ProgrammingError
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.utils.translation import gettext_lazy

from users.second_factor import is_trusted_staff

View = Callable[..., HttpResponse]

UNANSWERABLE = (FieldError, NotSupportedError, NotImplementedError, DataError, ProgrammingError, TypeError, ValueError)
"""What a lookup raises that a field, or the database, does not have."""


OWN = {"p", "q", "o", "all", "e", "_facets", "_popup", "_to_field", "_changelist_filters"}
"""Parameters of the admin's lists that are no lookups; `e` says that a lookup was wrong."""


class StaffSite(AdminSite):
    """The admin, with a second factor where that is required."""

    site_header = site_title = "NebengJek"
    index_title = gettext_lazy("Support")

    def has_permission(self, request: HttpRequest) -> bool:
        """Return whether somebody may enter."""
        return is_trusted_staff(request.user)

    def admin_view(self, view: Any, cacheable: bool = False) -> Any:
        """Return a view for those who may enter."""
        return super().admin_view(_answering(view), cacheable)


def _answering(view: View) -> View:
    """Return a view that treats lookups in the address that cannot be answered as the admin treats other wrong ones."""

    @wraps(view)
    def answer(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        try:
            return view(request, *args, **kwargs)
        except UNANSWERABLE:
            if request.method == "GET" and set(request.GET) - OWN:
                return HttpResponseRedirect(f"{request.path}?e=1")
            raise

    return answer
